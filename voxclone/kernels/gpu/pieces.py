"""Weights and biases as `block.cu` takes them, all of a launch together, filled up with zeros to a width."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from voxclone.kernels.packing import packed_together


def width_of(channels: int) -> int:
    """Channels in shared memory: a power of two, at least 8."""
    return max(8, 1 << (channels - 1).bit_length())


def taps_together(width: int) -> int:
    """Of a product, which sums over 16 values."""
    return 2 if width == 8 else 1


def pieces(weights: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """All N convolutions' weights (C', C, K) in one row, in the order in which `block.cu` reads them.

    That is (N, K, C / 8, C', 8), channels filled up with zeros to the width. Of 8 channels it is (N, K + 1, 1, 8, 8),
    taps two by two: the last tap follows a zero one.
    """
    return packed_together(weights, dtype, _pieces, ("pieces", len(weights)))


def padded_biases(biases: Sequence[Tensor]) -> Tensor:
    """All N convolutions' biases (C,) in float32, (N, width): each filled up with zeros."""
    return packed_together(biases, torch.float32, _padded, ("padded", len(biases)))


def _pieces(weights: Sequence[Tensor]) -> Tensor:
    made = []
    for weight in weights:
        channels, taps = weight.shape[0], weight.shape[2]
        width = width_of(channels)
        filled = weight.new_zeros(width, width, taps)
        filled[:channels, :channels] = weight
        in_order = filled.view(width, width // 8, 8, taps).permute(3, 1, 0, 2)
        if taps_together(width) == 2:
            in_order = torch.cat([in_order[:-1], torch.zeros_like(in_order[-1:]), in_order[-1:]])
        made.append(in_order.reshape(-1))
    return torch.cat(made).contiguous()


def _padded(biases: Sequence[Tensor]) -> Tensor:
    channels = len(biases[0])
    return torch.stack([torch.nn.functional.pad(bias, (0, width_of(channels) - channels)) for bias in biases])
