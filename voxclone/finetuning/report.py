"""report.html, report.json and prompts.txt: what was kept, what was learned, what to record next."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxclone.files import replace_file
from voxclone.finetuning import pictures
from voxclone.finetuning.base import BaseModel
from voxclone.finetuning.coverage import ENOUGH
from voxclone.finetuning.dataset import SpeakerData
from voxclone.finetuning.measures import measure
from voxclone.finetuning.selection import embed
from voxclone.synthesis import VoxClone
from voxclone.voice import Voice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEARD = 3  # held-out sentences that are spoken for the report

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "img{max-width:100%}table{border-collapse:collapse}td,th{padding:.25rem .9rem .25rem 0;text-align:left;"
    "vertical-align:top}audio{width:15rem}"
)


def write_report(
    folder: Path, data: SpeakerData, base: BaseModel, model: VoxClone, voice: Voice, run: Path, about: dict[str, Any]
) -> Path:
    """Write the three files; returns the page's path."""
    numbers = about | measure(data, base.config.text.language)
    heard = _speak_held_out(data, base, model, voice)
    numbers["similarity"] = heard.pop("similarity")
    dropped = [
        {"key": each.key, "reason": each.dropped, "detail": each.detail} for each in data.utterances if each.dropped
    ]
    replace_file(
        folder / "report.json",
        (json.dumps(numbers | {"left_out": dropped}, indent=1, ensure_ascii=False) + "\n").encode(),
    )
    replace_file(folder / "prompts.txt", "".join(f"{line}\n" for line in numbers["record_next"]).encode())
    page = folder / "report.html"
    replace_file(page, _page(data, numbers, heard, run, dropped).encode())
    return page


def _speak_held_out(data: SpeakerData, base: BaseModel, model: VoxClone, voice: Voice) -> dict[str, Any]:
    """Held-out sentences as recorded, by the clone and by the fine-tuned voice; and how alike they are."""
    measured = data.measured_voice(base)
    clone = dataclasses.replace(
        voice,
        speaker_embedding=measured["speaker_embedding"].numpy(),
        spectrum=measured["spectrum"].numpy(),
        adapter=None,
    )
    rows = []
    cosines: dict[str, list[float]] = {"recordings": [], "clone": [], "fine-tuned": []}
    target = measured["speaker_embedding"].numpy()
    for entry in data.held_out[:HEARD]:
        natural = data.store.read(entry, "waveform").astype(np.float32) / np.float32(32768)
        spoken = {
            "clone": model.generate(entry.about["text"], clone),
            "fine-tuned": model.generate(entry.about["text"], voice),
        }
        cosines["recordings"].append(float(target @ data.embeddings[entry.key]))
        for kind, speech in spoken.items():
            cosines[kind].append(float(target @ embed(base.speaker_encoder, speech.samples, speech.sample_rate)))
        mels = {"recording": data.store.read(entry, "mel").astype(np.float32).T}
        mels |= {kind: speech.mel for kind, speech in spoken.items()}
        players = {"recording": _player(natural, base.config.audio.sample_rate)}
        players |= {kind: speech._repr_html_() for kind, speech in spoken.items()}
        rows.append({"text": entry.about["text"], "players": players, "mels": mels})
    return {"rows": rows, "similarity": {kind: round(float(np.mean(values)), 3) for kind, values in cosines.items()}}


def _page(
    data: SpeakerData, numbers: dict[str, Any], heard: dict[str, Any], run: Path, dropped: list[dict[str, str]]
) -> str:
    say = html.escape
    few = ", ".join(f"{phone} ({count})" for phone, count in numbers[f"phones_below_{ENOUGH}"].items()) or "none"
    alike = numbers["similarity"]
    parts = [
        f"<h1>{say(numbers['name'])}</h1>",
        f"<p>Fine-tuned ({numbers['depth']}, {numbers['adapter_numbers']:,} numbers, a file of "
        f"{numbers['file_bytes'] / 1000:.1f} kB) on {say(numbers['base'])} in {numbers['seconds']:.0f} s, from "
        f"{numbers['minutes_kept']:.1f} minutes of speech in {numbers['utterances_kept']} utterances, of which "
        f"{numbers['held_out']} were held out. Loss on these: {numbers['held_out_loss_before']:.3f} before, "
        f"{numbers['held_out_loss_after']:.3f} after. Likeness to the speaker, by the model's own encoder (cosine): "
        f"recordings {alike['recordings']:.2f}, clone {alike['clone']:.2f}, fine-tuned {alike['fine-tuned']:.2f}.</p>",
        "<h2>What became of the recordings</h2>",
        _picture(pictures.draw_sorting(numbers)),
        _picture(pictures.draw_quality(data)),
        "<h2>Sounds</h2>",
        f"<p>Heard fewer than {ENOUGH} times: {say(few)}.</p>",
        _picture(pictures.draw_phones(numbers["phones"])),
        "<h2>What to record next</h2>",
        "<ol>" + "".join(f"<li>{say(line)}</li>" for line in numbers["record_next"]) + "</ol>",
        "<h2>Training</h2>",
        _picture(pictures.draw_training(run / "log.tsv", numbers["held_out_loss_before"])),
        "<h2>Held-out sentences</h2>",
    ]
    for row in heard["rows"]:
        cells = "".join(f"<td>{say(kind)}<br>{player}</td>" for kind, player in row["players"].items())
        parts += [
            f"<p>{say(row['text'])}</p><table><tr>{cells}</tr></table>",
            _picture(pictures.draw_mels(row["mels"])),
        ]
    if dropped:
        lines = "".join(
            f"<tr><td>{say(each['key'])}</td><td>{say(each['reason'])}</td><td>{say(each['detail'])}</td></tr>"
            for each in dropped
        )
        parts += ["<h2>Left out</h2>", f"<table>{lines}</table>"]
    head = f"<meta charset=utf-8><title>{say(numbers['name'])}</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _picture(figure: Figure) -> str:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=90)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(image.getvalue()).decode()}">'


def _player(samples: NDArray[np.float32], sample_rate: int) -> str:
    wav = io.BytesIO()
    soundfile.write(wav, samples, sample_rate, format="WAV", subtype="PCM_16")
    return f'<audio controls src="data:audio/wav;base64,{base64.b64encode(wav.getvalue()).decode()}"></audio>'
