"""What tells how fast someone speaks without knowing the words: how quickly the spectrum changes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BANDS = 16  # that the mel's bands are averaged to
LAGS = (1, 2, 4, 6, 8, 12, 16, 24)  # frames
MODULATION_HZ = (1.0, 2.0, 3.0, 4.0, 5.0, 6.5, 8.5, 12.0)  # edges of the bands of the loudness' spectrum
N_FEATURES = 4 * (len(LAGS) - 1) + len(LAGS) - 1 + len(MODULATION_HZ) - 1 + 1
FLOOR = -9.0  # natural log; what is quieter is no speech
MIN_FRAMES = 2 * LAGS[-1]


def rhythm_features(mel: NDArray[np.floating], frame_rate: float) -> NDArray[np.float32]:
    """Measures of how quickly speech changes, none of which depends on level or equalisation.

    How far apart frames are at each lag against the longest, in four parts of the spectrum; how alike they are at each
    lag; the modulation spectrum of the loudness from 1 to 12 Hz; the share of frames that are loud.

    Args:
        mel: (n_mels, T) natural-log mel, n_mels a multiple of 16.
        frame_rate: Hz.

    Returns:
        (N_FEATURES,), zeros where there are fewer than `MIN_FRAMES` frames, or all are equally loud.
    """
    if mel.shape[1] < MIN_FRAMES:
        return np.zeros(N_FEATURES, np.float32)
    bands = np.maximum(mel, FLOOR).reshape(BANDS, -1, mel.shape[1]).mean(1).T.astype(np.float64)
    level = bands.mean(1)
    quiet, loud = np.quantile(level, [0.05, 0.95])
    active = level > quiet + 0.35 * (loud - quiet)
    if not active.any():
        return np.zeros(N_FEATURES, np.float32)
    centred = bands - bands.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-3
    distances, likeness = [], []
    for lag in LAGS:
        either = active[lag:] | active[:-lag]
        steps = np.abs(bands[lag:] - bands[:-lag])[either].mean(0)
        distances.append(np.log(steps.reshape(4, -1).mean(1) + 1e-3))
        likeness.append((centred[lag:] * centred[:-lag]).sum(1)[either].mean())
    power = np.abs(np.fft.rfft((level - level.mean()) * np.hanning(len(level)), max(2048, len(level)))) ** 2
    hertz = np.linspace(0, frame_rate / 2, len(power))
    edges = pairwise(MODULATION_HZ)
    modulation = np.log([power[(hertz >= low) & (hertz < high)].mean() + 1e-6 for low, high in edges])
    parts = [
        (np.stack(distances[:-1]) - distances[-1]).ravel(),
        np.array(likeness[:-1]),
        modulation - modulation.mean(),
        np.array([active.mean()]),
    ]
    return np.concatenate(parts).astype(np.float32)


def f0_spread(f0: NDArray[np.floating]) -> float | None:
    """How widely a melody moves, in octaves: the deviation of log2 f0 (T,) in Hz, octave errors left out.

    None where less than ten frames are voiced.
    """
    voiced = np.log2(f0[f0 > 0])
    if len(voiced) < 10:
        return None
    near = voiced[np.abs(voiced - np.median(voiced)) < 0.7]
    return float(near.std())
