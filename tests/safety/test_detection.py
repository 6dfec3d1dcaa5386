"""Verdicts, spans and streaming, with a detector that hears a tone instead of a mark."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from voxclone.config import WatermarkConfig
from voxclone.errors import AudioError
from voxclone.safety import hearing
from voxclone.safety.detection import MarkFinder
from voxclone.safety.ear import Ear
from voxclone.safety.hearing import Heard, at_speed

RATE = 16000
CONFIG = WatermarkConfig(channels=8, dilations=(1, 2), threshold=1.0, doubt=0.0, threshold_tail=0.1)


SEARCHING = dataclasses.replace(CONFIG, speeds=(1.05, 0.95, 1.1, 0.9), speed_cost=0.5)


class ToneEar(Ear):
    """Evidence +4 for a frame with a tone of 6 kHz, -4 for one without."""

    def __init__(self, config: WatermarkConfig = CONFIG) -> None:
        self.config = config
        self.heard = 0  # samples

    def __call__(self, waveform: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.heard += len(waveform)
        frame = CONFIG.frame_length
        frames = waveform[: len(waveform) // frame * frame].reshape(-1, frame)
        tone = np.abs(np.fft.rfft(frames))[:, round(6000 * frame / RATE)] > 0.02 * frame
        return np.where(tone, np.float32(4), np.float32(-4)), np.ones(len(tone), np.float32)


@pytest.fixture(scope="module")
def finder() -> MarkFinder:
    return MarkFinder(ToneEar(), "a tone")


def babble(seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    """Bursts of low noise, as syllables are."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.cumsum(np.random.default_rng(0).normal(size=len(time)))
    noise -= np.convolve(noise, np.ones(201) / 201, mode="same")
    hiss = 0.002 * np.random.default_rng(1).normal(size=len(time))
    return (0.02 * noise * np.clip(np.sin(2 * np.pi * 3 * time) + 0.5, 0.01, 1) + hiss).astype(np.float32)


