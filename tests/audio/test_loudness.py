from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone.audio.loudness import (
    frame_levels,
    integrated_loudness,
    level,
    speech_frames,
    speech_seconds,
    trim_silence,
)
from voxclone.errors import AudioError

RATES = [8000, 16000, 22050, 48000]
Recording = tuple[NDArray[np.float32], int]


def tone(decibels: float, seconds: float, sample_rate: int = 48000, frequency: float = 997.0) -> np.ndarray:
    """A sine whose peak is `decibels` under full scale."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return 10 ** (decibels / 20) * np.sin(2 * np.pi * frequency * time)


def noise(slope: float, seconds: float = 5.0, sample_rate: int = 16000) -> np.ndarray:
    """Noise of level 0.1 whose power falls with frequency to the power `slope`: white 0, pink 1, brown 2."""
    samples = np.random.default_rng(0).normal(size=round(seconds * sample_rate))
    spectrum = np.fft.rfft(samples)
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (slope / 2)
    shaped = np.fft.irfft(spectrum, len(samples))
    return 0.1 * shaped / shaped.std()


def k_weighted(samples: np.ndarray) -> np.ndarray:
    """The 48 kHz filters with the coefficients of ITU-R BS.1770-4, tables 1 and 2, sample by sample."""
    tables = [
        ((1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)),
        ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)),
    ]
    for b, a in tables:
        out = np.zeros(len(samples) + 2)
        padded = np.concatenate(([0.0, 0.0], samples))
        for n in range(2, len(out)):
            out[n] = (
                b[0] * padded[n] + b[1] * padded[n - 1] + b[2] * padded[n - 2] - a[0] * out[n - 1] - a[1] * out[n - 2]
            )
        samples = out[2:]
    return samples


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("seconds", [0.2, 0.4, 3.0])
def test_the_standards_tone_reads_minus_three(sample_rate: int, seconds: float) -> None:
    """A full-scale sine of 997 Hz in one channel reads -3.01 LKFS (annex 1)."""
    assert integrated_loudness(tone(0, seconds, sample_rate), sample_rate) == pytest.approx(-3.01, abs=0.05)


def test_the_filters_are_the_standards() -> None:
    samples = 0.1 * np.random.default_rng(0).normal(size=19200)  # one block of 400 ms: no gate, no overlap
    expected = -0.691 + 10 * math.log10(np.mean(k_weighted(samples) ** 2))
    assert integrated_loudness(samples, 48000) == pytest.approx(expected, abs=1e-6)


def test_the_absolute_gate_leaves_silence_out() -> None:
    """EBU Tech 3341, case 3 in kind: what lies under the gates does not count."""
    samples = np.concatenate([tone(-72, 10, 8000), tone(-23, 20, 8000), tone(-72, 10, 8000)])
    assert integrated_loudness(samples, 8000) == pytest.approx(-26.0, abs=0.1)


def test_the_relative_gate_leaves_quiet_parts_out() -> None:
    samples = np.concatenate([tone(-36, 10, 8000), tone(-23, 60, 8000), tone(-36, 10, 8000)])
    assert integrated_loudness(samples, 8000) == pytest.approx(-26.0, abs=0.1)


def test_a_gain_is_a_shift(recording: Recording) -> None:
    waveform, rate = recording
    shift = integrated_loudness(waveform, rate) - integrated_loudness(0.25 * waveform, rate)
    assert shift == pytest.approx(20 * math.log10(4), abs=0.01)


@pytest.mark.parametrize("waveform", [np.zeros(16000), np.zeros(0), 1e-5 * np.ones(16000)])
def test_silence_has_no_loudness(waveform: np.ndarray) -> None:
    assert integrated_loudness(waveform, 16000) == -math.inf


@pytest.mark.parametrize("gain", [1e-2, 1.0, 5.0])
@pytest.mark.parametrize("loudness_db", [-30.0, -23.0])
def test_levelling_reaches_the_loudness(recording: Recording, gain: float, loudness_db: float) -> None:
    waveform, rate = recording
    levelled = level(gain * waveform, rate, loudness_db)
    assert levelled.dtype == np.float32
    assert levelled.shape == waveform.shape
    assert integrated_loudness(levelled, rate) == pytest.approx(loudness_db, abs=0.05)


def test_levelling_stops_at_the_peak(recording: Recording) -> None:
    waveform, rate = recording
    levelled = level(waveform, rate, 0.0)
    assert np.abs(levelled).max() == pytest.approx(0.99, abs=1e-5)
    np.testing.assert_allclose(levelled / levelled.max(), waveform / waveform.max(), atol=1e-6)


def test_levelling_a_clip_shorter_than_a_block(recording: Recording) -> None:
    waveform, rate = recording
    assert integrated_loudness(level(waveform[:1600], rate), rate) == pytest.approx(-23, abs=0.05)


def test_levelling_silence_is_refused() -> None:
    with pytest.raises(AudioError, match=r"1.00 s is silent.*-70 LUFS"):
        level(np.zeros(16000), 16000)


@pytest.mark.parametrize("sample_rate", RATES)
def test_frame_levels(sample_rate: int) -> None:
    samples = np.concatenate([np.full(sample_rate, 0.1), np.zeros(sample_rate), np.full(sample_rate, 1.0)])
    levels = frame_levels(samples, sample_rate)
    assert levels.shape == (300,)
    np.testing.assert_allclose(levels[:100], -20, atol=1e-9)
    np.testing.assert_allclose(levels[100:200], -200)
    np.testing.assert_allclose(levels[200:], 0, atol=1e-9)


def test_frame_levels_of_a_part_of_a_frame() -> None:
    assert frame_levels(np.ones(10), 16000).tolist() == [0.0]
    assert frame_levels(np.ones(0), 16000).shape == (0,)


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("background", [0.0, 1e-4])
def test_trimming_keeps_50_ms_around_the_sound(sample_rate: int, background: float) -> None:
    samples = np.concatenate([np.zeros(sample_rate), tone(-6, 1.0, sample_rate), np.zeros(sample_rate // 2)])
    samples += background * np.random.default_rng(0).normal(size=len(samples))
    trimmed = trim_silence(samples, sample_rate)
    assert len(trimmed) / sample_rate == pytest.approx(1.1, abs=0.021)
    start = (trimmed.ctypes.data - samples.ctypes.data) / samples.itemsize  # it is a view
    assert start / sample_rate == pytest.approx(0.95, abs=0.011)


@pytest.mark.parametrize("waveform", [tone(-6, 0.5, 16000), np.zeros(8000), np.zeros(0), np.ones(50)])
def test_trimming_leaves_what_has_no_silence(waveform: np.ndarray) -> None:
    np.testing.assert_array_equal(trim_silence(waveform, 16000), waveform)


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("noise_db", [-200, -60, -40])
@pytest.mark.parametrize("gain", [0.02, 1.0])
def test_speech_is_found_where_it_is(sample_rate: int, noise_db: float, gain: float) -> None:
    """Four words of 0.4 s, each of two syllables of harmonics, 0.6 s apart, over noise of a level relative to them."""
    time = np.arange(4 * sample_rate) / sample_rate
    bursts = (time % 1.0 >= 0.3) & (time % 1.0 < 0.7)
    syllables = 0.1 + 0.9 * np.sin(2 * np.pi * 2.5 * (time % 1.0 - 0.3)) ** 2
    voice = np.zeros(len(time))
    for k in range(1, 10):
        voice += np.sin(2 * np.pi * 150 * k * time) / k
    samples = gain * (
        0.3 * voice * bursts * syllables + 10 ** (noise_db / 20) * np.random.default_rng(0).normal(size=len(time))
    )
    found = speech_frames(samples, sample_rate)
    assert found.shape == (400,)
    centres = (np.arange(400) + 0.5) / 100 % 1.0
    assert found[(centres > 0.34) & (centres < 0.68)].all()
    assert not found[(centres < 0.27) | (centres > 0.84)].any()
    assert 1.4 <= speech_seconds(samples, sample_rate) <= 2.2


@pytest.mark.parametrize(
    "waveform",
    [
        noise(0),
        noise(1),
        noise(2),
        tone(-20, 5, 16000),
        tone(-20, 5, 16000, 50.0) + 0.01 * noise(0),
        np.zeros(80000),
        np.full(80000, 0.3),
        1e-5 * noise(0),
        np.where(np.arange(80000) % 4000 == 0, 0.5, 1e-4 * noise(0)),
        np.zeros(100),
        np.zeros(0),
    ],
    ids=["white", "pink", "brown", "tone", "hum", "zeros", "offset", "faint", "clicks", "short", "none"],
)
def test_what_is_not_speech(waveform: np.ndarray) -> None:
    assert speech_seconds(waveform, 16000) == 0.0


def test_a_long_recording_is_measured_like_a_short_one(recording: Recording) -> None:
    """Frames are taken in chunks of a minute; where one ends nothing must show."""
    waveform, rate = recording
    levels = frame_levels(np.tile(waveform, 41), rate)
    np.testing.assert_allclose(levels.reshape(41, 300), np.tile(frame_levels(waveform, rate), (41, 1)), atol=1e-9)
