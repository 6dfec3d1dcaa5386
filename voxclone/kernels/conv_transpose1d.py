"""A transposed convolution over time with the leaky ReLU before it: how HiFi-GAN lengthens the time axis."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from voxclone.kernels.channels_last import convolve_rows_transposed, empty_rows, from_rows, to_rows
from voxclone.kernels.dispatch import fused_serves, in_autocast, runs_directly
from voxclone.kernels.recomputation import gradients_of


def conv_transpose1d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int, padding: int = 0, slope: float = 1.0
) -> Tensor:
    """Convolve leaky_relu(x), transposed. One group, no output padding.

    Args:
        x: (B, C, T), any strides.
        weight: (C, C', K). It and the bias are used in the dtype of x, or of torch.autocast.
        bias: (C',).
        stride: Outputs for each input.
        padding: Outputs that are left away at both ends.
        slope: Of the leaky ReLU; 1 is none.

    Returns:
        (B, C', (T - 1) stride + K - 2 padding). Of the fused form the channels are innermost in memory.
    """
    if fused_serves("conv_transpose1d", x, weight, *() if bias is None else (bias,)):
        fused = _on_cpu if runs_directly(x) else _fused
        made: Tensor = fused(in_autocast(x), weight, bias, stride, padding, slope)
        return made
    return conv_transpose1d_reference(x, weight, bias, stride, padding, slope)


def conv_transpose1d_reference(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, slope: float
) -> Tensor:
    """What `conv_transpose1d` computes, in plain PyTorch."""
    x = F.leaky_relu(x, slope) if slope != 1 else x
    bias = None if bias is None else bias.to(x.dtype)
    return F.conv_transpose1d(x, weight.to(x.dtype), bias, stride=stride, padding=padding)


def _on_cpu(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, slope: float) -> Tensor:
    rows = to_rows(x)
    rows = F.leaky_relu(rows, slope) if slope != 1 else rows
    return from_rows(convolve_rows_transposed(rows, weight, bias, stride, padding))


_fused = torch.library.custom_op("voxclone::conv_transpose1d", mutates_args=())(_on_cpu)


@_fused.register_kernel("cuda")
def _on_gpu(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, slope: float) -> Tensor:
    from voxclone.kernels.gpu.convolution import convolve_transposed

    rows = x.transpose(1, 2).contiguous()
    return convolve_transposed(rows, weight, bias, stride=stride, padding=padding, slope=slope).transpose(1, 2)


@_fused.register_fake
def _shape(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, slope: float) -> Tensor:
    return empty_rows(x, weight.shape[1], (x.shape[2] - 1) * stride + weight.shape[2] - 2 * padding)


gradients_of(_fused, conv_transpose1d_reference)
