"""Discriminators that tell a vocoder's waveform from a natural one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)  # samples
RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))  # n_fft, hop_length, win_length in samples

Judgement = tuple[list[Tensor], list[list[Tensor]]]


class MultiPeriodDiscriminator(nn.Module):
    """HiFi-GAN's discriminators of the waveform folded at prime periods (arXiv:2010.05646, section 2.3).

    Args:
        channels: Width of the first layer; the following are 4, 16, 32 and 32 times as wide. 32 is the published width.
        periods: One sub-discriminator for each, in samples.
    """

    def __init__(self, channels: int = 32, periods: Sequence[int] = PERIODS) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(PeriodDiscriminator(period, channels) for period in periods)

    def forward(self, waveform: Tensor) -> Judgement:
        """Judge a batch.

        Args:
            waveform: (B, S), S greater than the longest period.

        Returns:
            For each period its scores (B, n), near 1 for natural; and for each period the feature maps
            (B, C, n, period) of every layer, the score's included.
        """
        return _judge(self.discriminators, waveform)


class MultiResolutionDiscriminator(nn.Module):
    """UnivNet's discriminators of linear magnitude spectrograms (arXiv:2106.07889, section 2.3).

    Args:
        channels: Width of every layer; 32 is the published width.
        resolutions: One sub-discriminator for each (n_fft, hop_length, win_length), in samples.
    """

    def __init__(self, channels: int = 32, resolutions: Sequence[tuple[int, int, int]] = RESOLUTIONS) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(SpectrogramDiscriminator(*sizes, channels) for sizes in resolutions)

    def forward(self, waveform: Tensor) -> Judgement:
        """Judge a batch.

        Args:
            waveform: (B, S), S greater than half of the longest n_fft.

        Returns:
            For each resolution its scores (B, n), near 1 for natural; and for each resolution the feature maps
            (B, C, n_fft / 2 + 1, frames) of every layer, the score's included.
        """
        return _judge(self.discriminators, waveform)


class PeriodDiscriminator(nn.Module):
    """Convolutions along time over (B, 1, ceil(S / period), period): each column sees every period-th sample."""

    def __init__(self, period: int, channels: int) -> None:
        super().__init__()
        self.period = period
        widths = (1, channels, 4 * channels, 16 * channels, 32 * channels, 32 * channels)
        strides = (3, 3, 3, 3, 1)
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(inner, outer, (5, 1), (stride, 1), padding=(2, 0)))
            for inner, outer, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )
        self.conv_post = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """Feature maps of (B, S), the last one the score."""
        padded = F.pad(waveform[:, None], (0, -waveform.shape[1] % self.period), mode="reflect")
        columns = padded.reshape(len(waveform), 1, -1, self.period)
        return _features(self.convs, self.conv_post, columns, slope=0.1)


class SpectrogramDiscriminator(nn.Module):
    """Convolutions over frequency and time of the magnitude STFT, strided along time."""

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int, win_length: int, channels: int) -> None:
        super().__init__()
        self.n_fft, self.hop_length, self.win_length = n_fft, hop_length, win_length
        self.register_buffer("window", torch.hann_window(win_length), persistent=False)
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(inner, channels, kernel, (1, stride), padding=(kernel[0] // 2, kernel[1] // 2)))
            for inner, kernel, stride in (
                (1, (3, 9), 1),
                (channels, (3, 9), 2),
                (channels, (3, 9), 2),
                (channels, (3, 9), 2),
                (channels, (3, 3), 1),
            )
        )
        self.conv_post = weight_norm(nn.Conv2d(channels, 1, (3, 3), padding=(1, 1)))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """Feature maps of (B, S), the last one the score."""
        padding = (self.n_fft - self.hop_length) // 2
        padded = F.pad(waveform[:, None], (padding, padding), mode="reflect").squeeze(1)
        spectrum = torch.stft(
            padded, self.n_fft, self.hop_length, self.win_length, self.window, center=False, return_complex=True
        )
        return _features(self.convs, self.conv_post, spectrum.abs()[:, None], slope=0.2)


def _features(convs: nn.ModuleList, conv_post: nn.Module, x: Tensor, slope: float) -> list[Tensor]:
    features = []
    for convolution in convs:
        x = F.leaky_relu(convolution(x), slope)
        features.append(x)
    features.append(conv_post(x))
    return features


def _judge(discriminators: nn.ModuleList, waveform: Tensor) -> Judgement:
    features = [discriminator(waveform) for discriminator in discriminators]
    return [maps[-1].flatten(1) for maps in features], features
