"""The periodic activation of BigVGAN, band-limited so that its harmonics do not fold back."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from voxclone.kernels.snake import TAPS, anti_aliased_snake


class AntiAliasedSnake(nn.Module):
    """Snake, x + sin²(αx)/β, at twice the rate between two low-pass filters (arXiv:2206.04658, section 3.2).

    Args:
        channels: C of the input and output (B, C, T).
        separate_beta: Learn the magnitude 1/β of each channel apart from its frequency α ("snakebeta").
        logarithmic: The parameters are the logarithms of α and β.
    """

    low_pass: Tensor

    def __init__(self, channels: int, separate_beta: bool, logarithmic: bool) -> None:
        super().__init__()
        start = torch.zeros(channels) if logarithmic else torch.ones(channels)
        self.logarithmic = logarithmic
        self.alpha = nn.Parameter(start.clone())
        self.beta = nn.Parameter(start.clone()) if separate_beta else None
        self.register_buffer("low_pass", half_band_filter(TAPS), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        alpha = self._value(self.alpha)
        beta = alpha if self.beta is None else self._value(self.beta)
        return anti_aliased_snake(x, alpha, beta, self.low_pass)

    def _value(self, parameter: Tensor) -> Tensor:
        return parameter.exp() if self.logarithmic else parameter


def half_band_filter(taps: int) -> Tensor:
    """(taps,) windowed sinc that passes the lower half of the band and sums to 1: Kaiser, 0.3 of the rate wide."""
    attenuation = 2.285 * (taps // 2 - 1) * math.pi * 1.2 + 7.95  # dB, by Kaiser's formula
    if attenuation > 50:
        shape = 0.1102 * (attenuation - 8.7)
    elif attenuation >= 21:
        shape = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    else:
        shape = 0.0
    window = torch.kaiser_window(taps, periodic=False, beta=shape, dtype=torch.float64)
    at = torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2
    weights = window * torch.sinc(at / 2)
    return (weights / weights.sum()).float()
