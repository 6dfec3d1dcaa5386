"""The f0 of a mel, for a vocoder that shapes pulses at f0 where only a mel is given."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxclone.layers.convolution import Conv1d


class PitchEstimator(nn.Module):
    """f0 and voicing of a mel's frames, for mels that come without."""

    def __init__(self, n_mels: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Conv1d(n_mels, channels, 5, padding=2),
            nn.ReLU(),
            Conv1d(channels, channels, 5, padding=2),
            nn.ReLU(),
            Conv1d(channels, 2, 5, padding=2),
        )

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n_mels, T) to log2-f0 in octaves above 128 Hz, and voicing logits, both (B, T)."""
        made = self.layers(mel / 4 + 1).float()
        return made[:, 0], made[:, 1]

    def f0(self, mel: Tensor) -> Tensor:
        """(B, n_mels, T) to (B, T) Hz, 0 = unvoiced."""
        octaves, voicing = self(mel)
        return torch.where(voicing > 0, 128 * 2 ** octaves.clamp(-1.5, 2.5), torch.zeros_like(voicing))
