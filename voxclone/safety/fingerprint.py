"""A short fingerprint of audio that survives a change of format: whether a label is of this audio or of another."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import math

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.resample import resample
from voxclone.audio.samples import as_pcm16
from voxclone.errors import ProvenanceError

RATE = 8000  # Hz at which it is taken: what a telephone keeps
FRAME_SECONDS = 0.5
HOP_SECONDS = 0.25
MAX_FRAMES = 200  # the first 50 s
BITS = 16  # of a frame
SAME = 0.20  # share of differing bits up to which two are of the same audio, in another format or with some noise
RELATED = 0.33  # up to which one is of a part of the other; different recordings differ in 0.33 to 0.5
MIN_OVERLAP = 6  # frames, for a part of a recording

_N_FFT = 512
_EDGES = np.geomspace(200, 3400, BITS + 2)  # Hz


def fingerprint(samples: NDArray[np.float32], sample_rate: int) -> str:
    """Signs of the differences of neighbouring bands' log energies against their mean over time, base64.

    After Haitsma and Kalker, "A highly robust audio fingerprinting system" (2002), with frames of half a second.

    Args:
        samples: (S,), S >= 1.
        sample_rate: Hz.
    """
    head = samples[: math.ceil(sample_rate * HOP_SECONDS * MAX_FRAMES)]
    narrow = resample(head, sample_rate, RATE)
    hop = _N_FFT // 2
    frames = max(1, round(len(narrow) / (RATE * HOP_SECONDS)))
    padded = np.pad(narrow, (0, max(0, _N_FFT - len(narrow))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(_N_FFT).astype(np.float32))) ** 2
    edges = np.round(_EDGES / RATE * _N_FFT).astype(int)
    bands = np.stack([power[:, low:high].mean(axis=1) for low, high in itertools.pairwise(edges)], axis=1)
    per_hop, per_frame = RATE * HOP_SECONDS / hop, math.ceil(RATE * FRAME_SECONDS / hop)
    starts = [min(round(frame * per_hop), len(bands) - 1) for frame in range(frames)]
    energies = np.array([bands[start : start + per_frame].mean(axis=0) for start in starts])
    slopes = np.diff(np.log(energies + 1e-9), axis=1)
    bits = slopes > np.median(slopes, axis=0) if frames > 1 else slopes > 0
    return base64.b64encode(np.packbits(bits, axis=1).tobytes()).decode()


def distance(one: str, other: str) -> float:
    """Share of differing bits, 0 to 1, of two fingerprints at the best shift in time: 0.5 is chance.

    Raises:
        ProvenanceError: One is not a fingerprint.
    """
    first, second = sorted((_bits(one), _bits(other)), key=len)
    overlap = min(len(first), MIN_OVERLAP)
    best = 1.0
    for shift in range(overlap - len(first), len(second) - overlap + 1):
        low, high = max(0, shift), min(len(second), shift + len(first))
        best = min(best, float(np.mean(second[low:high] != first[low - shift : high - shift])))
    return best


def _bits(text: str) -> NDArray[np.uint8]:
    """(frames, BITS) zeros and ones."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise ProvenanceError("the fingerprint is not base64") from error
    width = BITS // 8
    if not content or len(content) % width or len(content) > MAX_FRAMES * width:
        raise ProvenanceError(f"a fingerprint of {len(content)} bytes is none")
    return np.unpackbits(np.frombuffer(content, np.uint8).reshape(-1, width), axis=1)


def pcm_sha256(samples: NDArray[np.float32]) -> str:
    """SHA-256 of the samples as the 16-bit integers that wav and flac files hold, 64 hex digits."""
    return hashlib.sha256(as_pcm16(samples).astype("<i2").tobytes()).hexdigest()
