"""report.html, report.json and prompts.txt: what was kept, what was learned, what to record next."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxclone.files import replace_file
from voxclone.finetuning import pictures
from voxclone.finetuning.coverage import ENOUGH
from voxclone.finetuning.dataset import SpeakerData
from voxclone.finetuning.likeness import Likeness, Spoken
from voxclone.training.features import Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEARD = 3  # held-out sentences that can be heard on the page

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "img{max-width:100%}table{border-collapse:collapse}td,th{padding:.25rem .9rem .25rem 0;text-align:left;"
    "vertical-align:top}audio{width:15rem}"
)


def write_report(
    folder: Path, data: SpeakerData, run: Path, numbers: dict[str, Any], likeness: Likeness, spoken: Sequence[Spoken]
) -> Path:
    """Write the three files; returns the page's path."""
    dropped = [
        {"key": each.key, "reason": each.dropped, "detail": each.detail} for each in data.utterances if each.dropped
    ]
    told = numbers | likeness.numbers() | {"left_out": dropped}
    replace_file(folder / "report.json", (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    replace_file(folder / "prompts.txt", "".join(f"{line}\n" for line in numbers["record_next"]).encode())
    page = folder / "report.html"
    rows = [_row(data, *pair) for pair in zip(data.held_out[:HEARD], spoken, strict=False)]
    replace_file(page, _page(data, numbers, likeness, rows, run, dropped).encode())
    return page


def _row(data: SpeakerData, entry: Entry, spoken: Spoken) -> list[str]:
    """A held-out sentence as recorded, by the clone and by the fine-tuned voice, to hear and to see."""
    natural = data.store.read(entry, "waveform").astype(np.float32) / np.float32(32768)
    players = {"recording": _player(natural, spoken.clone.sample_rate)}
    mels = {"recording": data.store.read(entry, "mel").astype(np.float32).T}
    for kind, speech in (("clone", spoken.clone), ("fine-tuned", spoken.fine_tuned)):
        players[kind], mels[kind] = speech._repr_html_(), speech.mel
    cells = "".join(f"<td>{html.escape(kind)}<br>{player}</td>" for kind, player in players.items())
    text = html.escape(spoken.text)
    return [f"<p>{text}</p><table><tr>{cells}</tr></table>", _picture(pictures.draw_mels(mels))]


def _page(
    data: SpeakerData,
    numbers: dict[str, Any],
    likeness: Likeness,
    rows: list[list[str]],
    run: Path,
    dropped: list[dict[str, str]],
) -> str:
    say = html.escape
    few = ", ".join(f"{phone} ({count})" for phone, count in numbers[f"phones_below_{ENOUGH}"].items()) or "none"
    parts = [
        f"<h1>{say(numbers['name'])}</h1>",
        f"<p>Fine-tuned ({numbers['depth']}, {numbers['adapter_numbers']:,} numbers, a file of "
        f"{numbers['file_bytes'] / 1000:.1f} kB) on {say(numbers['base'])} in {numbers['seconds']:.0f} s, from "
        f"{numbers['minutes_kept']:.1f} minutes of speech in {numbers['utterances_kept']} utterances, of which "
        f"{numbers['held_out']} were held out. Loss on these: {numbers['held_out_loss_before']:.3f} before, "
        f"{numbers['held_out_loss_after']:.3f} after.</p>",
        "<h2>Whether it helped</h2>",
        f"<p>By the model's own speaker encoder, {say(str(likeness))}.</p>",
        *([f"<p><strong>Warning: {say(likeness.warning)}.</strong></p>"] if likeness.warning else []),
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
    parts += [part for row in rows for part in row]
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
