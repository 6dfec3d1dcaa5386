"""Pitch and pace of a recording, as numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.pitch import f0

HOP_SECONDS = 0.0116  # the models' own, at 22.05 kHz
SILENCE_DB = -35.0  # below the loudest frame


class Prosody(NamedTuple):
    """Pitch and pace.

    Attributes:
        f0_median: Hz, of the voiced frames; None where nothing is voiced.
        f0_spread: Semitones, standard deviation over the voiced frames.
        words_per_second: Of the time between first and last sound.
        pause_share: Share of that time which is silent.
    """

    f0_median: float | None
    f0_spread: float | None
    words_per_second: float
    pause_share: float


def measure_prosody(samples: NDArray[np.float32], sample_rate: int, words: int) -> Prosody:
    """Measure speech of so many words: (S,) mono at any rate."""
    hop = round(HOP_SECONDS * sample_rate)
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    power = 10 * np.log10(np.maximum(np.square(frames, dtype=np.float64).mean(1), 1e-12))
    loud = np.flatnonzero(power > power.max(initial=-120.0) + SILENCE_DB)
    if not len(loud):
        return Prosody(None, None, 0.0, 1.0)
    inside = slice(loud[0], loud[-1] + 1)
    seconds = (loud[-1] + 1 - loud[0]) * hop / sample_rate
    pitch = f0(samples, sample_rate, hop)
    voiced = pitch[pitch > 0]
    median = float(np.median(voiced)) if len(voiced) else None
    spread = float(np.std(12 * np.log2(voiced / median))) if median else None
    return Prosody(median, spread, words / seconds, float(1 - len(loud) / len(power[inside])))
