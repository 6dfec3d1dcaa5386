"""HiFi-GAN's residual blocks with a kernel for each convolution: where `block.py` does not serve."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from voxclone.kernels.gpu import branches, convolution
from voxclone.kernels.gpu.convolution import Tile, convolve, pack
from voxclone.kernels.packing import packed


class Small(NamedTuple):
    """How a stage of few programs is made in 16 bits, for latency.

    Attributes:
        tile: None for `tile_for`.
        at_once: Whether a graph has the blocks side by side.
    """

    tile: Tile | None
    at_once: bool


SMALL = {256: Small(Tile(64, 64, 128, 4, 3), at_once=True)}  # by channels
OTHERS = Small(None, at_once=True)  # of what `SMALL` lacks


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
    (batch, length, channels), small = x.shape, Small(None, at_once=False)
    if x.dtype != torch.float32 and convolution.are_few(channels, batch * length):
        small = SMALL.get(channels, OTHERS)
    tile = tile or small.tile

    def begin(own: range, scale: float) -> branches.Branch:
        stream = y = x
        for index in own:
            adds: dict[str, Any] = {"residual": stream} if (index - own.start + 1) % per_residual == 0 else {}
            if index == own[-1]:
                total = yield None
                adds |= {"total": total, "scale": scale}
            weight, bias, dilation = weights[index], biases[index], dilations[index]
            taps, added = packed(weight, x.dtype, pack), packed(bias, x.dtype, torch.Tensor.contiguous)
            padding = dilation * (weight.shape[2] // 2)
            y = convolve(y, taps, added, padding=padding, dilation=dilation, slope=slope, tile=tile, **adds)
            stream = y if "residual" in adds else stream
        yield y

    begun = [functools.partial(begin, own, scale) for own, scale in branches.blocks_of(sizes)]
    return branches.total_of(begun, x.device, small.at_once)
