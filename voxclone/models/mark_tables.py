"""What the watermark detector knows before it learns anything: windows, the pilot's phases, carriers to sum it up by.

In NumPy, since both forms of the detector are made of these: `voxclone.models.watermark`, which is trained, and
`voxclone.safety.ear`, which listens.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voxclone.config import WatermarkConfig

Singles = NDArray[np.float32]

POWER_FLOOR = 1e-10  # of a full-scale waveform; what lies below is silence
BAND_HERTZ = 500.0  # of the pilot
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
NOISE_FLOOR = 0.02  # of the mean power over all bins: fainter bins have nothing that noise would leave
EVIDENCE_CHANNELS = 16
RATES = (0.0, -0.005, 0.005, -0.01, 0.01, -0.015, 0.015)  # where the pilot is looked for: the speed is known to 1.5 %
OTHER_RATES = tuple(
    sign * step / 1000 for step in range(30, 121, 12) for sign in (1, -1)
)  # where only speech itself is


def unit_window(n_fft: int) -> Singles:
    """(n_fft,) a Hann window that gives white noise its own power in every bin."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    return np.asarray(window / np.sqrt(np.square(window).sum()), np.float32)


def less_smooth(count: int, bins: int) -> Singles:
    """(count, count): takes from each bin the mean of the `bins` about it, fewer at the ends."""
    places = np.arange(count)
    near = np.abs(places[:, None] - places) <= bins // 2
    return np.asarray(np.eye(count) - near / near.sum(1, keepdims=True), np.float32)


def band_phases(hertz: NDArray[np.floating], first: int, bands: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The pilot's phase at frequencies (N,) in radians, and whether (N,) it is there, which is from band `first` on."""
    band = np.floor(hertz / BAND_HERTZ)
    return GOLDEN_ANGLE * np.square(band), (band >= first) & (band < bands)


def pilot_bands(config: WatermarkConfig) -> Singles:
    """(bins, 2) the pilot's phase in each bin of the short spectrum, as a complex number."""
    hertz = np.arange(config.short_n_fft // 2 + 1) * (config.sample_rate / config.short_n_fft)
    phases, there = band_phases(hertz, config.pilot_first_band, config.pilot_bands)
    return np.asarray(np.stack([np.cos(phases), -np.sin(phases)], 1) * there[:, None], np.float32)


def pilot_carriers(config: WatermarkConfig) -> Singles:
    """(2 * rates, 2, hops) what a rhythm (2, hops) is summed up by: real parts of every rate, then imaginary ones."""
    rates = config.pilot_hertz * (1 + np.array(RATES + OTHER_RATES))
    hops = np.arange(config.pilot_hops + 1) - config.pilot_hops // 2
    angles = 2 * np.pi * rates[:, None] * hops * (config.short_hop_length / config.sample_rate)
    window = np.hanning(len(hops))
    real, imaginary = np.cos(angles) * window, -np.sin(angles) * window
    carriers = np.concatenate([np.stack([real, -imaginary], 1), np.stack([imaginary, real], 1)])
    return np.asarray(carriers / window.sum(), np.float32)
