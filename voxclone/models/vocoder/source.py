"""What a vocoder shapes: pulses at f0, in phase from first to last, and the f0 itself where only a mel is given."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.layers.convolution import Conv1d

FADE = 8  # the highest harmonic reaches full weight when an eighth of the way to the next one fits below Nyquist


class PitchEstimator(nn.Module):
    """f0 and voicing of a mel's frames, for mels that come without."""

    def __init__(self, n_mels: int, channels: int = 128, kernel_size: int = 5) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.layers = nn.Sequential(
            Conv1d(n_mels, channels, kernel_size, padding=padding),
            nn.ReLU(),
            Conv1d(channels, channels, kernel_size, padding=padding),
            nn.ReLU(),
            Conv1d(channels, 2, kernel_size, padding=padding),
        )

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n_mels, T) to log2-f0 in octaves above 128 Hz, and voicing logits, both (B, T)."""
        made = self.layers(mel / 4 + 1).float()
        return made[:, 0], made[:, 1]

    def f0(self, mel: Tensor) -> Tensor:
        """(B, n_mels, T) to (B, T) Hz, 0 = unvoiced."""
        octaves, voicing = self(mel)
        return torch.where(voicing > 0, 128 * 2 ** octaves.clamp(-1.5, 2.5), torch.zeros_like(voicing))


def impulse_train(f0: Tensor, hop_length: int, sample_rate: int, phase: Tensor) -> Tensor:
    """All harmonics of f0 below Nyquist in cosine phase, at unit power; silent where unvoiced.

    Args:
        f0: (B, T) Hz, 0 = unvoiced.
        hop_length: Samples for each frame.
        sample_rate: Hz.
        phase: (B, 1) radians at the start.

    Returns:
        (B, T * hop_length).
    """
    voiced = (f0 > 0).float().repeat_interleave(hop_length, 1)
    dense = _interpolate(_fill_unvoiced(f0), hop_length)
    turns = torch.cumsum(dense.double() / sample_rate, 1) + phase.double() / (2 * math.pi)
    return all_harmonics(turns, dense, sample_rate) * voiced


def all_harmonics(turns: Tensor, f0: Tensor, sample_rate: int) -> Tensor:
    """The sum of the harmonics' cosines, at unit power: continuous in both arguments, however they are rounded.

    Args:
        turns: (B, S) float64, how often the fundamental has gone round.
        f0: (B, S) Hz, above 0.
        sample_rate: Hz.
    """
    half = ((turns - turns.round()) * math.pi).float()  # from -pi / 2, so that the quotient is exact where both near 0
    below = (0.5 * sample_rate / f0).clamp(min=1 + 1 / FADE)
    count = below.floor()
    last = ((below - count) * FADE).clamp(max=1)  # weight of the highest harmonic, which fades in below Nyquist
    sine = torch.sin(half)
    zero = sine.abs() < 1e-7
    kernel = torch.sin((2 * count + 1) * half) / torch.where(zero, torch.ones_like(sine), sine)
    total = (torch.where(zero, 2 * count + 1, kernel) - 1) / 2  # the sum of cos(k turns), k = 1 … count
    return (total - (1 - last) * torch.cos(2 * count * half)) * torch.sqrt(2 / (count - 1 + last.square()))


def _fill_unvoiced(f0: Tensor) -> Tensor:
    """Unvoiced frames take the last voiced value, or the first one to come, or 128 Hz."""
    index = torch.arange(f0.shape[1], device=f0.device).expand_as(f0)
    voiced = f0 > 0
    before = torch.cummax(torch.where(voiced, index, torch.full_like(index, -1)), 1).values
    ahead = torch.where(voiced, index, torch.full_like(index, f0.shape[1])).min(1, keepdim=True).values
    source = torch.where(before >= 0, before, ahead).clamp(max=f0.shape[1] - 1)
    filled = torch.gather(f0, 1, source)
    return torch.where(filled > 0, filled, torch.full_like(filled, 128.0))


def _interpolate(frames: Tensor, hop_length: int) -> Tensor:
    """(B, T) to (B, T * hop_length), linear between the frames' centres."""
    return F.interpolate(frames[:, None], scale_factor=float(hop_length), mode="linear", align_corners=False)[:, 0]
