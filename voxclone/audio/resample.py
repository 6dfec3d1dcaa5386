"""Sample-rate conversion."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from voxclone.errors import AudioError


def resample(waveform: NDArray[np.floating], sample_rate: int, target_rate: int) -> NDArray[np.float32]:
    """Convert a waveform's sample rate with libsoxr's "HQ" band-limited filter (linear phase, no delay).

    Args:
        waveform: (S,) or (S, C) floating-point samples.
        sample_rate: Its rate in Hz.
        target_rate: The rate wanted in Hz.

    Returns:
        float32 of the same number of axes with round(S * target_rate / sample_rate) samples; values may pass the
        input's peak slightly. The input itself where the rates are equal and it is float32.

    Raises:
        AudioError: A rate is not positive, or the waveform has other axes or is not floating point.
    """
    if sample_rate <= 0 or target_rate <= 0:
        raise AudioError(f"cannot resample from {sample_rate} Hz to {target_rate} Hz: both rates must be positive")
    if waveform.ndim not in (1, 2) or not np.issubdtype(waveform.dtype, np.floating):
        raise AudioError(
            f"cannot resample an array of shape {waveform.shape} and type {waveform.dtype}; "
            "float samples of shape (S,) or (S, C) are needed"
        )
    samples = waveform.astype(np.float32, copy=False)
    if sample_rate == target_rate or samples.size == 0:
        return samples
    converted: NDArray[np.float32] = soxr.resample(samples, sample_rate, target_rate, quality="HQ")
    return converted
