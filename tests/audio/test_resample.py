from __future__ import annotations

import numpy as np
import pytest

from voxclone.audio.resample import resample
from voxclone.errors import AudioError


def tone(frequency: float, sample_rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * sample_rate)) / sample_rate).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 32000, 44100, 96000])
@pytest.mark.parametrize("target_rate", [16000, 22050, 48000])
def test_a_tone_stays_the_same_tone_at_the_same_time(sample_rate: int, target_rate: int) -> None:
    converted = resample(tone(1000, sample_rate), sample_rate, target_rate)
    assert converted.dtype == np.float32
    assert abs(len(converted) - target_rate) <= 1
    inner = slice(target_rate // 20, target_rate * 19 // 20)  # the ends see the tone begin and stop
    assert np.abs(converted - tone(1000, target_rate)[: len(converted)])[inner].max() < 1e-3


def test_what_the_target_rate_cannot_hold_is_removed() -> None:
    converted = resample(tone(10000, 48000), 48000, 16000)
    assert np.abs(converted[800:-800]).max() < 1e-4


def test_channels_are_converted_each() -> None:
    stereo = np.stack([tone(440, 48000), tone(880, 48000)], axis=1)
    converted = resample(stereo, 48000, 22050)
    assert converted.shape == (22050, 2)
    np.testing.assert_allclose(converted[:, 1], resample(stereo[:, 1], 48000, 22050), atol=1e-6)


def test_equal_rates_give_the_samples_back() -> None:
    waveform = tone(440, 16000)
    assert resample(waveform, 16000, 16000) is waveform
    assert resample(waveform.astype(np.float64), 16000, 16000).dtype == np.float32


def test_nothing_stays_nothing() -> None:
    assert resample(np.zeros(0, dtype=np.float32), 48000, 16000).shape == (0,)


@pytest.mark.parametrize(
    ("waveform", "sample_rate", "target_rate", "words"),
    [
        (np.zeros(100, dtype=np.float32), 0, 16000, "from 0 Hz"),
        (np.zeros(100, dtype=np.float32), 16000, -1, "to -1 Hz"),
        (np.zeros((2, 3, 4), dtype=np.float32), 16000, 8000, r"\(2, 3, 4\)"),
        (np.zeros(100, dtype=np.int16), 16000, 8000, "int16"),
    ],
)
def test_what_cannot_be_resampled_is_refused(
    waveform: np.ndarray, sample_rate: int, target_rate: int, words: str
) -> None:
    with pytest.raises(AudioError, match=words):
        resample(waveform, sample_rate, target_rate)
