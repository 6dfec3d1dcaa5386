"""Discriminators that tell a made mel from a natural one, given whose voice it should be."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.training.discriminators import Judgement

SLOPE = 0.2  # of the leaky ReLUs
WINDOWS = (24, 48, 96)  # frames


class MelDiscriminators(nn.Module):
    """One discriminator for each window length, each on a random window of every mel (GANSpeech, arXiv:2106.15153).

    Args:
        speaker_dim: D of the speaker embedding.
        channels: Width of the first layer; the later ones are twice and four times as wide.
        windows: Frames that each one sees.
    """

    def __init__(self, speaker_dim: int, channels: int = 16, windows: Sequence[int] = WINDOWS) -> None:
        super().__init__()
        self.windows = tuple(windows)
        self.discriminators = nn.ModuleList(WindowDiscriminator(speaker_dim, channels) for _ in windows)

    def forward(self, mel: Tensor, speaker_embedding: Tensor) -> Judgement:
        """Judge a batch.

        Args:
            mel: (B, n_mels, T) about zero mean and unit spread, T at least the longest window.
            speaker_embedding: (B, D) unit length.

        Returns:
            For each window its scores (B, n), near 1 for natural; and for each window the feature maps of every layer,
            the scores' map included.
        """
        scores, maps = [], []
        for window, discriminator in zip(self.windows, self.discriminators, strict=True):
            start = int(torch.randint(mel.shape[2] - window + 1, ()))
            features = discriminator(mel[:, :, start : start + window], speaker_embedding)
            scores.append(features[-1].flatten(1))
            maps.append(features)
        return scores, maps


class WindowDiscriminator(nn.Module):
    """Strided convolutions over bands and frames to a map of scores, with the speaker projected (arXiv:1802.05637)."""

    def __init__(self, speaker_dim: int, channels: int) -> None:
        super().__init__()
        widths = (1, channels, 2 * channels, 4 * channels, 4 * channels)
        strides = ((2, 1), (2, 2), (2, 2), (1, 1))
        self.convs = nn.ModuleList(
            _convolution(inner, outer, kernel, stride)
            for inner, outer, kernel, stride in zip(widths[:-1], widths[1:], (5, 5, 5, 3), strides, strict=True)
        )
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)
        self.speaker = nn.Linear(speaker_dim, widths[-1], bias=False)

    def forward(self, mel: Tensor, speaker_embedding: Tensor) -> list[Tensor]:
        """Feature maps (B, C, bands, frames) of (B, n_mels, T) and (B, D), the last one the score."""
        x = mel[:, None]
        features = []
        for convolution in self.convs:
            x = F.leaky_relu(convolution(x), SLOPE)
            features.append(x)
        wanted = self.speaker(speaker_embedding * speaker_embedding.shape[1] ** 0.5)[:, :, None, None]
        features.append(self.score(x) + (wanted * x).mean(1, keepdim=True))
        return features


def _convolution(inner: int, outer: int, kernel: int, stride: tuple[int, int]) -> nn.Module:
    """With weight norm; PyTorch's own start would let the signal fade on its way to the score."""
    convolution = nn.Conv2d(inner, outer, kernel, stride, padding=kernel // 2)
    nn.init.kaiming_normal_(convolution.weight, a=SLOPE)
    nn.utils.parametrizations.weight_norm(convolution)
    return convolution
