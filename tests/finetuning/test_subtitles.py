"""Subtitles become clips that hold whole sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxclone import VoxcloneError
from voxclone.finetuning.subtitles import parse_cues, subtitle_clips

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>The boat sailed</i>

2
00:00:02,600 --> 00:00:04,000
past the old house.

3
00:00:04,100 --> 00:00:05,000
- Nobody spoke
[door slams]

4
00:00:09,000 --> 00:00:10,000
a word.

5
00:00:11,000 --> 00:00:12,000
♪ (music) ♪
"""

VTT = """WEBVTT

NOTE made by hand

intro
00:01.000 --> 00:02.500 align:start
Hello {b}there.

01:00:00.000 --> 01:00:01.250
An hour on.
"""


def test_cues_are_joined_to_sentences(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(SRT, encoding="utf-8-sig")
    clips = subtitle_clips(tmp_path / "a.srt", tmp_path / "a.wav", "a.wav")
    assert [(clip.key, clip.text) for clip in clips] == [
        ("a.wav#1", "The boat sailed past the old house."),
        ("a.wav#2", "Nobody spoke"),
        ("a.wav#3", "a word."),
    ]
    assert [(clip.start_seconds, clip.end_seconds) for clip in clips] == [(0.9, 4.1), (4.0, 5.1), (8.9, 10.1)]


def test_webvtt() -> None:
    assert parse_cues(VTT) == [(1.0, 2.5, "Hello there."), (3600.0, 3601.25, "An hour on.")]


def test_a_clip_is_at_most_twelve_seconds(tmp_path: Path) -> None:
    cues = "\n\n".join(f"00:00:{at:02d}.000 --> 00:00:{at + 5:02d}.000\nand so on" for at in range(0, 50, 5))
    (tmp_path / "a.vtt").write_text(f"WEBVTT\n\n{cues}\n")
    clips = subtitle_clips(tmp_path / "a.vtt", tmp_path / "a.wav", "a")
    assert len(clips) == 5
    assert all((clip.end_seconds or 0) - clip.start_seconds <= 12.3 for clip in clips)


def test_no_words_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n[music]\n")
    with pytest.raises(VoxcloneError, match="no subtitle with words"):
        subtitle_clips(tmp_path / "a.srt", tmp_path / "a.wav", "a")
