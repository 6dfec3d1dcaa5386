"""The speaker encoder: a few seconds of speech to one unit-length embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from voxclone.audio.mel import MelSpectrogram
from voxclone.config import SpeakerEncoderConfig
from voxclone.layers.masks import length_mask
from voxclone.models.speaker_trunks import TRUNKS


class SpeakerEncoder(nn.Module):
    """A trunk over the mel, attentive-statistics pooling, one projection (ECAPA-TDNN, arXiv:2005.07143)."""

    def __init__(self, config: SpeakerEncoderConfig) -> None:
        super().__init__()
        self.sample_rate, self.space = config.sample_rate, config.space
        self.mel_shape = config
        self.mel_spectrogram = MelSpectrogram(config)
        self.trunk = TRUNKS[config.trunk](config)
        self.pooling = AttentiveStatisticsPooling(config.pooled_channels, config.attention_channels)
        self.pooled_norm = nn.BatchNorm1d(2 * config.pooled_channels)
        self.project = nn.Linear(2 * config.pooled_channels, config.embedding_dim)
        self.embedding_norm = nn.BatchNorm1d(config.embedding_dim)

    def forward(self, mel: Tensor, mel_lengths: Tensor | None = None) -> Tensor:
        """Embed speech by its mel.

        Args:
            mel: (B, n_mels, T) natural-log mel of this encoder's own shape.
            mel_lengths: (B,) frames that are real; None if all are.

        Returns:
            (B, D) of unit length.
        """
        lengths = torch.full((len(mel),), mel.shape[2], device=mel.device) if mel_lengths is None else mel_lengths
        mask = length_mask(lengths, mel.shape[2]).to(mel.dtype)[:, None]
        mel = (mel - (mel * mask).sum(2, keepdim=True) / mask.sum(2, keepdim=True)) * mask
        pooled = self.pooling(*self.trunk(mel, mask))
        embedding = self.embedding_norm(self.project(self.pooled_norm(pooled)))
        return functional.normalize(embedding.float(), dim=1)

    def embed(self, waveform: Tensor) -> Tensor:
        """(B, S) speech at `sample_rate`, about -23 LUFS, to (B, D) of unit length."""
        embedding: Tensor = self(self.mel_spectrogram(waveform))
        return embedding


class AttentiveStatisticsPooling(nn.Module):
    """Mean and deviation weighted by channel-wise attention that sees the whole utterance (arXiv:1803.10963)."""

    def __init__(self, channels: int, attention_channels: int) -> None:
        super().__init__()
        self.hidden = nn.Conv1d(channels, attention_channels, 1)
        self.context = nn.Linear(2 * channels, attention_channels)
        self.score = nn.Conv1d(attention_channels, channels, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) and mask (B, 1, T) to (B, 2 C)."""
        x = x.float()
        mean, deviation = _statistics(x, mask / mask.sum(2, keepdim=True))
        context = self.context(torch.cat([mean, deviation], 1))[:, :, None]
        scores = self.score(torch.tanh(self.hidden(x) + context)).float()
        weights = torch.softmax(scores.masked_fill(mask == 0, -1e4), dim=2)
        return torch.cat(_statistics(x, weights), 1)


def _statistics(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    mean = (x * weights).sum(2)
    variance = (x.square() * weights).sum(2) - mean.square()
    return mean, variance.clamp(min=1e-4).sqrt()
