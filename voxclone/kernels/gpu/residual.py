"""A chain of residual convolutions in one kernel: a dilated pair, or a whole residual block of HiFi-GAN.

A program makes a tile of times and recomputes the halo that its neighbours make too, so that nothing between the first
read and the last write leaves the chip: what the convolutions hand on lies in two scratch buffers of the program, small
enough for the L2 cache (Triton has no shared memory that can be read at shifted rows).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from voxclone.kernels.gpu.convolution import Tile, convolve, pack
from voxclone.kernels.packing import packed, packed_together

WHOLE_BLOCKS = 64  # channels up to which a block is one kernel
PAIRS = 128  # channels up to which what is added at once is one kernel


class ChainTile(NamedTuple):
    """How many times one program makes, in blocks of how many rows, and with how many warps and pipeline stages."""

    times: int
    rows: int
    warps: int
    stages: int


def chain_tile(channels: int) -> ChainTile:
    """Predicted, not measured: no GPU could be had."""
    return ChainTile(512, 128, 8, 3)


def chain(
    x: Tensor,
    weights: Tensor,
    biases: Tensor,
    dilations: Sequence[int],
    *,
    per_residual: int,
    slope: float,
    total: Tensor | None = None,
    scale: float = 1.0,
    tile: ChainTile | None = None,
    programs: int | None = None,
) -> Tensor:
    """(B, T, C) to (B, T, C): scale (total + the residual block of x).

    Args:
        x: Contiguous.
        weights: (N, K, C, C): for each convolution, taps of (input channel, output channel).
        biases: (N, C).
        dilations: N of them; at most 6.
        per_residual: Convolutions before each addition.
        slope: Of the leaky ReLU before each convolution, 0 to 1: the larger of a value and its slope is taken.
        total: (B, T, C) to add, contiguous; it is overwritten by the result.
        scale: Of the result.
        tile: None for `chain_tile`.
        programs: How many run; None for one on each multiprocessor.

    Raises:
        ValueError: The slope is not from 0 to 1.
    """
    if not 0 <= slope <= 1:
        raise ValueError(f"the slope of the leaky ReLU must be from 0 to 1, not {slope}")
    count, taps, channels, _ = weights.shape
    batch, length = x.shape[:2]
    tile = tile or chain_tile(channels)
    halo = sum(dilations) * (taps // 2)
    out = torch.empty_like(x) if total is None else total
    tiles = batch * triton.cdiv(length, tile.times)
    if programs is None:
        programs = torch.cuda.get_device_properties(x.device).multi_processor_count if x.is_cuda else 2  # interpreted
    programs = min(programs, tiles)
    scratch = x.new_empty(programs, 2, tile.times + 2 * halo, channels)
    chain_kernel[(programs,)](
        x,
        weights,
        biases,
        out,
        scratch,
        length,
        tiles,
        scale,
        DILATIONS=(*dilations, *[0] * (6 - count)),
        COUNT=count,
        PER_RESIDUAL=per_residual,
        TAPS=taps,
        CHANNELS=channels,
        BLOCK=max(16, triton.next_power_of_2(channels)),
        HALO=halo,
        TIMES=tile.times,
        ROWS=tile.rows,
        SLOPE=slope,
        HAS_TOTAL=total is not None,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return out


def mean_of_blocks(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    dilations: Sequence[int],
    sizes: Sequence[int],
    per_residual: int,
    slope: float,
    tiles: tuple[ChainTile | None, Tile | None] = (None, None),
) -> Tensor:
    """(B, T, C) to (B, T, C): arguments as of `multi_receptive_field_reference`; `tiles` of the two kernels."""
    channels, first = x.shape[2], 0
    total: Tensor | None = None
    for number, size in enumerate(sizes):
        together = size if channels <= WHOLE_BLOCKS else per_residual
        y = x
        for start in range(first, first + size, together):
            part = slice(start, start + together)
            ends = start + together == first + size
            into: dict[str, Any] = (
                {"total": total, "scale": 1 / len(sizes) if number == len(sizes) - 1 else 1.0} if ends else {}
            )
            if channels <= PAIRS:
                stacked = packed_together(weights[part], x.dtype, _stacked_weights, "stacked")
                added = packed_together(biases[part], x.dtype, _stacked_biases, "stacked")
                y = chain(
                    y, stacked, added, dilations[part], per_residual=per_residual, slope=slope, tile=tiles[0], **into
                )
            else:
                y = _layer_by_layer(y, weights[part], biases[part], dilations[part], slope, tiles[1], into)
        total, first = y, first + size
    assert total is not None
    return total


def _layer_by_layer(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    dilations: Sequence[int],
    slope: float,
    tile: Tile | None,
    into: dict[str, Any],
) -> Tensor:
    """One residual, a kernel for each convolution."""
    y = x
    for index, (weight, bias, dilation) in enumerate(zip(weights, biases, dilations, strict=True)):
        last: dict[str, Any] = {"residual": x, **into} if index == len(weights) - 1 else {}
        padding = dilation * (weight.shape[2] // 2)
        taps, added = packed(weight, x.dtype, pack), packed(bias, x.dtype, torch.Tensor.contiguous)
        y = convolve(y, taps, added, padding=padding, dilation=dilation, slope=slope, tile=tile, **last)
    return y


def _stacked_weights(weights: Sequence[Tensor]) -> Tensor:
    return torch.stack([pack(weight) for weight in weights])


def _stacked_biases(biases: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(biases))


@triton.jit(do_not_specialize=["length", "tiles"])  # one compilation for all lengths
def chain_kernel(
    x,
    weights,
    biases,
    out,
    scratch,
    length,
    tiles,
    scale,
    DILATIONS: tl.constexpr,
    COUNT: tl.constexpr,
    PER_RESIDUAL: tl.constexpr,
    TAPS: tl.constexpr,
    CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
    HALO: tl.constexpr,
    TIMES: tl.constexpr,
    ROWS: tl.constexpr,
    SLOPE: tl.constexpr,
    HAS_TOTAL: tl.constexpr,
):
    """Tiles of the output, one after another. Row r of a tile's buffers is the time first - HALO + r."""
    SPAN: tl.constexpr = TIMES + 2 * HALO
    per_item = (length + TIMES - 1) // TIMES
    channels = tl.arange(0, BLOCK)
    real_channel = channels < CHANNELS
    scratch += tl.program_id(0).to(tl.int64) * (2 * SPAN * CHANNELS)
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        item = (tile // per_item).to(tl.int64)
        start = (tile % per_item) * TIMES - HALO  # the time of row 0
        whole = item * length * CHANNELS
        stream = x + whole + start.to(tl.int64) * CHANNELS  # what residuals are added to
        source = stream
        edge = 0  # rows at each end that are not made any more
        for index in tl.static_range(COUNT):
            dilation = DILATIONS[index]
            edge += dilation * (TAPS // 2)
            adds = index % PER_RESIDUAL == PER_RESIDUAL - 1
            # the stream is rewritten in buffer 0 where the convolutions between read buffer 1; else they change places
            if PER_RESIDUAL == 1:
                target = scratch + (index % 2) * (SPAN * CHANNELS)
            elif adds:
                target = scratch
            else:
                target = scratch + SPAN * CHANNELS
            tl.debug_barrier()
            for block in range(edge, SPAN - edge, ROWS):
                rows = block + tl.arange(0, ROWS)
                made = rows < SPAN - edge
                sums = tl.full((ROWS, BLOCK), 0.0, tl.float32)
                for tap in range(TAPS):
                    shifted = rows + (tap - TAPS // 2) * dilation
                    inside = made & (start + shifted >= 0) & (start + shifted < length)
                    a = tl.load(
                        source + shifted[:, None] * CHANNELS + channels[None, :],
                        mask=inside[:, None] & real_channel[None, :],
                        other=0.0,
                    )
                    a = tl.maximum(a.to(tl.float32), a.to(tl.float32) * SLOPE).to(a.dtype)
                    w = tl.load(
                        weights + ((index * TAPS + tap) * CHANNELS + channels)[:, None] * CHANNELS + channels[None, :],
                        mask=real_channel[:, None] & real_channel[None, :],
                        other=0.0,
                    )
                    sums = tl.dot(a, w, sums, input_precision="ieee")
                sums += tl.load(biases + index * CHANNELS + channels, mask=real_channel, other=0.0).to(tl.float32)[
                    None, :
                ]
                inside = made & (start + rows >= 0) & (start + rows < length)
                real = inside[:, None] & real_channel[None, :]
                places = rows[:, None] * CHANNELS + channels[None, :]
                if adds:
                    sums += tl.load(stream + places, mask=real, other=0.0).to(tl.float32)
                if index == COUNT - 1:
                    times = out + whole + start.to(tl.int64) * CHANNELS + places
                    if HAS_TOTAL:
                        sums += tl.load(times, mask=real, other=0.0).to(tl.float32)
                    tl.store(times, (sums * scale).to(out.dtype.element_ty), mask=real)
                else:
                    tl.store(target + places, sums.to(out.dtype.element_ty), mask=real)
            source = target
            if adds:
                stream = target
        tl.debug_barrier()
