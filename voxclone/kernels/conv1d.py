"""A convolution over time with the leaky ReLU before it and the tanh after it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from voxclone.kernels.channels_last import convolve_rows, empty_rows, from_rows, to_rows
from voxclone.kernels.dispatch import fused_serves, in_autocast, runs_directly
from voxclone.kernels.packing import packed
from voxclone.kernels.recomputation import gradients_of
from voxclone.kernels.same_length import convolve_same


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: int = 0,
    dilation: int = 1,
    slope: float = 1.0,
    tanh: bool = False,
    dtype: torch.dtype | None = None,
    groups: int = 1,
) -> Tensor:
    """Convolve leaky_relu(x) and, if asked, take the tanh of it. Stride 1.

    Args:
        x: (B, C, T), any strides.
        weight: (C', C / groups, K). It and the bias are used in `dtype`.
        bias: (C',).
        padding: Zeros at both ends.
        dilation: Steps from one tap to the next.
        slope: Of the leaky ReLU; 1 is none.
        tanh: Whether the output's tanh is taken.
        dtype: That is computed in, of the output too; None is that of x. Within torch.autocast it is autocast's.
        groups: Of channels, as in `torch.nn.Conv1d`.

    Returns:
        (B, C', T + 2 padding - dilation (K - 1)). Of the fused form the channels are innermost in memory.
    """
    op = "conv1d" if weight.shape[0] > 1 else "conv1d to one channel"
    if fused_serves(op, x, weight, *() if bias is None else (bias,)):
        fused = conv1d_on_cpu if runs_directly(x) else _fused
        dtype = None if torch.is_autocast_enabled(x.device.type) else dtype
        made: Tensor = fused(in_autocast(x), weight, bias, padding, dilation, slope, tanh, dtype, groups)
        return made
    return conv1d_reference(x, weight, bias, padding, dilation, slope, tanh, dtype, groups)


def conv1d_reference(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: int,
    dilation: int,
    slope: float,
    tanh: bool,
    dtype: torch.dtype | None = None,
    groups: int = 1,
) -> Tensor:
    """What `conv1d` computes, in plain PyTorch."""
    x = x if dtype is None else x.to(dtype)
    x = F.leaky_relu(x, slope) if slope != 1 else x
    bias = None if bias is None else bias.to(x.dtype)
    y = F.conv1d(x, weight.to(x.dtype), bias, padding=padding, dilation=dilation, groups=groups)
    return torch.tanh(y) if tanh else y


def conv1d_on_cpu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: int,
    dilation: int,
    slope: float,
    tanh: bool,
    dtype: torch.dtype | None = None,
    groups: int = 1,
) -> Tensor:
    """The fused form on a CPU."""
    rows = to_rows(x if dtype is None else x.to(dtype))
    rows = F.leaky_relu(rows, slope) if slope != 1 else rows
    taps = weight.shape[2]
    if taps % 2 == 1 and 2 * padding == dilation * (taps - 1):
        y = convolve_same(rows, weight, bias, dilation, groups=groups)
    else:
        y = convolve_rows(rows, weight, bias, padding, dilation, groups)
    return from_rows(y.tanh_() if tanh else y)


_fused = torch.library.custom_op("voxclone::conv1d", mutates_args=())(conv1d_on_cpu)


@_fused.register_kernel("cuda")
def _on_gpu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: int,
    dilation: int,
    slope: float,
    tanh: bool,
    dtype: torch.dtype | None = None,
    groups: int = 1,
) -> Tensor:
    from voxclone.kernels.gpu.convolution import convolve, pack
    from voxclone.kernels.gpu.one_channel import convolve_to_one

    if groups > 1:  # there is no faster form
        made = conv1d_reference(x, weight, bias, padding, dilation, slope, tanh, dtype, groups)
        return made.transpose(1, 2).contiguous().transpose(1, 2)
    dtype = dtype or x.dtype
    taps, bias = packed(weight, dtype, pack), None if bias is None else packed(bias, dtype, Tensor.contiguous)
    rows = x.transpose(1, 2).contiguous()
    given: dict[str, Any] = {"padding": padding, "dilation": dilation, "slope": slope, "tanh": tanh}
    if weight.shape[0] == 1:
        return convolve_to_one(rows, taps, bias, dtype=dtype, **given).transpose(1, 2)
    return convolve(rows.to(dtype), taps, bias, **given).transpose(1, 2)


@_fused.register_fake
def _shape(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: int,
    dilation: int,
    slope: float,
    tanh: bool,
    dtype: torch.dtype | None = None,
    groups: int = 1,
) -> Tensor:
    made = empty_rows(x, weight.shape[0], x.shape[2] + 2 * padding - dilation * (weight.shape[2] - 1))
    return made if dtype is None else made.to(dtype)


gradients_of(_fused, conv1d_reference)
