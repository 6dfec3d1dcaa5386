"""What a vocoder's convolutions cost: the number that decides in which precision they are computed."""

from __future__ import annotations

from voxclone.config import VocoderConfig


def multiply_adds(config: VocoderConfig) -> float:
    """Multiply-adds of the convolutions for one second of speech; activations and transforms are left out."""
    rate, channels = config.sample_rate / config.hop_length, config.upsample_initial_channel
    per_residual = 2 if config.resblock == "1" else 1
    shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    taps = sum(kernel * len(dilations) * per_residual for kernel, dilations in shapes)
    total = rate * channels * (7 * config.n_mels + config.frame_blocks * (7 + 4 * channels))
    for factor, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
        total += rate * kernel * channels * (channels // 2)
        rate, channels = rate * factor, channels // 2
        total += rate * channels**2 * taps
    if config.head == "waveform":
        return total + rate * 7 * channels
    bins = config.head_n_fft // 2 + 1
    return total + rate * channels * (7 * 2 * bins + 2 * config.head_n_fft)
