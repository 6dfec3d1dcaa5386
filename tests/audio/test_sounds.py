"""What is told from speech, on signals made like the real ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone.audio.pitch import f0
from voxclone.audio.sounds import MUSIC, NOISE, unlike_speech

RATE = 16000
TIME = np.arange(4 * RATE) / RATE


def harmonics(hz: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return np.asarray(sum(np.sin(k * phase) / k for k in range(1, count)))


def talk() -> NDArray[np.float64]:
    """Vowels with a pitch that rises and falls, and a hiss before each."""
    hz = 130 * 2 ** (0.3 * np.sin(2 * np.pi * 0.9 * TIME))
    beat = (TIME * 3) % 1
    vowel, hiss = (beat > 0.35) & (beat < 0.85), (beat > 0.1) & (beat <= 0.35)
    breath = np.diff(np.random.default_rng(0).normal(size=len(TIME) + 1))
    return np.asarray(0.1 * harmonics(hz, 20) * vowel + 0.04 * breath * hiss)


def tune() -> NDArray[np.float64]:
    """Notes of a scale that die away, over a chord."""
    notes = 220 * 2 ** (np.array([0, 2, 4, 5, 7, 5, 4, 2]) / 12)
    hz = notes[(TIME * 2).astype(int) % 8]
    chord = sum(harmonics(np.full(len(TIME), hertz), 6) for hertz in (110.0, 138.6, 164.8))
    return np.asarray(0.1 * harmonics(hz, 6) * np.exp(-3 * (TIME * 2 % 1)) + 0.03 * chord)


def surf() -> NDArray[np.float64]:
    """Noise that swells."""
    noise = np.convolve(np.random.default_rng(0).normal(size=len(TIME)), np.ones(3) / 3, "same")
    return np.asarray(0.1 * noise * (1 + np.sin(2 * np.pi * 0.5 * TIME)) ** 2)


@pytest.mark.parametrize(
    ("sound", "verdict"), [(talk(), ""), (tune(), MUSIC), (surf(), NOISE)], ids=["talk", "tune", "surf"]
)
@pytest.mark.parametrize("hop", [160, 256])
def test_speech_is_told_from_music_and_noise(sound: NDArray[np.float64], verdict: str, hop: int) -> None:
    waveform = sound.astype(np.float32)
    assert unlike_speech(waveform, RATE, f0(waveform, RATE, hop)) == verdict


def test_little_sound_is_not_judged() -> None:
    waveform = np.zeros(RATE, np.float32)
    waveform[:800] = 0.1
    assert unlike_speech(waveform, RATE, f0(waveform, RATE, 160)) == ""
