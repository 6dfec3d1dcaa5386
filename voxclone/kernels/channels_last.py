"""Convolutions over time as torch computes them fastest on a CPU: 2-d ones of height 1, channels innermost.

oneDNN otherwise reorders input, weight and output of every 1-d convolution at every call.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from voxclone.kernels.packing import packed


def to_rows(x: Tensor, fold: int = 1) -> Tensor:
    """(B, C, T) of any strides to (B, C, 1, T) whose channels are innermost; a view where they are already.

    With `fold` that many steps of time stand beside each other in a row: (B, fold C, 1, T / fold).
    """
    batch, channels, length = x.shape
    dense = x.transpose(1, 2).contiguous()
    return dense.view(batch, length // fold, channels * fold).transpose(1, 2).unsqueeze(2)


def from_rows(rows: Tensor, fold: int = 1) -> Tensor:
    """What `to_rows` makes back to (B, C, T), channels innermost; a view where they are already."""
    batch, channels, _, length = rows.shape
    dense = rows.contiguous(memory_format=torch.channels_last)
    channels, length = channels // fold, length * fold
    return dense.as_strided((batch, channels, length), (channels * length, 1, channels))


def empty_rows(x: Tensor, channels: int, length: int) -> Tensor:
    """Uninitialised (B, C, T) with the strides that `from_rows` gives."""
    return x.new_empty(x.shape[0], length, channels).transpose(1, 2)


def convolve_rows(
    rows: Tensor, weight: Tensor, bias: Tensor | None, padding: int, dilation: int, groups: int = 1
) -> Tensor:
    """(B, C, 1, T) to (B, C', 1, T') by a weight (C', C / groups, K), in the dtype of `rows`."""
    kernel = packed(weight, rows.dtype, _kernel)
    return F.conv2d(rows, kernel, _bias(bias, rows.dtype), padding=(0, padding), dilation=(1, dilation), groups=groups)


def convolve_rows_transposed(rows: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """(B, C, 1, T) to (B, C', 1, T') by a weight (C, C', K), in the dtype of `rows`."""
    kernel = packed(weight, rows.dtype, _kernel)
    return F.conv_transpose2d(rows, kernel, _bias(bias, rows.dtype), stride=(1, stride), padding=(0, padding))


def _kernel(weight: Tensor) -> Tensor:
    return weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _bias(bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if bias is None else packed(bias, dtype, _vector)


def _vector(bias: Tensor) -> Tensor:
    return bias.contiguous()
