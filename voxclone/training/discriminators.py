"""Discriminators that tell a vocoder's waveform from a natural one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)  # samples
RESOLUTIONS = (2048, 1024, 512, 256)  # n_fft in samples

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
    """Discriminators of complex spectrograms, strided along frequency (EnCodec, arXiv:2210.13438, section 3.4).

    The strides and the small kernels make them four times cheaper than UnivNet's of the same width.

    Args:
        channels: Width of the first layer; the others are twice as wide.
        resolutions: One sub-discriminator for each n_fft, in samples; the hop is a quarter of it.
    """

    def __init__(self, channels: int = 32, resolutions: Sequence[int] = RESOLUTIONS) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(SpectrogramDiscriminator(n_fft, channels) for n_fft in resolutions)

    def forward(self, waveform: Tensor) -> Judgement:
        """Judge a batch.

        Args:
            waveform: (B, S), S greater than half of the longest n_fft.

        Returns:
            For each resolution its scores (B, n), near 1 for natural; and for each resolution the feature maps
            (B, C, bins, frames) of every layer, the score's included.
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
    """Convolutions over frequency and time of the complex STFT, its magnitudes compressed to their square root."""

    window: Tensor

    def __init__(self, n_fft: int, channels: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        window = torch.hann_window(n_fft)
        self.register_buffer("window", window * window.square().sum().rsqrt(), persistent=False)
        wide = 2 * channels
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(inner, outer, kernel, stride, padding=(kernel[0] // 2, kernel[1] // 2)))
            for inner, outer, kernel, stride in (
                (2, channels, (7, 3), (2, 1)),
                (channels, wide, (5, 3), (2, 1)),
                (wide, wide, (5, 3), (2, 2)),
                (wide, wide, (3, 3), (2, 1)),
            )
        )
        self.conv_post = weight_norm(nn.Conv2d(wide, 1, (3, 3), padding=(1, 1)))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """Feature maps of (B, S), the last one the score."""
        with torch.autocast(waveform.device.type, enabled=False):
            spectrum = torch.stft(
                waveform.float(), self.n_fft, self.n_fft // 4, self.n_fft, self.window, return_complex=True
            )
            parts = torch.stack([spectrum.real, spectrum.imag], 1)
            parts = parts * (parts.square().sum(1, keepdim=True) + 1e-6).pow(-0.25)
        return _features(self.convs, self.conv_post, parts, slope=0.1)


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
