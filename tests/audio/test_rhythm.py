"""Rhythm features: what they see, and what they must not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone.audio.rhythm import MIN_FRAMES, N_FEATURES, f0_spread, rhythm_features

FRAME_RATE = 22050 / 256


def speech(frames_per_sound: float, seed: int = 0) -> NDArray[np.float32]:
    """(80, 400) random spectra that follow one another smoothly."""
    rng = np.random.default_rng(seed)
    count = int(400 / frames_per_sound) + 3
    sounds = rng.normal(size=(80, count)) * 2 + rng.normal(size=(1, count)) * 1.5 - 4
    at = np.arange(400) / frames_per_sound
    rows = [np.interp(at, np.arange(count), row) for row in sounds]
    return np.array(rows, np.float32)


def test_shape_and_too_little() -> None:
    features = rhythm_features(speech(6), FRAME_RATE)
    assert features.shape == (N_FEATURES,) and np.isfinite(features).all()
    assert not rhythm_features(speech(6)[:, : MIN_FRAMES - 1], FRAME_RATE).any()
    assert np.isfinite(rhythm_features(np.full((80, 100), -11.5), FRAME_RATE)).all()


def test_faster_speech_is_less_alike_from_frame_to_frame() -> None:
    likeness = [rhythm_features(speech(pace), FRAME_RATE)[28:35].mean() for pace in (4, 6, 9, 13)]
    assert likeness == sorted(likeness) and likeness[-1] > likeness[0] + 0.1


def test_level_and_colour_do_not_matter() -> None:
    mel = speech(6)
    tilt = np.linspace(1, -1, 80)[:, None]
    np.testing.assert_allclose(
        rhythm_features(mel + 1.5 + tilt, FRAME_RATE), rhythm_features(mel, FRAME_RATE), atol=0.35
    )


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
