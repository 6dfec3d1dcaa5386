"""Convolution over time as an implicit matrix product, with everything around it in the same kernel.

Rows of the matrix are times, columns are output channels, and the sum runs over taps and input channels: tap k of the
output's row t is the input's row t + k dilation - padding, zero outside. The transposed convolution is the same kernel:
its stride's phases are output channels that lie beside each other (see `pack_transposed`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from voxclone.kernels.packing import packed

FEW = 66  # programs, half of what an H200 holds at once: below that smaller ones, for latency


class Tile(NamedTuple):
    """How much of the product one program makes, and with how many warps and pipeline stages."""

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int


def tile_for(channels_in: int, channels_out: int, dtype: torch.dtype, rows: int) -> Tile:
    """In 16 bits as an H200 measured it fastest, or smaller where those are few; in float32 so that no register spills.

    Args:
        channels_in: C.
        channels_out: C'.
        dtype: Of the input.
        rows: That are made, of all items.
    """
    columns, depth = block(channels_out, 256), block(channels_in, 64)
    if dtype == torch.float32 and columns > 16:
        return Tile(64, min(columns, 64), min(depth, 32), 4, 2)
    if are_few(channels_out, rows):
        return Tile(64, min(columns, 64), depth, 4, 4)
    return Tile(_usual_rows(columns), columns, depth, 4, 3)


def are_few(channels_out: int, rows: int) -> bool:
    """Whether the usual tiles would be fewer programs than `FEW`, of a size that is worth dividing."""
    columns = block(channels_out, 256)
    programs = triton.cdiv(rows, _usual_rows(columns)) * triton.cdiv(channels_out, columns)
    return programs < FEW and columns > 16


def _usual_rows(columns: int) -> int:
    return 64 if columns == 256 else 128


def block(channels: int, most: int) -> int:
    """A power of two, at least the 16 of tensor cores."""
    return min(most, max(16, 1 << (channels - 1).bit_length()))


def pack(weight: Tensor) -> Tensor:
    """(C', C, K) to (K, C, C')."""
    return weight.permute(2, 1, 0).contiguous()


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    padding: int,
    dilation: int,
    slope: float,
    tanh: bool = False,
    residual: Tensor | None = None,
    total: Tensor | None = None,
    scale: float = 1.0,
    length_out: int | None = None,
    tile: Tile | None = None,
) -> Tensor:
    """(B, T, C) to (B, T', C'): scale (total + residual + tanh?(convolution of leaky_relu(x) + bias)).

    Args:
        x: Contiguous.
        weight: (K, C, C'), see `pack`.
        bias: (C',).
        padding: Zeros before the first row, and after the last.
        dilation: Rows from one tap to the next.
        slope: Of the leaky ReLU; 1 is none.
        tanh: Whether the tanh is taken.
        residual: (B, T', C') to add, contiguous.
        total: (B, T', C') to add, contiguous; it is overwritten by the result.
        scale: Of the result.
        length_out: T', if the zeros after the last row are not as many as before the first.
        tile: None for `tile_for`.
    """
    taps, channels_in, channels_out = weight.shape
    batch, length = x.shape[:2]
    length_out = length + 2 * padding - dilation * (taps - 1) if length_out is None else length_out
    out = x.new_empty(batch, length_out, channels_out) if total is None else total
    tile = tile or tile_for(channels_in, channels_out, x.dtype, batch * length_out)
    grid = (triton.cdiv(length_out, tile.rows), triton.cdiv(channels_out, tile.columns), batch)
    numbers = (length, length_out, padding, dilation, scale)
    conv1d_kernel[grid](
        *(x, weight, bias, residual, out),
        *numbers,
        TAPS=taps,
        CHANNELS_IN=channels_in,
        CHANNELS_OUT=channels_out,
        SLOPE=slope,
        TANH=tanh,
        HAS_BIAS=bias is not None,
        HAS_RESIDUAL=residual is not None,
        HAS_TOTAL=total is not None,
        ROWS=tile.rows,
        COLUMNS=tile.columns,
        DEPTH=tile.depth,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return out


def convolve_transposed(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, stride: int, padding: int, slope: float, tile: Tile | None = None
) -> Tensor:
    """(B, T, C) by (C, C', K) to (B, (T - 1) stride + K - 2 padding, C'): one output row holds all phases of a step.

    Of HiFi-GAN's kernels, twice as long as their stride, each phase has weights in two of the three taps: half of the
    arithmetic more than is needed, in a few per cent of a generator's.
    """
    channels, kernel = weight.shape[1:]
    length_out = (x.shape[1] - 1) * stride + kernel - 2 * padding
    _, sooner = reach(kernel, stride, padding)
    steps = math.ceil(length_out / stride)
    phases = packed(
        weight, x.dtype, lambda weight: pack_transposed(weight, stride, padding), ("phases", stride, padding)
    )
    repeated = None
    if bias is not None:
        repeated = packed(bias, x.dtype, lambda bias: bias.repeat(stride), ("repeated", stride))
    made = convolve(x, phases, repeated, padding=sooner, dilation=1, slope=slope, length_out=steps, tile=tile)
    return made.view(x.shape[0], steps * stride, channels)[:, :length_out].contiguous()


def pack_transposed(weight: Tensor, stride: int, padding: int) -> Tensor:
    """(C, C', K) to (taps, C, stride C'): output q stride + phase takes row q - step by weight step stride + phase."""
    channels_in, channels_out, kernel = weight.shape
    later, sooner = reach(kernel, stride, padding)
    phases = weight.new_zeros(sooner + later + 1, channels_in, stride, channels_out)
    for tap in range(sooner + later + 1):
        for phase in range(stride):
            index = (sooner - tap) * stride + phase + padding
            if 0 <= index < kernel:
                phases[tap, :, phase] = weight[:, :, index]
    return phases.flatten(2)


def reach(kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """How many input rows after and before its own step an output takes."""
    return (stride - 1 + padding) // stride, (kernel - 1 - padding) // stride


@triton.jit(do_not_specialize=["length", "length_out", "padding", "dilation"])  # one compilation for all lengths
def conv1d_kernel(
    x,
    weight,
    bias,
    residual,
    out,
    length,
    length_out,
    padding,
    dilation,
    scale,
    TAPS: tl.constexpr,
    CHANNELS_IN: tl.constexpr,
    CHANNELS_OUT: tl.constexpr,
    SLOPE: tl.constexpr,
    TANH: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    HAS_RESIDUAL: tl.constexpr,
    HAS_TOTAL: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """One ROWS by COLUMNS tile of one item's output."""
    item = tl.program_id(2).to(tl.int64)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    depth = tl.arange(0, DEPTH)
    BLOCKS: tl.constexpr = (CHANNELS_IN + DEPTH - 1) // DEPTH
    x += item * length * CHANNELS_IN
    sums = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    for step in range(TAPS * BLOCKS):
        tap = step // BLOCKS
        channels = (step % BLOCKS) * DEPTH + depth
        source = rows + tap * dilation - padding
        inside = (source >= 0) & (source < length)
        a = tl.load(
            x + source[:, None] * CHANNELS_IN + channels[None, :],
            mask=inside[:, None] & (channels < CHANNELS_IN)[None, :],
            other=0.0,
        )
        if SLOPE != 1.0:
            a = tl.where(a >= 0, a, (a.to(tl.float32) * SLOPE).to(a.dtype))
        w = tl.load(
            weight + (tap * CHANNELS_IN + channels)[:, None] * CHANNELS_OUT + columns[None, :],
            mask=(channels < CHANNELS_IN)[:, None] & (columns < CHANNELS_OUT)[None, :],
            other=0.0,
        )
        sums = tl.dot(a, w, sums, input_precision="ieee")
    if HAS_BIAS:
        sums += tl.load(bias + columns, mask=columns < CHANNELS_OUT, other=0.0).to(tl.float32)[None, :]
    if TANH:
        sums = 2 / (1 + tl.exp(-2 * sums)) - 1
    places = (item * length_out + rows)[:, None] * CHANNELS_OUT + columns[None, :]
    real = (rows < length_out)[:, None] & (columns < CHANNELS_OUT)[None, :]
    if HAS_RESIDUAL:
        sums += tl.load(residual + places, mask=real, other=0.0).to(tl.float32)
    if HAS_TOTAL:
        sums += tl.load(out + places, mask=real, other=0.0).to(tl.float32)
    tl.store(out + places, (sums * scale).to(out.dtype.element_ty), mask=real)
