"""The periodic activation of BigVGAN, band-limited so that its harmonics do not fold back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from voxclone.kernels.dispatch import fused_serves, in_autocast, runs_directly
from voxclone.kernels.recomputation import gradients_of

TAPS = 12  # of each low-pass filter
TINY = 1e-9  # keeps a period of zero from dividing


def anti_aliased_snake(x: Tensor, alpha: Tensor, beta: Tensor, low_pass: Tensor) -> Tensor:
    """Snake, x + sin²(αx)/β, at twice the rate between two low-pass filters (arXiv:2206.04658, section 3.2).

    Args:
        x: (B, C, T), T >= 1.
        alpha: (C,) radians for each unit of x.
        beta: (C,).
        low_pass: (12,) a filter that passes the lower half of the band.

    Returns:
        (B, C, T).
    """
    if fused_serves("anti_aliased_snake", x, alpha, beta):
        fused = anti_aliased_snake_reference if runs_directly(x) else _fused
        made: Tensor = fused(in_autocast(x), alpha, beta, low_pass)
        return made
    return anti_aliased_snake_reference(x, alpha, beta, low_pass)


def anti_aliased_snake_reference(x: Tensor, alpha: Tensor, beta: Tensor, low_pass: Tensor) -> Tensor:
    """What `anti_aliased_snake` computes, in plain PyTorch; it is the form on a CPU too."""
    channels = int(x.shape[1])  # a number for ONNX as well, whose convolutions need kernels of a known shape
    kernel = low_pass.to(x.dtype).expand(channels, 1, -1)
    doubled = _up(x, kernel)
    made = doubled + torch.sin(doubled * alpha[:, None]).square() / (beta[:, None] + TINY)
    return _down(made.to(x.dtype), kernel)


def _up(x: Tensor, kernel: Tensor) -> Tensor:
    """(B, C, T) to (B, C, 2 T)."""
    edge = TAPS // 2 - 1
    padded = F.pad(x, (edge, edge), mode="replicate")
    full = F.conv_transpose1d(padded, 2 * kernel, stride=2, groups=x.shape[1])
    cut = 2 * edge + (TAPS - 2) // 2
    return full[:, :, cut : full.shape[2] - cut]


def _down(x: Tensor, kernel: Tensor) -> Tensor:
    """(B, C, 2 T) to (B, C, T)."""
    padded = F.pad(x, (TAPS // 2 - 1, TAPS // 2), mode="replicate")
    return F.conv1d(padded, kernel, stride=2, groups=x.shape[1])


_fused = torch.library.custom_op("voxclone::anti_aliased_snake", mutates_args=())(anti_aliased_snake_reference)


@_fused.register_kernel("cuda")
def _on_gpu(x: Tensor, alpha: Tensor, beta: Tensor, low_pass: Tensor) -> Tensor:
    from voxclone.kernels.gpu.snake import snake

    return snake(x, alpha, beta, low_pass)


@_fused.register_fake
def _shape(x: Tensor, *_: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


gradients_of(_fused, anti_aliased_snake_reference)
