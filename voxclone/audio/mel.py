"""The log-mel spectrogram: one implementation for every part."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxclone.errors import AudioError


class MelShape(Protocol):
    """What a mel needs to know; `AudioConfig` and `SpeakerEncoderConfig` both say it."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def n_fft(self) -> int: ...
    @property
    def win_length(self) -> int: ...
    @property
    def hop_length(self) -> int: ...
    @property
    def n_mels(self) -> int: ...
    @property
    def f_min(self) -> float: ...
    @property
    def f_max(self) -> float: ...
    @property
    def mel_floor(self) -> float: ...


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale: linear below 1 kHz, logarithmic above (Auditory Toolbox, 1998)."""
    return np.where(hz < 1000.0, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1e-10) / 1000.0) / np.log(6.4))


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000.0 * np.exp((mel - 15) * np.log(6.4) / 27))


def _band_edges(shape: MelShape) -> NDArray[np.float64]:
    ends = _hz_to_mel(np.array([shape.f_min, shape.f_max]))
    return np.linspace(ends[0], ends[1], shape.n_mels + 2)


def band_centres(shape: MelShape) -> NDArray[np.float64]:
    """(n_mels,) the bands' centres on Slaney's scale, evenly spaced."""
    return _band_edges(shape)[1:-1]


def mel_filterbank(shape: MelShape) -> NDArray[np.float32]:
    """Area-normalised triangles (n_mels, n_fft // 2 + 1), as `librosa.filters.mel` makes by default."""
    edges = _mel_to_hz(_band_edges(shape))
    bins = np.linspace(0, shape.sample_rate / 2, shape.n_fft // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def voiced_spectrum(mel: NDArray[np.float32], f0: NDArray[np.float32]) -> NDArray[np.float32]:
    """A voice's long-term average spectrum: the mean mel of its voiced frames.

    Args:
        mel: (n_mels, T) natural-log mel of speech at about -23 LUFS.
        f0: (T,) Hz, 0 = unvoiced.

    Returns:
        (n_mels,); the mean of all frames where none is voiced.
    """
    voiced = f0 > 0
    chosen = mel[:, voiced] if voiced.any() else mel
    return np.asarray(chosen.mean(axis=1, dtype=np.float32), np.float32)


class MelSpectrogram(nn.Module):
    """Natural-log mel of the public HiFi-GAN code (arXiv:2010.05646): frame t is centred on sample (t + 1/2) hop."""

    window: Tensor
    filterbank: Tensor

    def __init__(self, shape: MelShape) -> None:
        super().__init__()
        self.n_fft, self.win_length, self.hop_length = shape.n_fft, shape.win_length, shape.hop_length
        self.floor = shape.mel_floor
        self.register_buffer("window", torch.hann_window(shape.win_length), persistent=False)
        self.register_buffer("filterbank", torch.from_numpy(mel_filterbank(shape)), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, S) in [-1, 1] to (B, n_mels, S // hop_length).

        Raises:
            AudioError: The waveform is too short to be padded by reflection.
        """
        padding = (self.n_fft - self.hop_length) // 2
        if waveform.shape[-1] <= padding:
            raise AudioError(f"a mel needs more than {padding} samples, got {waveform.shape[-1]}")
        padded = nn.functional.pad(waveform[:, None], (padding, padding), mode="reflect")[:, 0]
        spectrum = torch.stft(
            padded.float(), self.n_fft, self.hop_length, self.win_length, self.window, center=False, return_complex=True
        )
        magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)
        with torch.autocast(waveform.device.type, enabled=False):  # bfloat16 would round the logs to 0.03
            return torch.log(torch.clamp(self.filterbank @ magnitude, min=self.floor))
