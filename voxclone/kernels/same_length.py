"""A convolution that keeps the length, with what follows it in a residual block, on a CPU: one call of oneDNN.

**At once.** oneDNN takes weights that are laid out for it beforehand, and does what follows, a leaky ReLU or the
addition of the residual, before it stores what it convolved. PyTorch's compiler has it do so, by the ops
`torch.ops.mkldnn`, which are called here; where they are missing, plain ones follow each other.

**Folded.** Rows of few channels leave most of a processor's vector or tile idle. The same memory, read with `fold`
steps of time for channels, has rows that fill it, and the convolution becomes another, of fewer taps over more
channels. It multiplies by zeros, too, which costs less than idle lanes.
"""

from __future__ import annotations

import functools
import platform
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from voxclone.kernels.packing import packed

LANES = 16  # channels that a row should have: as many as a vector of AVX-512 has of float32
TILE = 32  # and of bfloat16 where there is AMX: as many as a row of its tiles has


def fold_of(channels: int, length: int, dtype: torch.dtype) -> int:
    """How many steps of time to take for channels, which must divide the length."""
    fold = max(1, (TILE if dtype == torch.bfloat16 and _has_tiles() else LANES) // channels)
    return fold if length % fold == 0 else 1


def convolve_same(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    dilation: int,
    fold: int = 1,
    *,
    groups: int = 1,
    slope: float = 1.0,
    residual: Tensor | None = None,
) -> Tensor:
    """Convolve, padded so that the length is kept; then take the leaky ReLU, or add the residual.

    Args:
        rows: (B, fold C, 1, T / fold), channels innermost.
        weight: (C', C / groups, K), K odd. It and the bias are used in the dtype of the rows.
        bias: (C',).
        dilation: Steps of time from one tap to the next.
        fold: Steps of time that stand beside each other in a row.
        groups: Of channels, as in `torch.nn.Conv1d`; one where anything is folded.
        slope: Of the leaky ReLU; 1 is none.
        residual: Like what is returned; it has no leaky ReLU beside it.

    Returns:
        (B, fold C', 1, T / fold).
    """
    reach, step = _reach(weight, dilation, fold), dilation if fold == 1 else 1
    padding = [0, reach * step]
    # Of one row alone PyTorch 2.7 does not know the strides; of few channels it is slow.
    at_once = _follows_at_once(rows.dtype) and rows.shape[1] >= LANES and rows.shape[3] > 1

    def pack(weight: Tensor) -> Tensor:
        kernel = _folded(weight, dilation, fold).unsqueeze(2).contiguous(memory_format=torch.channels_last)
        given = padding, [1, 1], [1, step], groups, list(rows.shape)
        return torch.ops.mkldnn._reorder_convolution_weight(kernel, *given) if at_once else kernel

    kernel = packed(weight, rows.dtype, pack, ("same length", dilation, fold, at_once))
    if bias is not None:
        bias = packed(bias, rows.dtype, lambda bias: bias.repeat(fold), ("same length", fold))
    if at_once:
        given = kernel, bias, padding, [1, 1], [1, step], groups
        convolve = torch.ops.mkldnn._convolution_pointwise
        if residual is not None:
            made = convolve.binary(rows, residual, *given, "add", 1.0, None, [], None)
        else:
            made = convolve(rows, *given, *(("none", [], "") if slope == 1 else ("leaky_relu", [slope], "")))
        return cast(Tensor, made)
    made = F.conv2d(rows, kernel, bias, padding=padding, dilation=(1, step), groups=groups)
    if residual is not None:
        return made.add_(residual)
    return made if slope == 1 else F.leaky_relu_(made, slope)


def _reach(weight: Tensor, dilation: int, fold: int) -> int:
    """Rows that a convolution reads before and after the middle one; where nothing is folded, its taps there."""
    taps = (weight.shape[2] - 1) // 2
    return taps if fold == 1 else -(-taps * dilation // fold)


def _folded(weight: Tensor, dilation: int, fold: int) -> Tensor:
    """(C', C, K) to (fold C', fold C, K'): what a convolution of rows is to rows that have `fold` of them in one."""
    if fold == 1:
        return weight
    made_channels, channels, taps = weight.shape
    reach = _reach(weight, dilation, fold)
    made = weight.new_zeros(fold, made_channels, fold, channels, 2 * reach + 1)
    for into in range(fold):
        for tap in range(taps):
            row, out_of = divmod(into + (tap - taps // 2) * dilation, fold)
            made[into, :, out_of, :, row + reach] = weight[:, :, tap]
    return made.view(fold * made_channels, fold * channels, -1)


@functools.cache
def _has_tiles() -> bool:
    return bool(torch.cpu._is_amx_tile_supported())


@functools.cache
def _follows_at_once(dtype: torch.dtype) -> bool:
    """Whether oneDNN takes what follows a convolution: in PyTorch for x86, and in a dtype that the processor has."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    ops = torch.ops.mkldnn
    if not all(hasattr(ops, name) for name in ("_convolution_pointwise", "_reorder_convolution_weight")):
        return False
    return dtype == torch.float32 or bool(ops._is_mkldnn_bf16_supported())
