"""When everything is said, as other programs read it: SRT, WebVTT, Praat's TextGrid, JSON."""

from __future__ import annotations

import html
import json
import os
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxclone.errors import TextError
from voxclone.files import replace_file, require_place

if TYPE_CHECKING:
    from voxclone.speech import Segment, Speech

LINE_CHARS = 42  # of a subtitle, which has two lines
CUE_SECONDS = 7.0
_SENTENCE_ENDS = (".", "?", "!")
_FIELD = 12 * " "


def captions(speech: Speech) -> list[Segment]:
    """Subtitles: what is said in pieces of at most two lines and `CUE_SECONDS`, none across the end of a sentence.

    A sentence has as few of them as can be, of like length, so that no word is left over.
    """
    from voxclone.speech import Segment

    sentences: list[list[Segment]] = [[]]
    sentence_ends = {phoneme.start_seconds for phoneme in speech.phonemes if phoneme.text in _SENTENCE_ENDS}
    for segment in speech.written or speech.words:
        sentences[-1].append(segment)
        if segment.end_seconds in sentence_ends:
            sentences.append([])
    return [
        Segment(_text(cue), cue[0].start_seconds, max(cue[-1].end_seconds, cue[0].end_seconds))
        for sentence in sentences
        for cue in _even_cues(sentence)
    ]


def _even_cues(sentence: Sequence[Segment]) -> list[list[Segment]]:
    """A sentence in as few cues as can be, the longest of them as short as can be."""
    cues = _cues(sentence, 2 * LINE_CHARS)
    low, high = len(_text(sentence)) // max(1, len(cues)), 2 * LINE_CHARS
    while low < high:
        middle = (low + high) // 2
        if len(tried := _cues(sentence, middle)) <= len(cues):
            cues, high = tried, middle
        else:
            low = middle + 1
    return cues


def _cues(sentence: Sequence[Segment], longest: int) -> list[list[Segment]]:
    """A sentence in cues that take in what they can, up to so many characters."""
    cues: list[list[Segment]] = []
    for segment in sentence:
        if cues and _fits([*cues[-1], segment], longest):
            cues[-1].append(segment)
        else:
            cues.append([segment])
    return cues


def _fits(cue: Sequence[Segment], longest: int) -> bool:
    text = _text(cue)
    if len(text) > longest or cue[-1].end_seconds - cue[0].start_seconds > CUE_SECONDS:
        return False
    return len(textwrap.wrap(text, LINE_CHARS)) <= 2


def _text(segments: Sequence[Segment]) -> str:
    return " ".join(each.text for each in segments)


def to_srt(speech: Speech) -> str:
    """SubRip subtitles."""
    cues = (
        f"{number}\n{_clock(cue.start_seconds, ',')} --> {_clock(cue.end_seconds, ',')}\n{_lines(cue.text)}\n"
        for number, cue in enumerate(captions(speech), start=1)
    )
    return "\n".join(cues)


def to_vtt(speech: Speech) -> str:
    """WebVTT subtitles (https://www.w3.org/TR/webvtt1/)."""
    cues = (
        f"{_clock(cue.start_seconds, '.')} --> {_clock(cue.end_seconds, '.')}\n"
        f"{html.escape(_lines(cue.text), quote=False)}\n"
        for cue in captions(speech)
    )
    return "\n".join(["WEBVTT\n", *cues])


def to_textgrid(speech: Speech) -> str:
    """Praat's long text format: interval tiers of words and phonemes, a point tier of marks where there are any."""
    end = speech.duration_seconds
    tiers = [_interval_tier("words", speech.words, end), _interval_tier("phonemes", speech.phonemes, end)]
    if speech.marks:
        points = "".join(
            f"        points [{number}]:\n{_FIELD}number = {mark.start_seconds}\n{_FIELD}mark = {_quoted(mark.text)}\n"
            for number, mark in enumerate(speech.marks, start=1)
        )
        tiers.append(_tier("TextTier", "marks", end, f"points: size = {len(speech.marks)}", points))
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = {end}\ntiers? <exists>\n'
    numbered = "".join(f"    item [{number}]:\n{tier}" for number, tier in enumerate(tiers, start=1))
    return f"{head}size = {len(tiers)}\nitem []:\n{numbered}"


def _interval_tier(name: str, segments: Sequence[Segment], end: float) -> str:
    """A tier that covers all the time, with empty intervals where nothing is."""
    intervals: list[tuple[float, float, str]] = []
    done = 0.0
    for segment in segments:
        if segment.start_seconds > done:
            intervals.append((done, segment.start_seconds, ""))
        intervals.append((segment.start_seconds, segment.end_seconds, segment.text))
        done = segment.end_seconds
    if done < end:
        intervals.append((done, end, ""))
    body = "".join(
        f"        intervals [{number}]:\n{_FIELD}xmin = {start}\n{_FIELD}xmax = {stop}\n"
        f"{_FIELD}text = {_quoted(text)}\n"
        for number, (start, stop, text) in enumerate(intervals, start=1)
    )
    return _tier("IntervalTier", name, end, f"intervals: size = {len(intervals)}", body)


def _tier(kind: str, name: str, end: float, size: str, body: str) -> str:
    head = f'        class = "{kind}"\n        name = "{name}"\n        xmin = 0\n        xmax = {end}\n'
    return f"{head}        {size}\n{body}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def to_json(speech: Speech) -> str:
    """Words with their phonemes, pieces as written, and marks; times in seconds."""

    def times(segment: Segment) -> dict[str, Any]:
        return {"text": segment.text, "start_seconds": segment.start_seconds, "end_seconds": segment.end_seconds}

    content = {
        "sample_rate": speech.sample_rate,
        "duration_seconds": speech.duration_seconds,
        **{name: list(map(times, getattr(speech, name))) for name in ("words", "phonemes", "written")},
        "marks": [{"name": mark.text, "seconds": mark.start_seconds} for mark in speech.marks],
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


WRITERS: dict[str, Callable[[Speech], str]] = {
    ".srt": to_srt,
    ".vtt": to_vtt,
    ".textgrid": to_textgrid,
    ".json": to_json,
}


def require_times_place(path: Path) -> None:
    """Check that times can be written to a path, before the speech is made.

    Raises:
        TextError: The suffix names no format, the folder is missing or not writable, or the path a folder.
    """
    require_place(path, TextError)
    if path.suffix.lower() not in WRITERS:
        raise TextError(f"{path}: times can be written as {', '.join(WRITERS)}; unknown suffix {path.suffix!r}")


def export(speech: Speech, path: str | os.PathLike[str]) -> None:
    """Write the times to a file in the format that the suffix names.

    Raises:
        TextError: As for `require_times_place`.
    """
    target = Path(path)
    require_times_place(target)
    replace_file(target, WRITERS[target.suffix.lower()](speech).encode())


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _lines(text: str) -> str:
    """At most two lines, as even as they can be."""
    if len(text) <= LINE_CHARS:
        return text
    width = next((w for w in range(len(text) // 2, LINE_CHARS) if len(textwrap.wrap(text, w)) <= 2), LINE_CHARS)
    return "\n".join(textwrap.wrap(text, width))
