"""Times as other programs read them, and the picture."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from voxclone import ConfigError, Segment, Speech, TextError, VoxClone
from voxclone.timestamps import CUE_SECONDS, LINE_CHARS, captions, to_srt, to_textgrid, to_vtt

TEXT = (
    'Dr. Lee said: "I\'ll go & pay $3.50." ' + "Then she went on and on about it, without an end in sight, " * 3 + "no."
)


@pytest.fixture(scope="module")
def speech(tiny_model: VoxClone) -> Speech:
    return tiny_model.generate(TEXT + ' <b [pause 500ms] "quoted".', tiny_model.voices["ada"], markup="inline")


def seconds(clock: str) -> float:
    hours, minutes, rest = re.split(":", clock.replace(",", "."))
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def test_captions_hold_the_text_as_written_within_limits(speech: Speech) -> None:
    cues = captions(speech)
    assert " ".join(cue.text for cue in cues) == " ".join(TEXT.split()) + ' <b "quoted".'
    assert cues[0].text == 'Dr. Lee said: "I\'ll go & pay $3.50."'
    for before, after in itertools.pairwise(cues):
        assert before.start_seconds < before.end_seconds <= after.start_seconds
    for cue in cues:
        assert len(cue.text) <= 2 * LINE_CHARS
        assert cue.end_seconds - cue.start_seconds <= CUE_SECONDS


def test_no_word_is_left_over(speech: Speech) -> None:
    """A sentence that is a little too long for one cue is two of like length, not one and a word."""
    words = [Segment("seven77", 0.25 * n, 0.25 * n + 0.2) for n in range(11)]
    said = dataclasses.replace(speech, words=tuple(words), phonemes=(), written=(), marks=())
    assert [len(cue.text.split()) for cue in captions(said)] == [6, 5]
    fast = [Segment("seven77", n, n + 0.9) for n in range(15)]
    assert [len(cue.text.split()) for cue in captions(dataclasses.replace(said, words=tuple(fast)))] == [5, 5, 5]


def test_srt(speech: Speech) -> None:
    blocks = to_srt(speech).rstrip("\n").split("\n\n")
    assert [int(block.split("\n")[0]) for block in blocks] == list(range(1, len(blocks) + 1))
    for block, cue in zip(blocks, captions(speech), strict=True):
        _, times, *lines = block.split("\n")
        found = re.fullmatch(r"(\d\d:\d\d:\d\d,\d{3}) --> (\d\d:\d\d:\d\d,\d{3})", times)
        assert found
        assert seconds(found[1]) == pytest.approx(cue.start_seconds, abs=6e-4)
        assert seconds(found[2]) == pytest.approx(cue.end_seconds, abs=6e-4)
        assert " ".join(lines) == cue.text
        assert 1 <= len(lines) <= 2
        assert max(map(len, lines)) <= LINE_CHARS


def test_vtt(speech: Speech) -> None:
    head, *blocks = to_vtt(speech).rstrip("\n").split("\n\n")
    assert head == "WEBVTT"
    assert len(blocks) == len(captions(speech))
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}\n", block) for block in blocks)
    assert "go &amp; pay" in blocks[0]
    assert "&lt;b" in blocks[-1]


def test_long_times(speech: Speech) -> None:
    late = dataclasses.replace(speech, words=(Segment("late", 3725.0004, 3726.9996),), written=())
    assert "01:02:05,000 --> 01:02:07,000" in to_srt(late)


def test_textgrid_covers_all_the_time(speech: Speech) -> None:
    grid = to_textgrid(dataclasses.replace(speech, words=(*speech.words[:-1], Segment('a "b"', 1e4, 1e4 + 1))))
    assert grid.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n')
    assert 'text = "a ""b"""' in grid
    grid = to_textgrid(speech)
    for name in ("words", "phonemes"):
        tier = grid[grid.index(f'name = "{name}"') :].split("    item [")[0]
        count = int(re.search(r"intervals: size = (\d+)", tier)[1])  # type: ignore[index]
        found = re.findall(r"xmin = ([\d.e-]+)\n\s+xmax = ([\d.e-]+)\n\s+text = \"(.*)\"", tier)
        assert len(found) == count
        assert float(found[0][0]) == 0.0
        assert float(found[-1][1]) == speech.duration_seconds
        for before, after in itertools.pairwise(found):
            assert before[1] == after[0]
        texts = [text for _, _, text in found if text]
        assert texts == [segment.text for segment in getattr(speech, name)]
    marked = to_textgrid(dataclasses.replace(speech, marks=(Segment("here", 0.5, 0.5),)))
    assert 'class = "TextTier"' in marked
    assert 'number = 0.5\n            mark = "here"' in marked


def test_json_and_files(speech: Speech, tmp_path: Path) -> None:
    for name in ("a.srt", "a.vtt", "a.TextGrid", "a.json"):
        speech.export(tmp_path / name)
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["duration_seconds"] == speech.duration_seconds
    assert [word["text"] for word in content["words"]] == [word.text for word in speech.words]
    assert [each["start_seconds"] for each in content["phonemes"]] == [each.start_seconds for each in speech.phonemes]
    assert (tmp_path / "a.srt").read_text() == to_srt(speech)
    assert len(list(tmp_path.iterdir())) == 4
    with pytest.raises(TextError, match=r"\.srt, \.vtt, \.textgrid, \.json"):
        speech.export(tmp_path / "a.ass")


def test_a_picture(speech: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    figure = speech.plot()
    figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    top, bottom, pitch = figure.axes
    assert {text.get_text() for text in top.texts} == {word.text for word in speech.words}
    np.testing.assert_array_equal(bottom.images[0].get_array(), speech.mel)
    assert bottom.get_xlim() == (0, speech.duration_seconds)
    assert speech.f0 is not None
    np.testing.assert_array_equal(pitch.lines[0].get_ydata(), np.where(speech.f0 > 0, speech.f0, np.nan))
    assert dataclasses.replace(speech, f0=None).plot().axes
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"voxclone\[plot\]"):
        speech.plot()