def tone(seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    return (0.1 * np.sin(2 * np.pi * 6000 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_finds_a_marked_span_inside_natural_speech(finder: MarkFinder) -> None:
    samples = babble(20)
    samples[7 * RATE : 11 * RATE] += tone(4)
    found = finder.find([(samples, RATE)])
    assert found.verdict == "watermarked"
    ((start, end),) = found.spans
    assert start == pytest.approx(7, abs=0.3) and end == pytest.approx(11, abs=0.3)
    assert found.score == pytest.approx(4, abs=0.1) and found.payload is None


def test_finds_two_spans(finder: MarkFinder) -> None:
    samples = babble(20)
    for start in (2, 14):
        samples[start * RATE : (start + 3) * RATE] += tone(3)
    assert len(finder.find([(samples, RATE)]).spans) == 2


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_unmarked_speech_is_not_detected(finder: MarkFinder, rate: int) -> None:
    found = finder.find([(babble(5, rate), rate)])
    assert (found.verdict, found.spans) == ("not_detected", ())


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (babble(0.5), "s of sound"),
        (np.zeros(5 * RATE, np.float32), "s of sound"),
        (np.random.default_rng(0).normal(size=5 * RATE).astype(np.float32) * 0.01, "noise"),
    ],
    ids=["short", "silent", "noise"],
)
def test_says_when_it_cannot_tell(finder: MarkFinder, samples: NDArray[np.float32], reason: str) -> None:
    found = finder.find([(samples, RATE)])
    assert found.verdict == "inconclusive" and reason in found.reason


def bursts(sound: NDArray[np.float32], seconds: float, apart: float) -> NDArray[np.float32]:
    """Twenty times that much of a sound, each with silence after it."""
    return np.tile(np.pad(sound[: round(seconds * RATE)], (0, round((apart - seconds) * RATE))), 20)


def test_sound_that_no_window_holds_enough_of_is_inconclusive(finder: MarkFinder) -> None:
    found = finder.find([(bursts(babble(1), 0.3, 4.0), RATE)])
    assert (found.verdict, found.score) == ("inconclusive", None) and "too scattered" in found.reason
    longer = dataclasses.replace(CONFIG, long_windows=(4.0,), long_thresholds=(1.0,), long_tails=(0.1,))
    found = MarkFinder(ToneEar(longer), "a tone").find([(bursts(tone(1), 0.3, 1.9), RATE)])
    assert (found.verdict, found.score) == ("watermarked", None) and len(found.spans) == 20


def test_little_speech_in_much_silence_is_no_noise(finder: MarkFinder) -> None:
    samples = np.pad(babble(2), (30 * RATE, 30 * RATE))
    assert finder.find([(samples, RATE)]).verdict == "not_detected"


@pytest.mark.parametrize("length", [1, 10, CONFIG.frame_length, CONFIG.frame_length + 1])
def test_a_moment_is_heard_at_every_speed(length: int) -> None:
    found = MarkFinder(ToneEar(SEARCHING), "a tone").find([(tone(1)[:length], RATE)])
    assert found.verdict == "inconclusive" and "s of sound" in found.reason


def test_a_doubtful_score_is_inconclusive(finder: MarkFinder) -> None:
    samples = babble(2)
    samples[: round(1.15 * RATE)] += tone(1.15)  # mean evidence of about 0.6, between doubt and threshold
    found = finder.find([(samples, RATE)])
    assert found.verdict == "inconclusive" and "too little" in found.reason


def test_long_audio_needs_more_evidence(finder: MarkFinder) -> None:
    samples = babble(2)
    samples[: round(1.35 * RATE)] += tone(1.35)
    assert finder.find([(samples, RATE)]).verdict == "watermarked"
    long = np.concatenate([samples, *[babble(2)] * 200])
    assert finder.find([(long, RATE)]).verdict != "watermarked"


def test_checks_an_output(finder: MarkFinder) -> None:
    assert finder.check_marked(babble(10) + tone(10), RATE) is True
    assert finder.check_marked(babble(10), RATE) is False
    assert finder.check_marked(babble(0.5), RATE) is None
    strict = ToneEar(dataclasses.replace(CONFIG, output_threshold=4.5))
    assert MarkFinder(strict, "a tone").check_marked(babble(10) + tone(10), RATE) is False


def test_blocks_of_any_size_give_the_same(
    monkeypatch: pytest.MonkeyPatch, random_detector: Callable[[WatermarkConfig], tuple[Any, Ear]]
) -> None:
    monkeypatch.setattr(hearing, "BLOCK_SECONDS", 1.0)
    _, ear = random_detector(SEARCHING)
    finder = MarkFinder(ear, "random")
    samples = babble(5, 22050)

    def cut(size: int) -> Iterator[tuple[NDArray[np.float32], int]]:
        for start in range(0, len(samples), size):
            yield samples[start : start + size], 22050

    def listen(blocks: Iterable[tuple[NDArray[np.float32], int]]) -> Heard:
        return finder._hearing.listen(blocks, finder._promising)

    whole = listen([(samples, 22050)])
    monkeypatch.setattr(hearing, "BLOCK_SECONDS", 30.0)
    once = listen([(samples, 22050)])
    monkeypatch.setattr(hearing, "BLOCK_SECONDS", 0.5)
    many = listen(cut(1000))
    for heard in (whole, many):
        np.testing.assert_allclose(heard.level, once.level, atol=1e-4)
        np.testing.assert_allclose(heard.evidence[0], once.evidence[0], atol=1e-4)
        np.testing.assert_allclose(heard.weight[0], once.weight[0], atol=1e-4)
        # At another speed, frames begin elsewhere in each block.
        assert (heard.weight > 0).tolist() == (once.weight > 0).tolist()
        np.testing.assert_allclose(heard.evidence.mean(1), once.evidence.mean(1), atol=0.05)


def test_no_samples_is_an_error(finder: MarkFinder) -> None:
    with pytest.raises(AudioError, match="no samples"):
        finder.find([(np.zeros(0, np.float32), RATE)])


def searcher() -> MarkFinder:
    return MarkFinder(ToneEar(SEARCHING), "a tone")


def played(samples: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    return np.asarray(soxr.resample(samples, speed, 1.0), np.float32)


@pytest.mark.parametrize("speed", [0.9, 0.95, 1.0, 1.05, 1.1])
def test_finds_the_mark_at_another_speed(finder: MarkFinder, speed: float) -> None:
    samples = babble(20)
    samples[7 * RATE : 11 * RATE] += tone(4)
    sent = played(samples, speed)
    found = searcher().find([(sent, RATE)])
    assert (found.verdict, found.speed) == ("watermarked", speed)
    ((start, end),) = found.spans
    assert start == pytest.approx(7 / speed, abs=0.3) and end == pytest.approx(11 / speed, abs=0.3)
    assert found.score == pytest.approx(4 if speed == 1 else 3.5, abs=0.15)
    if speed != 1:
        assert finder.find([(sent, RATE)]).verdict == "not_detected"


def test_finds_parts_of_different_speeds() -> None:
    parts = [babble(6), played(tone(6) + babble(6), 0.95), babble(6), played(tone(6) + babble(6), 1.1), babble(6)]
    found = searcher().find([(np.concatenate(parts), RATE)])
    ends = np.cumsum([len(part) for part in parts]) / RATE
    assert np.asarray(found.spans).flatten() == pytest.approx(ends[:-1], abs=0.3)


def test_a_long_file_is_searched_in_part_and_judged_whole(finder: MarkFinder) -> None:
    samples = np.concatenate([babble(10)] * 60)
    marked = 400 * RATE, 500 * RATE
    samples[slice(*marked)] += played(tone(200), 1.05)[: 100 * RATE]
    searching = searcher()
    found = searching.find([(samples, RATE)])
    assert found.verdict == "watermarked" and found.speed == 1.05
    assert found.spans[0][0] == pytest.approx(400, abs=11) and found.spans[-1][1] == pytest.approx(500, abs=11)
    finder.find([(samples, RATE)])
    assert searching.ear.heard < 3.5 * finder.ear.heard  # of five speeds


def test_an_output_is_checked_at_its_own_speed() -> None:
    searching = searcher()
    assert searching.check_marked(played(babble(10) + tone(10), 1.05), RATE) is False
    assert searching.check_marked(babble(10) + tone(10), RATE) is True
    assert searching.ear.heard < 14 * RATE


def test_undoes_a_speed() -> None:
    batch = np.stack([tone(1), 2 * tone(1)])
    slowed = at_speed(batch, 1.05)
    assert slowed.shape == (2, round(1.05 * RATE)) and slowed.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(slowed[0]))
    assert np.argmax(spectrum) * RATE / slowed.shape[1] == pytest.approx(6000 / 1.05, abs=2)
    np.testing.assert_allclose(slowed[1], 2 * slowed[0], atol=1e-6)
