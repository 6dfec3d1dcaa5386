"""The speaker encoder: a few seconds of speech to one unit-length embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from voxclone.audio.mel import MelSpectrogram
from voxclone.config import SpeakerEncoderConfig


class SpeakerEncoder(nn.Module):
    """TDNN with squeeze-excitation and attentive-statistics pooling (ECAPA-TDNN, arXiv:2005.07143).

    Against the paper: the entry lowers the frame rate, and each block's dilated convolution is depthwise instead of
    Res2Net's chain, which together cost a fraction on a CPU.
    """

    def __init__(self, config: SpeakerEncoderConfig) -> None:
        super().__init__()
        channels = config.channels
        self.sample_rate, self.stride = config.sample_rate, config.entry_stride
        self.mel_spectrogram = MelSpectrogram(config)
        self.entry = nn.Conv1d(config.n_mels, channels, 7, stride=config.entry_stride, padding=3)
        self.entry_norm = nn.BatchNorm1d(channels)
        self.blocks = nn.ModuleList(TDNNBlock(channels, config.kernel_size, d) for d in config.dilations)
        self.aggregate = nn.Conv1d(channels * len(config.dilations), config.pooled_channels, 1)
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
        frames = torch.arange(mel.shape[2], device=mel.device)
        lengths = torch.full((len(mel),), mel.shape[2], device=mel.device) if mel_lengths is None else mel_lengths
        mask = (frames < lengths[:, None]).to(mel.dtype)[:, None]
        mel = (mel - (mel * mask).sum(2, keepdim=True) / mask.sum(2, keepdim=True)) * mask
        mask = mask[:, :, :: self.stride]
        x = self.entry_norm(functional.relu(self.entry(mel))) * mask
        outputs = []
        for block in self.blocks:
            x = block(x, mask)
            outputs.append(x)
        pooled = self.pooling(functional.relu(self.aggregate(torch.cat(outputs, 1))), mask)
        embedding = self.embedding_norm(self.project(self.pooled_norm(pooled)))
        return functional.normalize(embedding.float(), dim=1)

    def embed(self, waveform: Tensor) -> Tensor:
        """(B, S) speech at `sample_rate`, about -23 LUFS, to (B, D) of unit length."""
        embedding: Tensor = self(self.mel_spectrogram(waveform))
        return embedding


class TDNNBlock(nn.Module):
    """Pointwise, dilated depthwise, pointwise convolution, squeeze-excitation, residual."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2
        self.expand = nn.Conv1d(channels, channels, 1)
        self.expand_norm = nn.BatchNorm1d(channels)
        self.context = nn.Conv1d(channels, channels, kernel_size, padding=padding, dilation=dilation, groups=channels)
        self.context_norm = nn.BatchNorm1d(channels)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.mix_norm = nn.BatchNorm1d(channels)
        self.squeeze = nn.Linear(channels, channels // 4)
        self.excite = nn.Linear(channels // 4, channels)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) and mask (B, 1, T) to (B, C, T)."""
        y = self.expand_norm(functional.relu(self.expand(x))) * mask
        y = self.context_norm(functional.relu(self.context(y)))
        y = self.mix_norm(functional.relu(self.mix(y)))
        mean = (y * mask).sum(2) / mask.sum(2)
        gate = torch.sigmoid(self.excite(functional.relu(self.squeeze(mean))))
        gated: Tensor = (x + y * gate[:, :, None]) * mask
        return gated


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
