"""Vocoders over real numbers and operators that ONNX has: (1, n_mels, T) mel and (1, T) f0 to (1, S) samples."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.errors import ModelError
from voxclone.exporting.fourier import RealSTFT
from voxclone.kernels.istft_head import MAX_LOG_MAGNITUDE
from voxclone.kernels.pulse_source import all_harmonics
from voxclone.layers.resblock import LEAKY_SLOPE
from voxclone.models.vocoder.bigvgan import BigVGAN
from voxclone.models.vocoder.hifigan import HiFiGAN
from voxclone.models.vocoder.source_istft import VOICED_NOISE, SourceISTFT


def exportable(vocoder: nn.Module) -> nn.Module:
    """The vocoder as a module of forward(mel, f0) that can be exported; it shares the vocoder's weights.

    Raises:
        ModelError: There is no such form of this vocoder.
    """
    if isinstance(vocoder, (HiFiGAN, BigVGAN)):
        return vocoder
    if isinstance(vocoder, SourceISTFT):
        return _SourceISTFT(vocoder)
    raise ModelError(f"a vocoder of type {type(vocoder).__name__} cannot be exported to ONNX yet")


class _Source(nn.Module):
    """Pulses and noise, as the vocoders' own but for their complex numbers."""

    noise: Tensor

    def __init__(self, hop_length: int, sample_rate: int, noise: Tensor) -> None:
        super().__init__()
        self.hop_length, self.sample_rate = hop_length, sample_rate
        self.register_buffer("noise", noise)

    def pulses(self, f0: Tensor) -> Tensor:
        """As `impulse_train` from phase 0: (1, T) Hz to (1, T * hop_length)."""
        voiced = f0 > 0
        known = torch.cat([f0[voiced], torch.full_like(f0[0, :1], 128.0)])
        last = (voiced.long().cumsum(1) - 1).clamp(min=0)  # unvoiced frames take the last voiced value, or the first
        frames = known[last]
        dense = F.interpolate(frames[:, None], scale_factor=float(self.hop_length), mode="linear")[:, 0]
        turns = torch.cumsum(dense.double() / self.sample_rate, 1)
        return all_harmonics(turns, dense, self.sample_rate) * self.held(voiced.float())

    def held(self, frames: Tensor) -> Tensor:
        """(1, T) to (1, T * hop_length), each value for its whole frame."""
        return F.interpolate(frames[:, None], scale_factor=float(self.hop_length), mode="nearest")[:, 0]

    def white(self, pulses: Tensor) -> Tensor:
        """Noise like the pulses, (1, S)."""
        at = torch.ones_like(pulses, dtype=torch.int64).cumsum(1) - 1
        return self.noise[at % len(self.noise)]


class _SourceISTFT(nn.Module):
    """`SourceISTFT` with its complex numbers as pairs of real ones; one utterance at a time."""

    def __init__(self, vocoder: SourceISTFT) -> None:
        super().__init__()
        config = vocoder.config
        self.vocoder = vocoder
        self.source = _Source(config.hop_length, config.sample_rate, vocoder.noise.float().clone())
        self.transform = RealSTFT(config.head_n_fft, config.head_hop_length, vocoder.window)

    def forward(self, mel: Tensor, f0: Tensor) -> Tensor:
        pulses = self.source.pulses(f0)
        noise = self.source.white(pulses)
        voiced = self.source.held((f0 > 0).float())
        x = self.vocoder.features(mel, self.vocoder.source_in(torch.stack([pulses, noise], 1)))
        log_magnitude, turn = self.vocoder.conv_post(x, LEAKY_SLOPE).chunk(2, 1)
        real, imaginary = self.transform(pulses + noise * (1 - (1 - VOICED_NOISE) * voiced))
        size = torch.sqrt(real.square() + imaginary.square()).clamp(min=1e-3)
        real, imaginary = real / size, imaginary / size
        magnitude = log_magnitude.clamp(max=MAX_LOG_MAGNITUDE).exp()
        a, b = magnitude * torch.cos(turn), magnitude * torch.sin(turn)
        made: Tensor = self.transform.inverse(a * real - b * imaginary, a * imaginary + b * real)
        return made.clamp(-1, 1)
