"""Samples in memory: what can be audio, and audio as one channel."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from voxclone.errors import AudioError

MIN_SAMPLE_RATE = 4000  # Hz
MAX_SAMPLE_RATE = 384000  # Hz
MAX_CHANNELS = 8
CANCELLED = 1e-4  # of the channels' power: 40 dB, which no two microphones reach
MAX_FLOAT_PEAK = 32.0  # 30 dB over full scale: beyond it, the floats were never scaled to [-1, 1]


def one_channel(samples: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """The mean (S,) of the channels of (S, C) samples; the first where they are in antiphase and cancel each other.

    The mean is of `dtype`, as NumPy's. What is not finite stays so, without a warning: `check_samples` tells it.
    """
    if samples.shape[1] == 1:
        return samples[:, 0]
    with np.errstate(all="ignore"):
        mean = samples.mean(axis=1, dtype=dtype)
        power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
        cancelled = float(np.mean(np.square(mean, dtype=np.float64))) < CANCELLED * power if power else False
    return samples[:, 0] if cancelled else mean


def from_array(source: tuple[Any, ...]) -> tuple[NDArray[np.float32], int]:
    """An in-memory (samples, sample_rate) as one channel, (S,) float32, and its rate in Hz.

    Raises:
        AudioError: See `voxclone.audio.io.read_audio`.
    """
    if source and all(isinstance(each, (str, bytes, os.PathLike)) for each in source):
        raise AudioError("a tuple is one recording's (samples, sample_rate); give several files as a list")
    if len(source) != 2:
        raise AudioError(f"a tuple of {len(source)} is not audio; (samples, sample_rate) is needed")
    samples, sample_rate = source
    if isinstance(samples, (int, float)):
        raise AudioError(f"the first of (samples, sample_rate) is {samples!r}; an array of samples is needed there")
    rate = check_rate(sample_rate, "the audio array")
    if not isinstance(samples, np.ndarray):
        import torch

        if not isinstance(samples, torch.Tensor):
            raise AudioError(f"samples of type {type(samples).__name__}; a numpy array or torch tensor is needed")
        samples = samples.detach().cpu()
        samples = (samples.float() if samples.is_floating_point() else samples).numpy()
    if samples.ndim == 2 and 0 < samples.shape[0] <= MAX_CHANNELS and samples.shape[0] < samples.shape[1]:
        samples = samples.T
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 1 <= samples.shape[1] <= MAX_CHANNELS):
        raise AudioError(
            f"an array of shape {samples.shape} is not audio; (S,), (S, C) or (C, S) with at most "
            f"{MAX_CHANNELS} channels is needed"
        )
    if samples.dtype in (np.int16, np.int32):
        scale = 1.0 / -float(np.iinfo(samples.dtype).min)
    elif np.issubdtype(samples.dtype, np.floating):
        scale = 1.0
    else:
        raise AudioError(f"samples of type {samples.dtype}; floats in [-1, 1], int16 or int32 are needed")
    if samples.ndim == 2:
        samples = one_channel(samples, np.float64)
    mono = samples.astype(np.float32)
    mono *= np.float32(scale)  # a copy: the caller's array stays the caller's
    return check_samples(mono, "the audio array"), rate


def check_rate(sample_rate: Any, name: str) -> int:
    """The sample rate in Hz as an int; `name` says in the error whose it is.

    Raises:
        AudioError: It is no whole number, or no rate of audio.
    """
    is_number = isinstance(sample_rate, (int, float, np.integer, np.floating)) and not isinstance(sample_rate, bool)
    if not is_number or sample_rate != sample_rate // 1 or not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{name} has sample rate {sample_rate!r}; a whole number from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz "
            "is needed"
        )
    return int(sample_rate)


def check_samples(samples: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """The samples as they are: at least one, all finite, and scaled; `name` says in the error whose they are.

    Raises:
        AudioError: They are not.
    """
    if samples.size == 0:
        raise AudioError(f"{name} has no samples (length zero)")
    finite = np.isfinite(samples)
    if not finite.all():
        raise AudioError(
            f"{name} has {np.count_nonzero(~finite)} samples that are NaN or infinite, the first at index "
            f"{int(np.argmin(finite))}; every sample must be finite"
        )
    peak = max(float(samples.max()), -float(samples.min()))
    if peak > MAX_FLOAT_PEAK:
        raise AudioError(f"{name} reaches {peak:g}; float samples must be scaled to [-1, 1]")
    return samples


def as_pcm16(samples: NDArray[Any]) -> NDArray[np.int16]:
    """Float samples as 16-bit integers, each the nearest and limited: +1.0 is 32767, and int16 / 32768 comes back."""
    limited: NDArray[np.float32] = np.clip(np.rint(np.asarray(samples, np.float32) * 32768.0), -32768, 32767)
    return limited.astype(np.int16)
