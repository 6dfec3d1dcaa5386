"""Subtitles (SRT, WebVTT) as clips: cues joined to sentences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from voxclone.errors import VoxcloneError
from voxclone.finetuning.clips import Clip

SUBTITLE_SUFFIXES = (".srt", ".vtt")
MAX_CLIP_SECONDS = 12.0
MAX_GAP_SECONDS = 0.6  # between cues of one clip
MARGIN_SECONDS = 0.1  # kept around a clip; subtitles are set by hand

_TIMES = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{3})\s*-->\s*(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{3})")
_MARKUP = re.compile(r"<[^>]*>|\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|^\s*[-–—]\s*|[♪♫#]", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*$")


class Cue(NamedTuple):
    """One subtitle: times in seconds, and its text without markup."""

    start: float
    end: float
    text: str


def subtitle_clips(path: Path, audio: Path, key: str) -> list[Clip]:
    """The clips of `audio` that a subtitle file tells.

    Cues are joined until a sentence ends, a gap comes, or 12 s are full. What stands in brackets was not said.

    Raises:
        VoxcloneError: The file has no cue with words.
    """
    cues = parse_cues(path.read_text(encoding="utf-8-sig", errors="replace"))
    if not cues:
        raise VoxcloneError(f"{path} has no subtitle with words: needed is SRT or WebVTT")
    groups: list[list[Cue]] = []
    for cue in cues:
        if groups and _continues(groups[-1], cue):
            groups[-1].append(cue)
        else:
            groups.append([cue])
    clips = []
    for index, group in enumerate(groups):
        before = groups[index - 1][-1].end if index else 0.0
        after = groups[index + 1][0].start if index + 1 < len(groups) else float("inf")
        start = max(group[0].start - MARGIN_SECONDS, min(before, group[0].start), 0.0)
        end = min(group[-1].end + MARGIN_SECONDS, max(after, group[-1].end))
        clips.append(Clip(f"{key}#{index + 1}", audio, " ".join(cue.text for cue in group), start, end))
    return clips


def _continues(group: list[Cue], cue: Cue) -> bool:
    near = cue.start - group[-1].end <= MAX_GAP_SECONDS and cue.end - group[0].start <= MAX_CLIP_SECONDS
    return near and not _SENTENCE_END.search(group[-1].text)


def parse_cues(text: str) -> list[Cue]:
    """The cues of an SRT or WebVTT file that have words, in order of time."""
    cues = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        times = _TIMES.search(block)
        if times is None:
            continue
        words = " ".join(_MARKUP.sub(" ", block[times.end() :].partition("\n")[2]).split())
        if any(character.isalnum() for character in words):
            cues.append(Cue(_seconds(*times.groups()[:4]), _seconds(*times.groups()[4:]), words))
    return sorted(cues)


def _seconds(hours: str | None, minutes: str, seconds: str, milliseconds: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(milliseconds) / 1000
