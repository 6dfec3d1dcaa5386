"""Subtitles become clips that hold whole sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxclone import Segment, VoxcloneError
from voxclone.finetuning.subtitles import said_cues, subtitle_clips

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


def test_webvtt(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text(VTT)
    assert said_cues(tmp_path / "a.vtt") == [Segment("Hello there.", 1.0, 2.5), Segment("An hour on.", 3600.0, 3601.25)]


def test_forms_of_other_programs_are_read_and_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    first = "1\r0:0:01,000-->0:0:02.500\rH<i>el</i>lo &amp; welcome.\r- And\r"
    path.write_bytes(f"{first}\r2\r0:0:00,100 --> 0:0:00,900\rFirst\r".encode())
    assert said_cues(path) == [Segment("First", 0.1, 0.9), Segment("Hello & welcome. And", 1.0, 2.5)]
    path.write_bytes("1\n00:00:01,000 --> 00:00:02,000\nd\u00e9j\u00e0 vu\n".encode("latin-1"))
    with pytest.raises(VoxcloneError, match=r"a\.srt cannot be read: line 3 is not UTF-8; save the file as UTF-8"):
        subtitle_clips(path, tmp_path / "a.wav", "a")


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
