"""Reading subtitles: the cues of SRT and WebVTT files."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path

from voxclone.errors import TextError
from voxclone.files import read_text
from voxclone.speech import Segment

_CLOCK = r"(?:(\d{1,3}):)?(\d{1,2}):(\d\d)[.,](\d{3})"
_TIMES = re.compile(rf"\s*{_CLOCK}[ \t]*-->[ \t]*{_CLOCK}(?:[ \t].*)?", re.ASCII)
_TAG = re.compile(r"<[^<>\n]{0,100}>|\{\\[^{}\n]{0,100}\}")  # <i>, <00:01.000>, and SubStation's {\an8}


def read_cues(path: str | os.PathLike[str]) -> list[Segment]:
    """Every cue of an SRT or WebVTT file as it stands there: its text without tags, line breaks kept, and its times.

    Raises:
        TextError: The file cannot be read.
    """
    cues = []
    for block in re.split(r"\n[ \t]*\n", read_text(Path(path), TextError)):
        lines = block.strip("\n").split("\n")
        for at, line in enumerate(lines[:2]):  # the first may be the cue's number or name
            if (found := _TIMES.fullmatch(line)) is not None:
                start, end = (_seconds(*found.groups("0")[i : i + 4]) for i in (0, 4))
                cues.append(Segment(html.unescape(_TAG.sub("", "\n".join(lines[at + 1 :]))), start, end))
                break
    return cues


def read_subtitles(path: str | os.PathLike[str]) -> list[Segment]:
    """The cues of an .srt or .vtt file that say something, each in one line: what can be spoken at its time.

    A cue of nothing but marks, such as "..." or "♪", is silence.

    Raises:
        TextError: The file cannot be read, has no such cue, or one ends before it begins.
    """
    cues = []
    for cue in read_cues(path):
        if cue.end_seconds <= cue.start_seconds:
            raise TextError(f"{path}: the cue at {cue.start_seconds:.3f} s, {cue.text[:40]!r}, ends before it begins")
        text = " ".join(cue.text.split())
        if any(map(str.isalnum, text)):
            cues.append(Segment(text, cue.start_seconds, cue.end_seconds))
    if not cues:
        raise TextError(f"{path} has no subtitles: a cue is needed, such as '00:00:01,000 --> 00:00:02,500' and a text")
    return cues


def _seconds(hours: str, minutes: str, seconds: str, milliseconds: str) -> float:
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds) + int(milliseconds) / 1000
