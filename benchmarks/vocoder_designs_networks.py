"""Generators and discriminators that the bundle's vocoder is compared with; the library has those that were kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from voxclone.config import VocoderConfig
from voxclone.kernels.istft_head import MAX_LOG_MAGNITUDE, inverse_stft
from voxclone.layers.convolution import Conv1d
from voxclone.layers.resblock import LEAKY_SLOPE, with_weight_norm
from voxclone.models.vocoder.hifigan import FrameBlock, UpsamplingTrunk
from voxclone.training.discriminators import Judgement

SLOPE = 0.1  # of the discriminators' leaky ReLUs


class ISTFTNet(UpsamplingTrunk):
    """HiFi-GAN's trunk cut short, with an inverse-STFT head (arXiv:2203.02395). Arguments as for `UpsamplingTrunk`."""

    window: Tensor

    def __init__(self, config: VocoderConfig, weight_norm: bool = False) -> None:
        super().__init__(config, weight_norm)
        head = Conv1d(self.feature_channels, config.head_n_fft + 2, 7, padding=3)
        self.conv_post = with_weight_norm(head, weight_norm)
        self.register_buffer("window", torch.hann_window(config.head_n_fft), persistent=False)

    def forward(self, mel: Tensor, f0: Tensor | None = None) -> Tensor:
        """(B, n_mels, T) to (B, T * hop_length); f0 is ignored."""
        spectrum = self.conv_post(self.features(mel), LEAKY_SLOPE).float()
        return _from_polar(spectrum, self.window, self.config.head_hop_length)


