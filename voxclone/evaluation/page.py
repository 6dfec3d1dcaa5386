"""The report as one HTML page beside its audio: means with intervals, and every utterance to hear and to see."""

from __future__ import annotations

import difflib
import importlib.resources
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from voxclone.audio.io import read_audio
from voxclone.evaluation.picture import spectrogram_png
from voxclone.evaluation.report import Mean, Report, Utterance, span_of, three_digits
from voxclone.evaluation.words import comparable

PICTURE_FOLDER = "pictures"


def write_page(report: Report, folder: Path, references: Mapping[str, str]) -> None:
    """Write report.html and its pictures.

    Args:
        report: Its utterances' audio lies in `folder`.
        folder: The report's folder.
        references: Utterance name → its reference's file, relative to the folder; "" where there is none.
    """
    by_name: dict[str, list[Utterance]] = {}
    for utterance in report.utterances:
        by_name.setdefault(utterance.name, []).append(utterance)
    title = f"{report.about['evaluated']}: {report.about['utterances']} utterances, {report.about['speakers']} speakers"
    body = "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            _about(report),
            _summary(report.summary),
            *(_item(utterances, folder, references.get(name, "")) for name, utterances in by_name.items()),
        ]
    )
    page = _asset("page.html").replace("{title}", escape(title)).replace("{style}", _asset("page.css"))
    page = page.replace("{script}", _asset("page.js")).replace("{body}", body)
    (folder / "report.html").write_text(page, encoding="utf-8")


def _asset(name: str) -> str:
    return importlib.resources.files("voxclone.evaluation").joinpath("assets", name).read_text(encoding="utf-8")


def _about(report: Report) -> str:
    facts = " · ".join(f"{key.replace('_', ' ')} {value}" for key, value in report.about.items() if value is not None)
    return f'<p class="about">{escape(facts)}</p>'


def _summary(summary: Mapping[str, Sequence[Mean]]) -> str:
    systems = list(summary)
    head = "".join(f"<th>{escape(system)}</th>" for system in systems)
    rows = []
    for row in zip(*summary.values(), strict=True):
        cells = "".join(f"<td>{_mean(mean)}</td>" for mean in row)
        rows.append(f"<tr><th>{escape(row[0].metric)}</th><td>{escape(row[0].judge)}</td>{cells}</tr>")
    return (
        f'<table class="summary"><thead><tr><th>mean</th><th>by</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
        '<p class="about">In brackets 95 % bootstrap intervals over speakers.</p>'
    )


def _mean(mean: Mean) -> str:
    if mean.interval is None:
        return f'<span class="absent">absent: {escape(mean.absent or "")}</span>'
    span = f"{span_of(mean.interval)} n={mean.interval.utterances}"
    return f'{three_digits(mean.interval.value)} <span class="interval">{span}</span>'


def _item(utterances: Sequence[Utterance], folder: Path, reference: str) -> str:
    first = utterances[0]
    heading = f"<h2>{escape(first.name)} <small>{escape(first.speaker)}</small></h2>"
    player = f'<p class="reference">reference {_player(reference)}</p>' if reference else ""
    shown = "".join(_utterance(utterance, folder) for utterance in utterances)
    return f'<section>{heading}<p class="text">{escape(first.text)}</p>{player}{shown}</section>'


def _utterance(utterance: Utterance, folder: Path) -> str:
    if utterance.audio is None:
        return f'<p class="failure">{escape(utterance.system)}: {escape(utterance.failure or "")}</p>'
    samples, rate = read_audio(folder / utterance.audio)
    picture = f"{PICTURE_FOLDER}/{Path(utterance.audio).with_suffix('.png').as_posix()}"
    (folder / picture).parent.mkdir(parents=True, exist_ok=True)
    (folder / picture).write_bytes(spectrogram_png(samples, rate))
    seconds = len(samples) / rate
    alignment = _spans(utterance.words, "words", seconds) + _spans(utterance.phonemes, "phonemes", seconds)
    return (
        f'<div class="utterance"><div class="row"><span class="system">{escape(utterance.system)}</span>'
        f'{_player(utterance.audio)}<span class="numbers">{escape(_numbers(utterance))}</span></div>'
        f"{_heard(utterance)}"
        f'<div class="picture" data-seconds="{seconds:.3f}"><img loading="lazy" src="{escape(picture)}" '
        f'alt="mel spectrogram of {escape(utterance.name)}">{alignment}<i class="cursor"></i></div></div>'
    )


def _player(source: str) -> str:
    return f'<audio controls preload="metadata" src="{escape(source)}"></audio>'


def _spans(segments: Sequence[tuple[str, float, float]], kind: str, seconds: float) -> str:
    """One box for each word or phoneme, at its share of the picture's width."""
    if not segments:
        return ""
    boxes = "".join(
        f'<span style="left:{100 * start / seconds:.3f}%;width:{100 * (end - start) / seconds:.3f}%">'
        f"{escape(text)}</span>"
        for text, start, end in segments
    )
    return f'<div class="{kind}">{boxes}</div>'


def _numbers(utterance: Utterance) -> str:
    shown: list[str] = []
    if utterance.word_errors is not None:
        shown.append(f"{utterance.word_errors} of {utterance.words_said} words wrong")
    if utterance.similarity is not None:
        shown.append(f"similarity {utterance.similarity:.2f}")
    shown += [f"{name} {score:.2f}" for name, score in utterance.naturalness.items()]
    if utterance.f0_median is not None:
        shown.append(f"f0 {utterance.f0_median:.0f} Hz ± {utterance.f0_spread:.1f} st")
    shown.append(f"{utterance.words_per_second:.1f} words/s")
    if utterance.synthesis_seconds is not None and utterance.seconds:
        shown.append(f"real-time factor {utterance.synthesis_seconds / utterance.seconds:.3f}")
    return " · ".join(shown)


def _heard(utterance: Utterance) -> str:
    """The transcript, with what was misheard struck through and what was heard instead underlined."""
    if utterance.heard is None:
        return ""
    said, heard = comparable(utterance.text).split(), utterance.heard.split()
    parts: list[str] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, said, heard, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(escape(" ".join(said[a:b])))
            continue
        if b > a:
            parts.append(f"<del>{escape(' '.join(said[a:b]))}</del>")
        if d > c:
            parts.append(f"<ins>{escape(' '.join(heard[c:d]))}</ins>")
    return f'<p class="heard">heard: {" ".join(parts)}</p>'
