"""Reading subtitles: the cues of SRT and WebVTT files."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path

from voxclone.errors import TextError
from voxclone.files import read_text
from voxclone.speech import Segment

_CLOCK = r"(?:(\d{1,3}):)?(\d\d):(\d\d)[.,](\d{3})"
_TIMES = re.compile(rf"\s*{_CLOCK}[ \t]+-->[ \t]+{_CLOCK}(?:[ \t].*)?", re.ASCII)
_TAG = re.compile(r"<[^<>\n]{0,100}>|\{\\[^{}\n]{0,100}\}")  # <i>, <00:01.000>, and SubStation's {\an8}


def read_subtitles(path: str | os.PathLike[str]) -> list[Segment]:
    """The cues of an .srt or .vtt file that say something: text without tags, in one line, and times.

    A cue of nothing but marks, such as "..." or "♪", is silence.

    Raises:
        TextError: The file cannot be read, has no cue, or a cue ends before it begins.
    """
    content = read_text(Path(path), TextError)
    cues = []
    for block in re.split(r"\n[ \t]*\n", content.replace("\r\n", "\n")):
        lines = block.strip("\n").split("\n")
        at = next((index for index, line in enumerate(lines[:2]) if _TIMES.fullmatch(line)), None)
        if at is None:
            continue
        found = _TIMES.fullmatch(lines[at])
        assert found is not None
        start, end = (_seconds(*found.groups("0")[i : i + 4]) for i in (0, 4))
        if end <= start:
            raise TextError(f"{path}: the cue at {lines[at].strip()!r} ends before it begins")
        text = " ".join(html.unescape(_TAG.sub("", " ".join(lines[at + 1 :]))).split())
        if any(map(str.isalnum, text)):
            cues.append(Segment(text, start, end))
    if not cues:
        raise TextError(f"{path} has no subtitles: a cue is needed, such as '00:00:01,000 --> 00:00:02,500' and a text")
    return cues


def _seconds(hours: str, minutes: str, seconds: str, milliseconds: str) -> float:
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds) + int(milliseconds) / 1000