class Vocos(nn.Module):
    """A small Vocos (arXiv:2306.00814): everything at the mel's rate, one inverse STFT to samples.

    Args:
        channels: Width of the backbone.
        blocks: How many ConvNeXt blocks it has, each three times as wide inside.
        n_fft: Of the inverse STFT, in samples.
        n_mels: Bands of the mel.
        hop_length: Samples for each frame.
    """

    window: Tensor

    def __init__(self, channels: int, blocks: int, n_fft: int, n_mels: int = 80, hop_length: int = 256) -> None:
        super().__init__()
        self.channels, self.n_fft, self.hop_length = channels, n_fft, hop_length
        self.conv_pre = nn.Conv1d(n_mels, channels, 7, padding=3)
        self.norm_pre = nn.LayerNorm(channels)
        made = [FrameBlock(channels, expansion=3) for _ in range(blocks)]
        for block in made:
            nn.init.constant_(block.scale, 1 / blocks)
        self.blocks = nn.ModuleList(made)
        self.norm_post = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, n_fft + 2)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, mel: Tensor, f0: Tensor | None = None) -> Tensor:
        """(B, n_mels, T) to (B, T * hop_length); f0 is ignored."""
        x = self.norm_pre(self.conv_pre(mel).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        spectrum = self.head(self.norm_post(x.transpose(1, 2))).transpose(1, 2).float()
        return _from_polar(spectrum, self.window, self.hop_length)

    def multiply_adds(self, sample_rate: int) -> float:
        """Of its matrices, for one second of speech."""
        own = self.channels * (7 * self.conv_pre.in_channels + self.n_fft + 2)
        return sample_rate / self.hop_length * (own + len(self.blocks) * self.channels * (7 + 6 * self.channels))


def _from_polar(spectrum: Tensor, window: Tensor, hop: int) -> Tensor:
    """Log magnitudes above phases in radians, (B, n_fft + 2, J), to (B, J * hop) in [-1, 1]."""
    log_magnitude, phase = spectrum.chunk(2, 1)
    magnitude = log_magnitude.clamp(max=MAX_LOG_MAGNITUDE).exp()
    return inverse_stft(torch.polar(magnitude, phase), window, hop).clamp(-1, 1)


class MultiScaleDiscriminator(nn.Module):
    """HiFi-GAN's discriminators of the waveform at full, half and quarter rate (arXiv:2010.05646, section 2.3).

    Args:
        channels: Width of the first layer; 128 is the published one.
        scales: How many rates.
    """

    def __init__(self, channels: int, scales: int = 3) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(_ScaleDiscriminator(channels) for _ in range(scales))

    def forward(self, waveform: Tensor) -> Judgement:
        """(B, S) to scores and feature maps, as the library's discriminators."""
        features, x = [], waveform[:, None]
        for discriminator in self.discriminators:
            features.append(discriminator(x))
            x = F.avg_pool1d(x, 4, 2, padding=2)
        return [maps[-1].flatten(1) for maps in features], features


class _ScaleDiscriminator(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        c = channels
        shapes = (
            (1, c, 15, 1, 1),
            (c, c, 41, 2, 4),
            (c, 2 * c, 41, 2, 16),
            (2 * c, 4 * c, 41, 4, 16),
            (4 * c, 8 * c, 41, 4, 16),
            (8 * c, 8 * c, 41, 1, 16),
            (8 * c, 8 * c, 5, 1, 1),
        )
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv1d(inner, outer, kernel, stride, kernel // 2, groups=groups))
            for inner, outer, kernel, stride, groups in shapes
        )
        self.conv_post = weight_norm(nn.Conv1d(8 * c, 1, 3, padding=1))

    def forward(self, x: Tensor) -> list[Tensor]:
        return _features(self.convs, self.conv_post, x)


class MultiBandDiscriminator(nn.Module):
    """Discriminators of complex spectrograms, each cut into bands that have layers of their own (arXiv:2306.06546).

    Args:
        channels: Width of every layer; 32 is the published one.
        resolutions: n_fft in samples; the hop is a quarter of it.
        edges: Of the bands, as shares of the spectrum.
    """

    def __init__(
        self, channels: int, resolutions: Sequence[int], edges: Sequence[float] = (0, 0.1, 0.25, 0.5, 0.75, 1)
    ) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(_BandedDiscriminator(n_fft, channels, edges) for n_fft in resolutions)

    def forward(self, waveform: Tensor) -> Judgement:
        """(B, S) to scores and feature maps, as the library's discriminators."""
        features = [discriminator(waveform) for discriminator in self.discriminators]
        return [maps[-1].flatten(1) for maps in features], features


class _BandedDiscriminator(nn.Module):
    window: Tensor

    def __init__(self, n_fft: int, channels: int, edges: Sequence[float]) -> None:
        super().__init__()
        bins = n_fft // 2 + 1
        self.n_fft = n_fft
        self.bands = [(int(a * bins), int(b * bins)) for a, b in pairwise(edges)]
        window = torch.hann_window(n_fft)
        self.register_buffer("window", window * window.square().sum().rsqrt(), persistent=False)
        shapes = (
            (2, (3, 9), (1, 1)),
            (channels, (3, 9), (1, 2)),
            (channels, (3, 9), (1, 2)),
            (channels, (3, 9), (1, 2)),
            (channels, (3, 3), (1, 1)),
        )
        self.stacks = nn.ModuleList(
            nn.ModuleList(
                weight_norm(nn.Conv2d(inner, channels, kernel, stride, (kernel[0] // 2, kernel[1] // 2)))
                for inner, kernel, stride in shapes
            )
            for _ in self.bands
        )
        self.conv_post = weight_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        with torch.autocast(waveform.device.type, enabled=False):
            spectrum = torch.stft(
                waveform.float(), self.n_fft, self.n_fft // 4, self.n_fft, self.window, return_complex=True
            )
            parts = torch.stack([spectrum.real, spectrum.imag], 1)
            parts = (parts * (parts.square().sum(1, keepdim=True) + 1e-6).pow(-0.25)).transpose(2, 3)
            return self._judge(parts)  # narrow layers on narrow bands are faster in float32

    def _judge(self, parts: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        ends: list[Tensor] = []
        for (low, high), stack in zip(self.bands, self.stacks, strict=True):
            x = parts[..., low:high]
            for convolution in cast(nn.ModuleList, stack):
                x = F.leaky_relu(convolution(x), SLOPE)
                maps.append(x)
            ends.append(x)
        return [*maps, self.conv_post(torch.cat(ends, 3))]


def _features(convs: nn.ModuleList, conv_post: nn.Module, x: Tensor) -> list[Tensor]:
    features = []
    for convolution in convs:
        x = F.leaky_relu(convolution(x), SLOPE)
        features.append(x)
    features.append(conv_post(x))
    return features
