"""A spectrogram as a PNG file, without a plotting library."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.resample import resample
from voxclone.config import AudioConfig

DARKEST, BRIGHTEST = -10.0, 1.0  # natural-log mel
_STOPS = ((0, 0, 4), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164))  # dark to bright


def spectrogram_png(samples: NDArray[np.float32], sample_rate: int) -> bytes:
    """The mel spectrogram of (S,) samples: one pixel for each band and frame, low bands at the bottom."""
    audio = AudioConfig()
    waveform = resample(samples, sample_rate, audio.sample_rate)
    waveform = np.pad(waveform, (0, max(0, audio.n_fft - len(waveform))))
    mel = MelSpectrogram(audio)(torch.from_numpy(np.ascontiguousarray(waveform))[None])[0].numpy()
    shade = np.clip((mel[::-1] - DARKEST) / (BRIGHTEST - DARKEST), 0, 1)
    return png(np.round(255 * shade).astype(np.uint8), _palette())


def _palette() -> NDArray[np.uint8]:
    at = np.linspace(0, 1, len(_STOPS))
    channels = [np.interp(np.linspace(0, 1, 256), at, [stop[channel] for stop in _STOPS]) for channel in range(3)]
    return np.stack(channels, 1).round().astype(np.uint8)


def png(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A palette image (H, W) with its (256, 3) colours as a PNG file's bytes (ISO/IEC 15948)."""
    height, width = indices.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, palette
    rows = np.pad(indices, ((0, 0), (1, 0))).tobytes()  # each row begins with its filter, none
    parts = [(b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in parts)
