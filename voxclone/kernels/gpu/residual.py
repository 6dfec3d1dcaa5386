"""HiFi-GAN's residual blocks with a kernel for each convolution: where `block.py` does not serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from voxclone.kernels.gpu.convolution import Tile, convolve, pack
from voxclone.kernels.packing import packed


def mean_of_blocks(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    dilations: Sequence[int],
    sizes: Sequence[int],
    per_residual: int,
    slope: float,
    tile: Tile | None = None,
) -> Tensor:
    """(B, T, C) rows to (B, T, C), arguments as of `multi_receptive_field_reference`; `tile` as of `convolve`."""
    convolutions = iter(zip(weights, biases, dilations, strict=True))
    total: Tensor | None = None
    for number, size in enumerate(sizes, 1):
        stream = y = x
        for step in range(1, size + 1):
            weight, bias, dilation = next(convolutions)
            adds: dict[str, Any] = {"residual": stream} if step % per_residual == 0 else {}
            if step == size:
                adds |= {"total": total, "scale": 1 / len(sizes) if number == len(sizes) else 1.0}
            taps, added = packed(weight, x.dtype, pack), packed(bias, x.dtype, torch.Tensor.contiguous)
            padding = dilation * (weight.shape[2] // 2)
            y = convolve(y, taps, added, padding=padding, dilation=dilation, slope=slope, tile=tile, **adds)
            stream = y if step % per_residual == 0 else stream
        total = y
    assert total is not None
    return total
