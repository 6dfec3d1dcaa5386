"""HiFi-GAN's multi-receptive field fusion: the mean of residual blocks of several kernel sizes and dilations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from voxclone.kernels.channels_last import empty_rows, from_rows, to_rows
from voxclone.kernels.dispatch import fused_serves, in_autocast, runs_directly
from voxclone.kernels.recomputation import gradients_of
from voxclone.kernels.same_length import convolve_same, fold_of


@dataclass(frozen=True)
class ResidualBlock:
    """The convolutions of one residual block in the order in which they are applied.

    Attributes:
        weights: (C, C, K) each, K odd.
        biases: (C,) each.
        dilations: Of each; every convolution is padded to keep the length.
    """

    weights: Sequence[Tensor]
    biases: Sequence[Tensor]
    dilations: Sequence[int]


def multi_receptive_field(x: Tensor, blocks: Sequence[ResidualBlock], *, per_residual: int, slope: float) -> Tensor:
    """The mean over residual blocks (arXiv:2010.05646, section 2.2).

    A block adds to its input, again and again, `per_residual` convolutions with a leaky ReLU before each.

    Args:
        x: (B, C, T), any strides.
        blocks: At least one. The weights are used in the dtype of x, or of torch.autocast.
        per_residual: 2 for V1 and V2 (dilated and undilated pairs), 1 for V3.
        slope: Of the leaky ReLU.

    Returns:
        (B, C, T). Of the fused form the channels are innermost in memory.

    Raises:
        ValueError: A block has no convolution, or not a multiple of `per_residual`.
    """
    if any(len(block.weights) == 0 or len(block.weights) % per_residual for block in blocks):
        raise ValueError(f"every block needs a multiple of {per_residual} convolutions, at least {per_residual}")
    weights = [weight for block in blocks for weight in block.weights]
    biases = [bias for block in blocks for bias in block.biases]
    dilations = [dilation for block in blocks for dilation in block.dilations]
    sizes = [len(block.weights) for block in blocks]
    if fused_serves("multi_receptive_field", x, *weights, *biases):
        fused = _on_cpu if runs_directly(x) else _fused
        made: Tensor = fused(in_autocast(x), weights, biases, dilations, sizes, per_residual, slope)
        return made
    return multi_receptive_field_reference(x, weights, biases, dilations, sizes, per_residual, slope)


def multi_receptive_field_reference(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    dilations: Sequence[int],
    sizes: Sequence[int],
    per_residual: int,
    slope: float,
) -> Tensor:
    """What `multi_receptive_field` computes, in plain PyTorch; `sizes` counts the convolutions of each block."""
    convolutions = iter(zip(weights, biases, dilations, strict=True))
    total: Tensor | None = None
    for size in sizes:
        y = x
        for _ in range(size // per_residual):
            added = y
            for _ in range(per_residual):
                weight, bias, dilation = next(convolutions)
                padding = dilation * (weight.shape[2] - 1) // 2
                active = F.leaky_relu(added, slope)
                weight, bias = weight.to(active.dtype), bias.to(active.dtype)
                added = F.conv1d(active, weight, bias, padding=padding, dilation=dilation)
            y = y + added
        total = y if total is None else total + y
    assert total is not None
    return total / len(sizes)


def _on_cpu(
    x: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    dilations: list[int],
    sizes: list[int],
    per_residual: int,
    slope: float,
) -> Tensor:
    fold = fold_of(x.shape[1], x.shape[2], x.dtype)
    rows = to_rows(x, fold)
    first = F.leaky_relu(rows, slope)  # where every block begins
    convolutions = iter(zip(weights, biases, dilations, strict=True))
    total: Tensor | None = None
    for size in sizes:
        y = rows
        for _ in range(size // per_residual):
            active = first if y is rows else F.leaky_relu(y, slope)
            for _ in range(per_residual - 1):
                active = convolve_same(active, *next(convolutions), fold, slope=slope)
            y = convolve_same(active, *next(convolutions), fold, residual=y)
        total = y if total is None else total.add_(y)
    assert total is not None
    return from_rows(total.div_(len(sizes)), fold)


_fused = torch.library.custom_op("voxclone::multi_receptive_field", mutates_args=())(_on_cpu)


@_fused.register_kernel("cuda")
def _on_gpu(
    x: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    dilations: list[int],
    sizes: list[int],
    per_residual: int,
    slope: float,
) -> Tensor:
    from voxclone.kernels.gpu import block, residual

    rows = x.transpose(1, 2).contiguous()
    launches = block.shapes_of(x, weights, dilations, sizes, per_residual, slope)
    if launches is not None and block.serves(x.device):
        return block.mean_of_blocks(launches, rows, weights, biases, sizes).transpose(1, 2)
    return residual.mean_of_blocks(rows, weights, biases, dilations, sizes, per_residual, slope).transpose(1, 2)


@_fused.register_fake
def _shape(x: Tensor, *_: object) -> Tensor:
    return empty_rows(x, x.shape[1], x.shape[2])


gradients_of(_fused, multi_receptive_field_reference)
