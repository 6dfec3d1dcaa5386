"""The BigVGAN generator (arXiv:2206.04658): HiFi-GAN's shape with band-limited periodic activations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxclone.config import VocoderConfig
from voxclone.errors import ConfigError
from voxclone.layers.resblock import with_weight_norm
from voxclone.layers.snake import AntiAliasedSnake
from voxclone.models.vocoder.hifigan import check_sizes, require_mel, upsampler

BIGVGAN_BASE_22KHZ = VocoderConfig(activation="snakebeta", activation_logarithmic=True)
BIGVGAN_22KHZ = VocoderConfig(
    upsample_rates=(4, 4, 2, 2, 2, 2),
    upsample_kernel_sizes=(8, 8, 4, 4, 4, 4),
    upsample_initial_channel=1536,
    activation="snakebeta",
    activation_logarithmic=True,
)


class BigVGAN(nn.Module):
    """BigVGAN, versions 1 and 2; inference takes it from a converted checkpoint, see `convert`.

    Args:
        config: The generator's sizes, with an `activation` of "snake" or "snakebeta".
        weight_norm: Build in training form; `voxclone.layers.resblock.fold_weight_norm` turns it to inference form.

    Raises:
        ConfigError: The sizes do not fit one another.
    """

    def __init__(self, config: VocoderConfig, weight_norm: bool = False) -> None:
        super().__init__()
        check_sizes(config)
        if config.head_hop_length != 1 or config.head != "waveform" or config.activation == "leaky_relu":
            raise ConfigError(
                "BigVGAN needs head 'waveform', activation 'snake' or 'snakebeta', and upsample_rates that multiply to "
                f"hop_length {config.hop_length}; got {config.head!r}, {config.activation!r}, {config.upsample_rates}"
            )
        self.config = config
        channels = config.upsample_initial_channel
        self.conv_pre = with_weight_norm(nn.Conv1d(config.n_mels, channels, 7, padding=3), weight_norm)
        self.ups = nn.ModuleList()
        self.fusions = nn.ModuleList()
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            self.ups.append(with_weight_norm(upsampler(channels, rate, kernel), weight_norm))
            channels //= 2
            self.fusions.append(_Fusion(channels, config, weight_norm))
        self.activation_post = _activation(channels, config)
        self.conv_post = with_weight_norm(nn.Conv1d(channels, 1, 7, padding=3, bias=config.head_bias), weight_norm)

    def forward(self, mel: Tensor, f0: Tensor | None = None) -> Tensor:
        """Make the waveform.

        Args:
            mel: (B, n_mels, T) natural-log mel, T >= 1.
            f0: Ignored; other vocoders read it.

        Returns:
            (B, T * hop_length) in [-1, 1].

        Raises:
            ModelError: The mel has another shape.
        """
        require_mel(mel, self.config.n_mels)
        x: Tensor = self.conv_pre(mel)
        for up, fusion in zip(self.ups, self.fusions, strict=True):
            x = fusion(up(x))
        waveform: Tensor = self.conv_post(self.activation_post(x)).squeeze(1)
        return torch.tanh(waveform) if self.config.head_tanh else waveform.clamp(-1, 1)


class _Fusion(nn.Module):
    """The mean of residual blocks of several kernel sizes and dilations."""

    def __init__(self, channels: int, config: VocoderConfig, weight_norm: bool) -> None:
        super().__init__()
        shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
        self.resblocks = nn.ModuleList(
            _PeriodicBlock(channels, kernel, dilations, config, weight_norm) for kernel, dilations in shapes
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        first, *others = self.resblocks
        total: Tensor = first(x)
        for resblock in others:
            total = total + resblock(x)
        return total / len(self.resblocks)


class _PeriodicBlock(nn.Module):
    """AMP block: HiFi-GAN's residual block ("1": pairs of convolutions, "2": single ones) with a snake before each."""

    def __init__(
        self, channels: int, kernel_size: int, dilations: tuple[int, ...], config: VocoderConfig, weight_norm: bool
    ) -> None:
        super().__init__()

        def convolution(dilation: int) -> nn.Conv1d:
            padding = dilation * (kernel_size - 1) // 2
            made = nn.Conv1d(channels, channels, kernel_size, dilation=dilation, padding=padding)
            return with_weight_norm(made, weight_norm)

        self.paired = config.resblock == "1"
        if self.paired:
            self.convs1 = nn.ModuleList(map(convolution, dilations))
            self.convs2 = nn.ModuleList(convolution(1) for _ in dilations)
        else:
            self.convs = nn.ModuleList(map(convolution, dilations))
        count = len(dilations) * (2 if self.paired else 1)
        self.activations = nn.ModuleList(_activation(channels, config) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        if not self.paired:
            for convolution, activation in zip(self.convs, self.activations, strict=True):
                x = x + convolution(activation(x))
            return x
        pairs = zip(self.convs1, self.convs2, self.activations[::2], self.activations[1::2], strict=True)
        for dilated, undilated, before, between in pairs:
            x = x + undilated(between(dilated(before(x))))
        return x


def _activation(channels: int, config: VocoderConfig) -> AntiAliasedSnake:
    return AntiAliasedSnake(channels, config.activation == "snakebeta", config.activation_logarithmic)
