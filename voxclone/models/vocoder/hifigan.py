"""The HiFi-GAN generator (arXiv:2010.05646): mel to waveform by transposed convolutions and residual blocks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.config import VocoderConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.kernels.precision import at_inference
from voxclone.layers.convolution import Conv1d, ConvTranspose1d
from voxclone.layers.resblock import LEAKY_SLOPE, MultiReceptiveField, with_weight_norm

HIFIGAN_V1 = VocoderConfig()
HIFIGAN_V2 = VocoderConfig(upsample_initial_channel=128)
HIFIGAN_V3 = VocoderConfig(
    upsample_rates=(8, 8, 4),
    upsample_kernel_sizes=(16, 16, 8),
    upsample_initial_channel=256,
    resblock="2",
    resblock_kernel_sizes=(3, 5, 7),
    resblock_dilation_sizes=((1, 2), (2, 6), (3, 12)),
)
OUTPUT_LEAKY_SLOPE = 0.01  # before the last convolution the published weights were trained with this slope, not 0.1


class UpsamplingTrunk(nn.Module):
    """All of HiFi-GAN up to the last convolution, for the heads that make samples of its features.

    Stage i halves the channels and lengthens the time axis upsample_rates[i] times; a stage of rate 1 has a plain
    convolution in place of the transposed one. The weights start from PyTorch's defaults: so did the published ones,
    whose own initialisation weight norm overwrites.

    Args:
        config: The generator's sizes.
        weight_norm: Build in training form; `voxclone.layers.resblock.fold_weight_norm` turns it to inference form.

    Attributes:
        precision: In which dtype the convolutions are computed where no gradient is wanted; None is the mel's own.

    Raises:
        ConfigError: The sizes do not fit one another.
    """

    precision: torch.dtype | None = None

    def __init__(self, config: VocoderConfig, weight_norm: bool = False) -> None:
        super().__init__()
        check_sizes(config)
        self.config = config
        channels = config.upsample_initial_channel
        self.conv_pre = with_weight_norm(Conv1d(config.n_mels, channels, 7, padding=3), weight_norm)
        self.frame_blocks = nn.ModuleList(FrameBlock(channels) for _ in range(config.frame_blocks))
        self.ups = nn.ModuleList()
        self.fusions = nn.ModuleList()
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            self.ups.append(with_weight_norm(upsampler(channels, rate, kernel), weight_norm))
            channels //= 2
            self.fusions.append(MultiReceptiveField(channels, config, weight_norm))
        self.feature_channels = channels

    def features(self, mel: Tensor, source: Tensor | None = None) -> Tensor:
        """The last stage's output.

        Args:
            mel: (B, n_mels, T) natural-log mel, T >= 1.
            source: (B, feature_channels, T * prod(upsample_rates)), added to the input of the last fusion.

        Returns:
            (B, feature_channels, T * prod(upsample_rates)), without the activation that a head begins with.

        Raises:
            ModelError: The mel has another shape.
        """
        require_mel(mel, self.config.n_mels)
        if not self.frame_blocks:
            mel = at_inference(mel, self.precision)
        x: Tensor = self.conv_pre(mel)
        for block in self.frame_blocks:  # in the mel's own dtype: they are a small part of the work
            x = block(x)
        x = at_inference(x, self.precision)
        last = len(self.ups) - 1
        for stage, (up, fusion) in enumerate(zip(self.ups, self.fusions, strict=True)):
            x = up(x, LEAKY_SLOPE)
            x = fusion(x if source is None or stage < last else x + source.to(x.dtype))
        return x


class FrameBlock(nn.Module):
    """Depthwise convolution, layer norm, pointwise expansion (ConvNeXt, as in Vocos, arXiv:2306.00814), residual."""

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, expansion * channels)
        self.reduce = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        y = self.norm(self.depthwise(x).transpose(1, 2))
        y = self.scale * self.reduce(F.gelu(self.expand(y)))
        out: Tensor = x + y.transpose(1, 2)
        return out


class HiFiGAN(UpsamplingTrunk):
    """HiFi-GAN with its own head, one convolution and tanh. V1, V2 and V3 equal the published generators.

    Arguments and errors as for `UpsamplingTrunk`; prod(upsample_rates) must be the hop_length.
    """

    def __init__(self, config: VocoderConfig, weight_norm: bool = False) -> None:
        super().__init__(config, weight_norm)
        if config.head_hop_length != 1:
            raise ConfigError(
                f"upsample_rates {config.upsample_rates} multiply to {math.prod(config.upsample_rates)}; "
                f"the waveform head needs hop_length, {config.hop_length}"
            )
        self.conv_post = with_weight_norm(Conv1d(self.feature_channels, 1, 7, padding=3), weight_norm)

    def forward(self, mel: Tensor, f0: Tensor | None = None) -> Tensor:
        """Make the waveform.

        Args:
            mel: (B, n_mels, T) natural-log mel, T >= 1.
            f0: Ignored; other heads read it.

        Returns:
            (B, T * hop_length) in [-1, 1].

        Raises:
            ModelError: The mel has another shape.
        """
        waveform: Tensor = self.conv_post(self.features(mel), OUTPUT_LEAKY_SLOPE, tanh=True, dtype=mel.dtype)
        return waveform.squeeze(1)


def upsampler(channels: int, rate: int, kernel: int) -> Conv1d | ConvTranspose1d:
    """From (B, channels, T) to (B, channels / 2, rate * T)."""
    padding = (kernel - rate) // 2
    if rate == 1:
        return Conv1d(channels, channels // 2, kernel, padding=padding)
    return ConvTranspose1d(channels, channels // 2, kernel, stride=rate, padding=padding)


def require_mel(mel: Tensor, n_mels: int) -> None:
    """Check that a mel is (B, n_mels, T), T >= 1.

    Raises:
        ModelError: It has another shape.
    """
    if mel.dim() != 3 or mel.shape[1] != n_mels or mel.shape[2] == 0:
        raise ModelError(f"the mel has shape {tuple(mel.shape)}; this vocoder needs (B, {n_mels}, T >= 1)")


def check_sizes(config: VocoderConfig) -> None:
    """Refuse sizes with which the generator cannot keep its promise of lengths.

    Raises:
        ConfigError: They do not fit each other: says which.
    """
    rates, kernels = config.upsample_rates, config.upsample_kernel_sizes
    if not rates or len(rates) != len(kernels):
        raise ConfigError(f"upsample_rates {rates} and upsample_kernel_sizes {kernels} need one entry for each stage")
    for rate, kernel in zip(rates, kernels, strict=True):
        if rate < 1 or kernel < rate or (kernel - rate) % 2:
            raise ConfigError(
                f"upsample kernel {kernel} does not suit rate {rate}; it must be the rate plus 0, 2, 4 ..."
            )
    if config.hop_length % math.prod(rates):
        raise ConfigError(f"hop_length {config.hop_length} is no multiple of the product of upsample_rates {rates}")
    if config.upsample_initial_channel % 2 ** len(rates):
        raise ConfigError(f"upsample_initial_channel must be a multiple of {2 ** len(rates)}, one halving a stage")
    sizes, dilations = config.resblock_kernel_sizes, config.resblock_dilation_sizes
    if not sizes or len(sizes) != len(dilations):
        raise ConfigError(f"resblock_kernel_sizes {sizes} and resblock_dilation_sizes {dilations} differ in length")
    if any(size < 1 or size % 2 == 0 for size in sizes):
        raise ConfigError(f"resblock_kernel_sizes {sizes} must be odd")
