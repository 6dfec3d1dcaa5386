"""The variance adaptor: durations, pitch and energy of each phoneme (FastSpeech 2, arXiv:2006.04558, section 2.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from voxclone.layers.convolution import Conv1d
from voxclone.layers.norm import ConditionalLayerNorm
from voxclone.models.acoustic.units import ENERGY_MIDDLE, ENERGY_SPREAD, PITCH_UNITS
from voxclone.text.symbols import SILENCES, SPACE

LONGEST_SOUND, LONGEST_SPACE = math.log(20), math.log(12)  # frames to which stretching lengthens
TEMPERATURE = 0.4  # of random variation: all of what a predictor misses, drawn sound by sound, is no speaker's reading
_SPACE = SILENCES.index(SPACE)


class VariancePredictor(nn.Module):
    """One value, or a few, for each phoneme."""

    def __init__(
        self, dim: int, outputs: int, layers: int, kernel_size: int, condition_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.convolutions = nn.ModuleList(
            Conv1d(dim, dim, kernel_size, padding=kernel_size // 2) for _ in range(layers)
        )
        self.norms = nn.ModuleList(ConditionalLayerNorm(dim, condition_dim) for _ in range(layers))
        self.project = nn.Linear(dim, outputs)

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """(B, N, D), mask (B, N), condition (B, C) to (B, N, outputs)."""
        keep = mask[:, :, None].to(x.dtype)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            y = functional.relu(convolution((x * keep).transpose(1, 2)).transpose(1, 2))
            x = x + functional.dropout(norm(y, condition), self.dropout, self.training)
        projected: Tensor = self.project(x * keep)
        return projected


class ProsodySpread(nn.Module):
    """Gives predicted prosody the spread of real speech: a predictor's mean lies nearer to its symbol's average.

    The four values are pitch, voiced share and energy as `phoneme_prosody` has them, and log duration.
    """

    average: Tensor  # (n_symbols, 4) over training speech
    stretch: Tensor  # (4,) spread of real values around their symbol's average by that of predicted ones
    residual: Tensor  # (4,) standard deviation of real values around predicted ones
    UNMEASURED_RESIDUAL = (0.25, 0.0, 0.0, 0.12)  # which serves where it was not measured

    def __init__(self, n_symbols: int) -> None:
        super().__init__()
        self.register_buffer("average", torch.zeros(n_symbols, 4))
        self.register_buffer("stretch", torch.ones(4))
        self.register_buffer("residual", torch.tensor(self.UNMEASURED_RESIDUAL))

    def forward(self, values: Tensor, phoneme_ids: Tensor, noise: Tensor | None) -> Tensor:
        """(B, N, 4) predicted values to those to be spoken.

        Deviations of sounds from their symbol's average are stretched, and those of a space's duration; of a pause they
        stay. What is long is not made much longer. Noise, (B, N, 4) of unit variance, stands for what the predictor
        cannot know; neighbours vary alike.
        """
        average = self.average[phoneme_ids]
        sounds = phoneme_ids >= len(SILENCES)
        stretched = average + (values - average) * self.stretch
        longest = LONGEST_SPACE + (LONGEST_SOUND - LONGEST_SPACE) * sounds.to(values.dtype)
        durations = torch.minimum(stretched[:, :, 3], torch.maximum(values[:, :, 3], longest))
        durations = torch.where(sounds | (phoneme_ids == _SPACE), durations, values[:, :, 3])
        prosody = torch.where(sounds[:, :, None], stretched[:, :, :3], values[:, :, :3])
        values = torch.cat([prosody, durations[:, :, None]], 2)
        if noise is None:
            return values
        smooth = (noise + functional.pad(noise, (0, 0, 1, -1)) + functional.pad(noise, (0, 0, -1, 1))) / 3**0.5
        return values + TEMPERATURE * self.residual * smooth


def seeded_noise(lengths: Tensor, size: int, seed: int) -> Tensor:
    """(B, size, 4) normal noise; each item's depends on the seed and its own length alone."""
    noise = torch.zeros(len(lengths), size, 4)
    for row, length in zip(noise, lengths.tolist(), strict=True):
        row[:length] = torch.randn(length, 4, generator=torch.Generator().manual_seed(seed))
    return noise


class ProsodyEmbedding(nn.Module):
    """Pitch, voicing and energy of the phonemes as vectors, by convolution (no buckets, so that it exports)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3, dim, 3, padding=1)

    def forward(self, prosody: Tensor) -> Tensor:
        """(B, N, 3) to (B, N, D)."""
        embedded: Tensor = self.convolution(prosody.transpose(1, 2))
        return embedded.transpose(1, 2)


def phoneme_prosody(mel: Tensor, f0: Tensor, durations: Tensor, f0_median: Tensor) -> Tensor:
    """What the speaker did in each phoneme, as the adaptor learns it.

    Args:
        mel: (B, n_mels, T) natural-log mel.
        f0: (B, T) Hz, 0 = unvoiced.
        durations: (B, N) int64, frames.
        f0_median: (B,) Hz, the speaker's.

    Returns:
        (B, N, 3): mean log-f0 of the voiced frames against the speaker's median, in thirds of an octave (0 where
        nothing is voiced); share of voiced frames; mean energy in the mel's own unit, from its middle, halved.
    """
    voiced = (f0 > 0).to(mel.dtype)
    relative = torch.log2(torch.where(f0 > 0, f0, f0_median[:, None]) / f0_median[:, None]) * PITCH_UNITS
    energy = (torch.logsumexp(mel, 1) - ENERGY_MIDDLE) / ENERGY_SPREAD
    sums = sum_by_phoneme(torch.stack([relative * voiced, voiced, energy], 2), durations)
    pitch = sums[:, :, 0] / sums[:, :, 1].clamp(min=1)
    frames = durations.clamp(min=1).to(mel.dtype)
    return torch.stack([pitch, sums[:, :, 1] / frames, sums[:, :, 2] / frames], 2) * (durations > 0)[:, :, None]


def sum_by_phoneme(frames: Tensor, durations: Tensor) -> Tensor:
    """(B, T, K) summed over each phoneme's frames: (B, N, K)."""
    total = functional.pad(frames.cumsum(1), (0, 0, 1, 0))
    ends = durations.cumsum(1)
    at = torch.gather(total, 1, ends[:, :, None].expand(-1, -1, frames.shape[2]))
    return at - functional.pad(at[:, :-1], (0, 0, 1, 0))
