"""Short Fourier transforms as convolutions with real numbers, for programs that have neither."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RealSTFT(nn.Module):
    """The short-time Fourier transform and its inverse as the vocoders use them, bit for bit but for rounding.

    Args:
        n_fft: Samples of a frame.
        hop: Samples from frame to frame; n_fft - hop is even.
        window: (n_fft,), of analysis and synthesis both.
    """

    window: Tensor
    analysis: Tensor
    synthesis: Tensor

    def __init__(self, n_fft: int, hop: int, window: Tensor) -> None:
        super().__init__()
        self.hop, self.edge, bins = hop, (n_fft - hop) // 2, n_fft // 2 + 1
        angles = 2 * math.pi * torch.arange(bins)[:, None].double() * torch.arange(n_fft) / n_fft
        tapered = window.double()
        analysis = torch.cat([angles.cos(), -angles.sin()]) * tapered
        twice = torch.full((bins, 1), 2.0, dtype=torch.float64)  # a real signal's bins stand for their mirrors too
        twice[0] = 1.0
        if n_fft % 2 == 0:
            twice[-1] = 1.0
        synthesis = torch.cat([twice * angles.cos(), -twice * angles.sin()]) * tapered / n_fft
        self.register_buffer("analysis", analysis.float()[:, None])
        self.register_buffer("synthesis", synthesis.float()[:, None])
        self.register_buffer("window", window.float().square()[None, None])

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S) to real and imaginary parts, both (B, bins, S / hop)."""
        padded = F.pad(waveform[:, None], (self.edge, self.edge))
        real, imaginary = F.conv1d(padded, self.analysis, stride=self.hop).chunk(2, 1)
        return real, imaginary

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """(B, bins, J), twice, to (B, J * hop)."""
        parts = torch.cat([real, imaginary], 1)
        summed = F.conv_transpose1d(parts, self.synthesis, stride=self.hop)
        weight = F.conv_transpose1d(torch.ones_like(real[:1, :1]), self.window, stride=self.hop)
        made = (summed / weight.clamp(min=1e-3))[:, 0]
        return made[:, self.edge : made.shape[1] - self.edge]
