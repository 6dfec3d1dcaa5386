"""Subtitles are spoken at their times; lexicons of files, calls and models; prosody of a recording."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from voxclone import ConfigError, Segment, TextError, Voice, VoiceError, VoxClone
from voxclone.subtitles import read_subtitles
from voxclone.synthesis.alignment import Alignment
from voxclone.synthesis.transfer import _chunked, _paused
from voxclone.text.phonemes import Phonemes

FRAME = 256 / 22050
SRT = """\ufeff1
00:00:01,500 --> 00:00:03,000 X1:1
<i>Hello</i>
there.

2
00:00:03,000 --> 00:00:04,250
{\\an8}How are you &amp; yours?
"""


@pytest.fixture(scope="module")
def ada(tiny_model: VoxClone) -> Voice:
    return tiny_model.voices["ada"]


def test_cues_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(SRT.replace("\n", "\r\n"), encoding="utf-8")
    cues = [Segment("Hello there.", 1.5, 3.0), Segment("How are you & yours?", 3.0, 4.25)]
    assert read_subtitles(tmp_path / "a.srt") == cues
    (tmp_path / "a.vtt").write_text(
        "WEBVTT\n\nNOTE x\n\nid\n00:01.500 --> 00:03.000 align:start\nHello <c>there</c>.\n"
    )
    assert read_subtitles(tmp_path / "a.vtt") == cues[:1]
    silent = "\n3\n00:00:05,000 --> 00:00:06,000\n...\n\n4\n00:00:07,000 --> 00:00:08,000\n<i>♪</i>\n"
    (tmp_path / "b.srt").write_text(SRT + silent, encoding="utf-8")
    assert read_subtitles(tmp_path / "b.srt") == cues


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no subtitles"),
        ("1\n00:00:02,000 --> 00:00:01,000\nx\n", "ends before it begins"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_subtitles(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "a.srt").write_text(content)
    with pytest.raises(TextError, match=message):
        read_subtitles(tmp_path / "a.srt")


def test_each_cue_is_spoken_within_its_time(tiny_model: VoxClone, ada: Voice, tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(SRT, encoding="utf-8")
    speech = tiny_model.dub(tmp_path / "a.srt", ada, slowest=4.0)
    hello, how = speech.words[0], speech.words[2]
    assert 1.5 - FRAME <= hello.start_seconds < 1.8
    assert 3.0 - FRAME <= how.start_seconds < 3.3
    assert speech.duration_seconds == pytest.approx(4.25, abs=FRAME)
    short = tiny_model.dub([Segment("Hello.", 0.0, 30.0), Segment("You.", 40.0, 41.0)], ada)
    assert short.words[1].start_seconds == pytest.approx(40.0, abs=0.3)
    natural = tiny_model.generate("Hello.", ada).duration_seconds
    silence = short.samples[round(1.5 * natural * 22050) : 39 * 22050]
    assert not silence.any()  # stretched by a quarter at most


def test_a_seed_and_other_voices(tiny_model: VoxClone, ada: Voice) -> None:
    cues = [Segment("Hello there.", 0.0, 4.0), Segment('<speak><voice name="eve">And you.</voice></speak>', 5.0, 9.0)]
    with pytest.raises(VoiceError, match="asks for the voice 'eve'"):
        tiny_model.dub(cues, ada)
    plain = tiny_model.dub(cues, ada, voices={"eve": ada})
    assert np.array_equal(plain.samples, tiny_model.dub(cues, ada, voices={"eve": ada}).samples)
    varied = [tiny_model.dub(cues, ada, voices={"eve": ada}, seed=seed).samples for seed in (1, 1, 2)]
    assert np.array_equal(varied[0], varied[1])
    assert not np.array_equal(varied[0], varied[2])
    assert not np.array_equal(varied[0], plain.samples)
    bob = tiny_model.dub(cues, ada, voices={"eve": tiny_model.voices["bob"]})
    assert not np.array_equal(bob.samples[5 * 22050 :], plain.samples[5 * 22050 :])


def test_cues_that_cannot_be_spoken(tiny_model: VoxClone, ada: Voice) -> None:
    with pytest.raises(ConfigError, match=r"the subtitle at 1\.000 to 1\.050 s, 'Far too many words': 0\.0[45] s is"):
        tiny_model.dub([Segment("Far too many words", 1.0, 1.05)], ada)
    with pytest.raises(ConfigError, match=r"'b', must begin at or after 2\.000 s"):
        tiny_model.dub([Segment("a", 0.0, 2.0), Segment("b", 1.0, 3.0)], ada)
    with pytest.raises(TextError, match=r"the subtitle at 2\.000 to 3\.000 s, '日': .*日"):
        tiny_model.dub([Segment("a", 0.0, 2.0), Segment("日", 2.0, 3.0)], ada)
    with pytest.raises(ConfigError, match="no subtitle"):
        tiny_model.dub([], ada)
    with pytest.raises(ConfigError, match="slowest"):
        tiny_model.dub([Segment("a", 0.0, 2.0)], ada, slowest=0.5)


def test_a_lexicon_of_the_model_and_of_the_call(tiny_folder: Path, tmp_path: Path, ada: Voice) -> None:
    (tmp_path / "own.json").write_text(json.dumps({"hello": "bi", "you": "bu"}))
    (tmp_path / "call.tsv").write_text("Hello\tba\n")
    model = VoxClone.from_pretrained(tiny_folder, device="cpu", lexicon=tmp_path / "own.json")
    assert dict(model.lexicon) == {"hello": "bi", "you": "bu"}

    def sounds(**options: object) -> str:
        return "".join(p.text for p in model.generate("Hello you", ada, **options).phonemes[1:-1])  # type: ignore[arg-type]

    assert sounds() == "bi buː"
    assert sounds(lexicon=tmp_path / "call.tsv") == "bæ buː"
    assert sounds(lexicon={"you": "ba"}) == "bi bæ"
    with pytest.raises(TextError, match="'New York' is not one word"):
        model.generate("New York", ada, lexicon={"New York": "ba"})


def test_prosody_of_a_recording_is_spoken_by_another_voice(tiny_model: VoxClone, ada: Voice) -> None:
    text = "Hello there, how are you? " * 9 + "Well."
    recording = tiny_model.generate(text, ada, seed=3)
    measured = tiny_model.measure_prosody((recording.samples, recording.sample_rate), text)
    measured.check()
    assert abs(measured.duration_seconds - recording.duration_seconds) <= 6 * FRAME
    bob = tiny_model.voices["bob"]
    spoken = tiny_model.generate(text, bob, prosody=measured.in_register(bob.f0_median), markup="plain")
    assert spoken.prosody is not None
    assert np.array_equal(spoken.prosody.durations, measured.durations)
    assert spoken.prosody.median_f0 == pytest.approx(bob.f0_median, rel=1e-3)


def test_a_recordings_pauses_are_commas() -> None:
    symbols = ("^", "b", " ", "d", " ", "t", ",", "s", "$")
    durations = np.array([3, 20, 15, 20, 15, 20, 12, 20, 3])
    level = np.repeat([-9.0, 0, -9, 0, 0, 0, -9, 0, -9], durations)  # sound goes on over the second space
    mel = np.tile(level.astype(np.float32), (80, 1))
    alignment = Alignment((), (), symbols, durations, mel, 0.0, 0.0)
    chunks = [Phonemes(("^", "b", " ", "d", "$"), ()), Phonemes(("^", "t", ",", "s", "$"), ())]
    owners = np.array([0, 1, 2, 3, 4, 4, 5, 6, 7, 8])
    found = [chunk.symbols for chunk in _paused(chunks, owners, alignment)]
    assert found == [("^", "b", ",", "d", "$"), ("^", "t", ",", "s", "$")]


def test_chunks_share_what_was_aligned_as_one() -> None:
    chunks = [
        Phonemes(("^", "a", ".", "$"), ()),
        Phonemes(("^", "b", "$"), ()),
        Phonemes(("^", "c", "$"), ()),
    ]
    aligned = np.array([5, 7, 30, 8, 6, 9, 4])  # ^ a . b space c $
    durations, pauses, owners = _chunked(aligned, chunks)
    assert durations.tolist() == [5, 7, 12, 1, 1, 8, 1, 1, 9, 4]
    assert pauses.tolist() == [0, 0, 0, 16, 0, 0, 4, 0, 0, 0]
    assert owners.tolist() == [0, 1, 2, 2, 2, 3, 4, 4, 5, 6]
    assert durations.sum() + pauses.sum() == aligned.sum()
