"""A convolution to one channel, HiFi-GAN's last: each output is one sum over taps and channels, without tensor cores.

Sums, the leaky ReLU and the tanh are in float32, whatever dtype is read and written.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

VALUES = 2048  # of the input that a program holds at once, by its 4 warps; of 1024 to 8192 the fastest on an H200


def convolve_to_one(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    padding: int,
    dilation: int,
    slope: float,
    tanh: bool,
    dtype: torch.dtype,
    values: int | None = None,
) -> Tensor:
    """(B, T, C) to (B, T', 1): tanh?(convolution of leaky_relu(x) + bias).

    Args:
        x: Contiguous.
        weight: (K, C, 1), see `convolution.pack`.
        bias: (1,).
        padding: Zeros before the first row, and after the last.
        dilation: Rows from one tap to the next.
        slope: Of the leaky ReLU; 1 is none.
        tanh: Whether the tanh is taken.
        dtype: Of the result.
        values: None for `VALUES`.
    """
    taps, channels, _ = weight.shape
    batch, length = x.shape[:2]
    length_out = length + 2 * padding - dilation * (taps - 1)
    depth = min(64, triton.next_power_of_2(channels))
    rows = max(16, (values or VALUES) // depth)
    out = x.new_empty(batch, length_out, 1, dtype=dtype)
    one_channel_kernel[triton.cdiv(length_out, rows), batch](
        *(x, weight, bias, out, length, length_out, padding, dilation),
        TAPS=taps,
        CHANNELS=channels,
        SLOPE=slope,
        TANH=tanh,
        HAS_BIAS=bias is not None,
        ROWS=rows,
        DEPTH=depth,
        num_warps=4,
    )
    return out


@triton.jit(do_not_specialize=["length", "length_out", "padding", "dilation"])  # one compilation for all lengths
def one_channel_kernel(
    x,
    weight,
    bias,
    out,
    length,
    length_out,
    padding,
    dilation,
    TAPS: tl.constexpr,
    CHANNELS: tl.constexpr,
    SLOPE: tl.constexpr,
    TANH: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """ROWS outputs of one item."""
    item = tl.program_id(1).to(tl.int64)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    depth = tl.arange(0, DEPTH)
    BLOCKS: tl.constexpr = (CHANNELS + DEPTH - 1) // DEPTH
    x += item * length * CHANNELS
    sums = tl.full((ROWS, DEPTH), 0.0, tl.float32)
    for step in tl.static_range(TAPS * BLOCKS):
        tap = step // BLOCKS
        channels = (step % BLOCKS) * DEPTH + depth
        source = rows + tap * dilation - padding
        inside = (source >= 0) & (source < length)
        a = tl.load(
            x + source[:, None] * CHANNELS + channels[None, :],
            mask=inside[:, None] & (channels < CHANNELS)[None, :],
            other=0.0,
        ).to(tl.float32)
        if SLOPE != 1.0:
            a = tl.where(a >= 0, a, a * SLOPE)
        w = tl.load(weight + tap * CHANNELS + channels, mask=channels < CHANNELS, other=0.0).to(tl.float32)
        sums += a * w[None, :]
    made = tl.sum(sums, 1)
    if HAS_BIAS:
        made += tl.load(bias).to(tl.float32)
    if TANH:
        made = 2 / (1 + tl.exp(-2 * made)) - 1
    tl.store(out + item * length_out + rows, made.to(out.dtype.element_ty), mask=rows < length_out)
