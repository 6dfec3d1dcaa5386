"""f0 of made sounds whose f0 is known, and its place beside the mel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.pitch import f0, f0_spread
from voxclone.config import AudioConfig

RATE, HOP = 22050, 256
Samples = NDArray[np.float32]


def voice(hz: NDArray[np.float64], rate: int = RATE, harmonics: int = 15) -> Samples:
    """A buzz with falling harmonics at the f0 given for each sample."""
    phase = 2 * np.pi * np.cumsum(hz) / rate
    partials = [np.where(k * hz < rate / 2, np.sin(k * phase) / k, 0) for k in range(1, harmonics + 1)]
    return (0.2 * np.sum(partials, axis=0)).astype(np.float32)


def steady(hz: float, seconds: float = 0.6, rate: int = RATE) -> Samples:
    return voice(np.full(int(seconds * rate), hz), rate)


def cents(found: NDArray[np.float32], true: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return 1200 * np.log2(found / true)


@pytest.mark.parametrize("hz", [70.0, 110.0, 163.7, 220.0, 331.3, 450.0])
def test_steady_voice(hz: float) -> None:
    found = f0(steady(hz), RATE, HOP)[4:-4]
    assert (found > 0).all()
    assert np.abs(cents(found, hz)).max() < 5


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_other_rates(rate: int) -> None:
    found = f0(steady(180.0, rate=rate), rate, rate // 100)[8:-8]
    assert np.abs(cents(found, 180.0)).max() < 10


def test_pure_tone_is_not_heard_an_octave_off() -> None:
    found = f0(voice(np.full(RATE // 2, 200.0), harmonics=1), RATE, HOP)[4:-4]
    assert np.abs(cents(found, 200.0)).max() < 10


def test_missing_fundamental() -> None:
    time = np.arange(RATE // 2) / RATE
    waveform = sum(np.sin(2 * np.pi * 150 * k * time) for k in (2, 3, 4, 5)).astype(np.float32)
    assert np.abs(cents(f0(waveform, RATE, HOP)[4:-4], 150.0)).max() < 10


def test_glide_frame_by_frame() -> None:
    hz = np.geomspace(100, 250, RATE)
    found = f0(voice(hz), RATE, HOP)
    true = hz[HOP // 2 :: HOP][: len(found)]  # frame t is centred on (t + 1/2) hop
    assert np.abs(cents(found, true)[4:-4]).max() < 15
    assert abs(np.median(cents(found, true)[4:-4])) < 3  # one frame late would be 18


def test_noise_and_silence_are_unvoiced() -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=RATE).astype(np.float32)
    assert (f0(noise, RATE, HOP) > 0).mean() < 0.1
    assert not f0(np.zeros(RATE, np.float32), RATE, HOP).any()


@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_mains_hum_is_no_voice(mains: float) -> None:
    n = 40 * HOP
    hum = 0.02 * np.sin(2 * np.pi * mains * np.arange(3 * n) / RATE).astype(np.float32)
    waveform = hum + np.concatenate([np.zeros(n, np.float32), voice(np.full(n, 180.0)), np.zeros(n, np.float32)])
    found = f0(waveform, RATE, HOP)
    assert np.abs(cents(found[44:76], 180.0)).max() < 10
    assert not found[:37].any()
    assert not found[83:].any()


def test_voice_in_some_noise() -> None:
    noise = np.random.default_rng(1).normal(scale=0.02, size=RATE).astype(np.float32)
    found = f0(steady(140.0, 1.0) + noise, RATE, HOP)[4:-4]
    assert (found > 0).mean() > 0.98
    assert np.abs(cents(found[found > 0], 140.0)).max() < 20


def test_voicing_starts_and_stops_with_the_sound_and_with_the_mel() -> None:
    n = 40 * HOP
    waveform = np.concatenate([np.zeros(n, np.float32), voice(np.full(n, 200.0)), np.zeros(n, np.float32)])
    voiced = np.nonzero(f0(waveform, RATE, HOP))[0]
    assert abs(voiced[0] - 40) <= 2
    assert abs(voiced[-1] - 79) <= 2
    assert (np.diff(voiced) == 1).all()
    level = MelSpectrogram(AudioConfig())(torch.from_numpy(waveform)[None])[0].mean(0)
    loud = torch.nonzero(level > level.min() + 2)[:, 0]
    assert abs(voiced[0] - int(loud[0])) <= 3
    assert abs(voiced[-1] - int(loud[-1])) <= 3


@pytest.mark.parametrize("samples", [0, 1, 255, 256, 257, 1000, 20_000])
def test_one_value_for_each_mel_frame(samples: int) -> None:
    found = f0(steady(150.0, 1.0)[:samples], RATE, HOP)
    assert found.shape == (samples // HOP,)
    assert found.dtype == np.float32


def test_long_audio_has_no_seams() -> None:
    found = f0(steady(123.0, 7.0), RATE, HOP)  # more frames than one block of the computation has
    assert len(found) > 512
    assert np.abs(cents(found[4:-4], 123.0)).max() < 5


def test_level_does_not_matter_and_the_input_stays() -> None:
    waveform = steady(150.0)
    kept = waveform.copy()
    np.testing.assert_allclose(f0(waveform, RATE, HOP), f0(waveform * np.float32(0.01), RATE, HOP), rtol=1e-4)
    np.testing.assert_array_equal(waveform, kept)


def test_range() -> None:
    found = f0(steady(400.0), RATE, HOP, f_min=60.0, f_max=300.0)
    assert found.max() < 310  # twice the period is as good, the period itself is not looked for
    assert f0(steady(600.0), RATE, HOP, f_max=700.0)[10] == pytest.approx(600, rel=0.005)


def test_spread_of_a_melody() -> None:
    time = np.arange(300) / 50
    melody = 120 * 2 ** (0.3 * np.sin(2 * np.pi * time))
    expected = 0.3 / np.sqrt(2)
    assert f0_spread(melody) == pytest.approx(expected, rel=0.02)
    assert f0_spread(melody * 2) == pytest.approx(expected, rel=0.02)
    wrong = melody.copy()
    wrong[::29] *= 2  # octave errors
    wrong[::7] = 0  # unvoiced
    assert f0_spread(wrong) == pytest.approx(expected, rel=0.05)
    assert f0_spread(np.full(9, 100.0)) is None
    assert f0_spread(np.repeat([100.0, 400.0], 10)) is None  # the median is between them, and nobody is near it
