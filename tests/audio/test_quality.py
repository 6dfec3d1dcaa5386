"""What a recording counts for, and what is advised."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone.audio.quality import RecordingQuality, advice_on
from voxclone.audio.reference import prepare_reference
from voxclone.audio.resample import resample

GOOD = RecordingQuality("good.wav", speech_seconds=10.0, snr_db=45.0, bandwidth_hz=11000.0)
Recording = tuple[NDArray[np.float32], int]


def test_seconds_count_in_proportion() -> None:
    assert dataclasses.replace(GOOD, speech_seconds=5.0).weight == pytest.approx(GOOD.weight / 2)
    assert GOOD.weight == pytest.approx(10.0, rel=0.01)


@pytest.mark.parametrize(
    ("worse", "word"),
    [({"snr_db": 9.0}, "quiet room"), ({"bandwidth_hz": 3500.0}, "telephone"), ({"clipped_fraction": 0.004}, "gain")],
)
def test_each_fault_counts_less_and_has_its_advice(worse: dict[str, float], word: str) -> None:
    recording = dataclasses.replace(GOOD, name="bad.wav", **worse)  # type: ignore[arg-type]
    assert recording.weight < 0.85 * GOOD.weight
    (sentence,) = recording.advice
    assert word in sentence
    assert advice_on([GOOD, recording]) == (f"bad.wav: {sentence}",)


def test_nothing_is_advised_without_need() -> None:
    assert advice_on([GOOD]) == ()


def test_little_speech_comes_first_and_what_is_left_out_last() -> None:
    short = dataclasses.replace(GOOD, speech_seconds=2.0, snr_db=5.0)
    lost = RecordingQuality("music.wav", left_out="it is music")
    first, second = advice_on([short, lost])
    assert first.startswith("there are 2.0 s of speech in all")
    assert second.startswith("good.wav: the speech is only 5 dB")
    assert str(lost) == "music.wav: left out: it is music"


def test_a_noisy_recording_counts_less_than_the_same_clean(recording: Recording) -> None:
    samples, rate = recording
    noise = np.random.default_rng(1).normal(size=len(samples)).astype(np.float32)
    loud = noise * math.sqrt(float(np.mean(samples**2)) / 10 ** (6 / 10))
    clean, noisy, narrow = (
        RecordingQuality.of(prepare_reference((each, each_rate), 16000))
        for each, each_rate in ((samples, rate), (samples + loud, rate), (resample(samples, rate, 8000), 8000))
    )
    assert noisy.weight < 0.6 * clean.weight
    assert narrow.weight < 0.75 * clean.weight
    assert json.loads(json.dumps(noisy.to_dict()))["advice"]
