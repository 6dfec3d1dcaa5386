"""Vocoders: mel (B, n_mels, T) to waveform (B, T * hop_length)."""

from __future__ import annotations

from torch import nn

from voxclone.config import VocoderConfig
from voxclone.models.vocoder.hifigan import HIFIGAN_V1, HIFIGAN_V2, HIFIGAN_V3, HiFiGAN

__all__ = ["HIFIGAN_V1", "HIFIGAN_V2", "HIFIGAN_V3", "HiFiGAN", "build_vocoder"]


def build_vocoder(config: VocoderConfig, weight_norm: bool = False) -> nn.Module:
    """The vocoder that `config.head` names, with fresh weights.

    Args:
        config: The generator's sizes and head.
        weight_norm: Build in training form; `voxclone.layers.resblock.fold_weight_norm` turns it to inference form.

    Returns:
        A module of forward(mel (B, n_mels, T), f0 (B, T) Hz or None) -> waveform (B, T * hop_length) in [-1, 1].

    Raises:
        ConfigError: The sizes do not fit one another.
    """
    if config.activation != "leaky_relu":
        from voxclone.models.vocoder.bigvgan import BigVGAN

        return BigVGAN(config, weight_norm)
    if config.head == "source_istft":
        from voxclone.models.vocoder.source_istft import SourceISTFT

        return SourceISTFT(config, weight_norm)
    return HiFiGAN(config, weight_norm)
