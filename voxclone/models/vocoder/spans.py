"""A waveform in spans, each from its own frames and as many around it as it depends on: equal to the whole.

A vocoder that shapes a source (a pulse train whose phase is a running sum, seeded noise) makes the source of the whole
utterance first, which is cheap, and shapes it span by span; one without makes its samples of the mel alone.
"""

from __future__ import annotations

from typing import Protocol, cast

from torch import Tensor, nn

from voxclone.config import VocoderConfig
from voxclone.kernels.snake import TAPS

FRAME_KERNEL = 7  # of the first convolution, and of the blocks that follow it and of each frame block
HEAD_KERNEL = 7  # of the last convolution
SOURCE_KERNEL = 3  # at most, over STFT frames of the source


class SourceFilter(Protocol):
    """A vocoder that shapes a source: forward(mel, f0) is filter_source(mel, source(mel, f0))."""

    def source(self, mel: Tensor, f0: Tensor | None) -> Tensor:
        """(B, n_mels, T) and (B, T) Hz to (B, K, T * hop_length), whatever the source has at each sample."""

    def filter_source(self, mel: Tensor, source: Tensor) -> Tensor:
        """(B, n_mels, T) and (B, K, T * hop_length) to (B, T * hop_length) in [-1, 1]."""


def has_source(config: VocoderConfig) -> bool:
    """Whether the vocoder of this config is a `SourceFilter`."""
    return config.head != "waveform"


def make_source(vocoder: nn.Module, config: VocoderConfig, mel: Tensor, f0: Tensor) -> Tensor:
    """The source of an utterance, for `make_span`: (B, K, T * hop_length), with K = 0 where the vocoder has none."""
    if has_source(config):
        return cast(SourceFilter, vocoder).source(mel, f0)
    return mel.new_zeros(len(mel), 0, mel.shape[2] * config.hop_length)


def make_span(vocoder: nn.Module, config: VocoderConfig, mel: Tensor, source: Tensor, start: int, end: int) -> Tensor:
    """The samples of some of an utterance's frames.

    Args:
        vocoder: In inference form.
        config: The vocoder's.
        mel: (B, n_mels, T) of the whole utterance.
        source: (B, K, T * hop_length), see `make_source`.
        start: First frame.
        end: The frame after the last, at most T.

    Returns:
        (B, (end - start) * hop_length): what the whole has there, up to rounding.
    """
    hop, context = config.hop_length, context_frames(config)
    low, high = max(0, start - context), min(mel.shape[2], end + context)
    around = mel[:, :, low:high]
    if has_source(config):
        made = cast(SourceFilter, vocoder).filter_source(around, source[:, :, low * hop : high * hop])
    else:
        made = vocoder(around)
    return made[:, (start - low) * hop : (end - low) * hop]


def context_frames(config: VocoderConfig) -> int:
    """How many frames before and after its own a sample depends on, at most.

    The span of what one frame's samples need is followed from the samples back to the mel, layer by layer; a source is
    followed to its samples as well.
    """
    span = (0, config.hop_length - 1)  # first and last index needed, here of the samples
    frames_of_source = 0
    if has_source(config):
        span = _strided_back(span, config.head_n_fft, config.head_hop_length)
        taps = _widened(span, HEAD_KERNEL // 2 + _fusion_reach(config) + SOURCE_KERNEL // 2)
        half = config.head_n_fft // 2
        samples = (taps[0] * config.head_hop_length - half, (taps[1] + 1) * config.head_hop_length + half)
        frames_of_source = _outside(samples[0] // config.hop_length, samples[1] // config.hop_length)
    span = _widened(span, HEAD_KERNEL // 2 + _activation_reach(config))
    for rate, kernel in zip(reversed(config.upsample_rates), reversed(config.upsample_kernel_sizes), strict=True):
        span = _widened(span, _fusion_reach(config))
        span = _strided_back(span, kernel, rate)
    return max(frames_of_source, _outside(*_widened(span, (1 + config.frame_blocks) * (FRAME_KERNEL // 2))))


def _fusion_reach(config: VocoderConfig) -> int:
    """Steps each side that a multi-receptive field fusion sees, by its widest residual block."""
    undilated = 1 if config.resblock == "1" else 0  # ResBlock1 has one more convolution for each dilation
    return max(
        sum(
            (dilation + undilated) * (kernel // 2) + (1 + undilated) * _activation_reach(config)
            for dilation in dilations
        )
        for kernel, dilations in zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    )


def _activation_reach(config: VocoderConfig) -> int:
    """Steps each side that one activation sees: a snake by its two filters, which work at twice the rate."""
    return 0 if config.activation == "leaky_relu" else TAPS // 2


def _widened(span: tuple[int, int], reach: int) -> tuple[int, int]:
    return span[0] - reach, span[1] + reach


def _strided_back(span: tuple[int, int], kernel: int, stride: int) -> tuple[int, int]:
    """The inputs of a transposed convolution padded by (kernel - stride) / 2, or of overlap-add, that make outputs."""
    edge = (kernel - stride) // 2
    return -((kernel - 1 - edge - span[0]) // stride), (span[1] + edge) // stride


def _outside(low: int, high: int) -> int:
    """How far a span of frames reaches beyond frame 0."""
    return max(-low, high, 0)
