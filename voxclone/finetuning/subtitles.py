"""Subtitles (SRT, WebVTT) as clips: cues joined to sentences."""

from __future__ import annotations

import re
from pathlib import Path

from voxclone.errors import VoxcloneError
from voxclone.finetuning.clips import Clip
from voxclone.speech import Segment
from voxclone.subtitles import read_cues

SUBTITLE_SUFFIXES = (".srt", ".vtt")
MAX_CLIP_SECONDS = 12.0
MAX_GAP_SECONDS = 0.6  # between cues of one clip
MARGIN_SECONDS = 0.1  # kept around a clip; subtitles are set by hand

# Sounds and speakers' names in brackets, the dash before another speaker's line, signs of music
_NOT_SAID = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|^\s*[-–—]\s*|[♪♫#]", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*$")


def subtitle_clips(path: Path, audio: Path, key: str) -> list[Clip]:
    """The clips of `audio` that a subtitle file tells.

    Cues are joined until a sentence ends, a gap comes, or 12 s are full. What stands in brackets was not said.

    Raises:
        VoxcloneError: The file cannot be read, or has no cue with words.
    """
    cues = said_cues(path)
    if not cues:
        raise VoxcloneError(f"{path} has no subtitle with words: needed is SRT or WebVTT")
    groups: list[list[Segment]] = []
    for cue in cues:
        if groups and _continues(groups[-1], cue):
            groups[-1].append(cue)
        else:
            groups.append([cue])
    clips = []
    for index, group in enumerate(groups):
        first, last = group[0].start_seconds, group[-1].end_seconds
        before = groups[index - 1][-1].end_seconds if index else 0.0
        after = groups[index + 1][0].start_seconds if index + 1 < len(groups) else float("inf")
        start = max(first - MARGIN_SECONDS, min(before, first), 0.0)
        end = min(last + MARGIN_SECONDS, max(after, last))
        clips.append(Clip(f"{key}#{index + 1}", audio, " ".join(cue.text for cue in group), start, end))
    return clips


def said_cues(path: Path) -> list[Segment]:
    """What is said by the cues of a subtitle file that have words, in order of time.

    Raises:
        TextError: The file cannot be read.
    """
    cues = []
    for cue in read_cues(path):
        words = " ".join(_NOT_SAID.sub(" ", cue.text).split())
        if any(map(str.isalnum, words)):
            cues.append(Segment(words, cue.start_seconds, cue.end_seconds))
    return sorted(cues, key=lambda cue: cue.start_seconds)


def _continues(group: list[Segment], cue: Segment) -> bool:
    near = cue.start_seconds - group[-1].end_seconds <= MAX_GAP_SECONDS
    short = cue.end_seconds - group[0].start_seconds <= MAX_CLIP_SECONDS
    return near and short and not _SENTENCE_END.search(group[-1].text)
