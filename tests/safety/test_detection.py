"""Verdicts, spans and streaming, with a detector that hears a tone instead of a mark."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxclone.config import WatermarkConfig
from voxclone.errors import AudioError
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety import detection
from voxclone.safety.detection import MarkFinder

RATE = 16000
CONFIG = WatermarkConfig(channels=8, dilations=(1, 2), threshold=1.0, doubt=0.0, threshold_tail=0.1)


class ToneDetector(nn.Module):
    """Evidence +4 for a frame with a tone of 6 kHz, -4 for one without."""

    config = CONFIG

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        frame = CONFIG.frame_length
        frames = waveform[:, : waveform.shape[1] // frame * frame].reshape(len(waveform), -1, frame)
        spectrum = torch.fft.rfft(frames).abs()
        tone = spectrum[..., round(6000 * frame / RATE)] > 0.02 * frame
        return torch.where(tone, 4.0, -4.0), torch.ones(tone.shape)


@pytest.fixture(scope="module")
def finder() -> MarkFinder:
    return MarkFinder(ToneDetector(), "a tone")  # type: ignore[arg-type]


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


def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "BLOCK_SECONDS", 1.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        finder = MarkFinder(WatermarkDetector(CONFIG), "random")
    samples = babble(5, 22050)

    def cut(size: int) -> Iterator[tuple[NDArray[np.float32], int]]:
        for start in range(0, len(samples), size):
            yield samples[start : start + size], 22050

    whole = finder._listen([(samples, 22050)])
    monkeypatch.setattr(detection, "BLOCK_SECONDS", 30.0)
    once = finder._listen([(samples, 22050)])
    monkeypatch.setattr(detection, "BLOCK_SECONDS", 0.5)
    many = finder._listen(cut(1000))
    for a, b, c in zip(whole, once, many, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
        np.testing.assert_allclose(c, b, atol=1e-4)


def test_no_samples_is_an_error(finder: MarkFinder) -> None:
    with pytest.raises(AudioError, match="no samples"):
        finder.find([(np.zeros(0, np.float32), RATE)])
