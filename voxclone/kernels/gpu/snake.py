"""BigVGAN's activation in one kernel: up, snake and down without a tensor of the doubled rate.

A program makes a tile of one channel. The snake's values, those between two samples apart from those at them, lie in
two scratch buffers of a persistent program, small enough for the first caches; all is float32 inside.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from voxclone.kernels.snake import TINY

BLOCK = 512  # values that are made at once
TIMES = 2 * BLOCK - 6  # of a tile
PROGRAMS = 8  # on each multiprocessor
EDGE = 3  # values before and after a tile's own that its filter reads


def snake(
    x: Tensor, alpha: Tensor, beta: Tensor, low_pass: Tensor, times: int = TIMES, block: int = BLOCK, warps: int = 4
) -> Tensor:
    """Arguments and result as of `anti_aliased_snake_reference`; a program makes `times` of a channel at once."""
    x = x.contiguous()
    batch, channels, length = x.shape
    out = torch.empty_like(x)
    tiles = batch * channels * triton.cdiv(length, times)
    places = PROGRAMS * torch.cuda.get_device_properties(x.device).multi_processor_count if x.is_cuda else 2
    programs = min(tiles, places)
    scratch = x.new_empty(programs, 2, times + 2 * EDGE, dtype=torch.float32)
    snake_kernel[(programs,)](
        x,
        alpha.float().contiguous(),
        beta.float().contiguous(),
        low_pass.float().contiguous(),
        out,
        scratch,
        channels,
        length,
        tiles,
        TIMES=times,
        EDGE=EDGE,
        BLOCK=min(triton.next_power_of_2(times), block),
        TINY=TINY,
        num_warps=warps,
    )
    return out


@triton.jit(do_not_specialize=["channels", "length", "tiles"])  # one compilation for all lengths
def snake_kernel(
    x,
    alpha,
    beta,
    low_pass,
    out,
    scratch,
    channels,
    length,
    tiles,
    TIMES: tl.constexpr,
    EDGE: tl.constexpr,
    BLOCK: tl.constexpr,
    TINY: tl.constexpr,
):
    """Tiles, one after another. Value r of a tile's buffers is at, or half a step after, the time first - EDGE + r."""
    SPAN: tl.constexpr = TIMES + 2 * EDGE
    at = scratch + tl.program_id(0).to(tl.int64) * (2 * SPAN)
    after = at + SPAN
    steps = tl.arange(0, BLOCK)
    per_row = (length + TIMES - 1) // TIMES
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        row = tile // per_row
        first = (tile % per_row) * TIMES
        a = tl.load(alpha + row % channels)
        b = tl.load(beta + row % channels) + TINY
        source = x + row.to(tl.int64) * length
        for block in range(0, SPAN, BLOCK):
            place = block + steps
            time = first - EDGE + place
            middle = tl.minimum(tl.maximum(time, 0), length - 1)
            here = tl.full((BLOCK,), 0.0, tl.float32)
            later = tl.full((BLOCK,), 0.0, tl.float32)
            for tap in tl.static_range(7):
                near = tl.minimum(tl.maximum(middle + tap - 3, 0), length - 1)
                value = tl.load(source + near).to(tl.float32)
                if tap < 6:
                    here += value * tl.load(low_pass + 11 - 2 * tap)
                if tap > 0:
                    later += value * tl.load(low_pass + 12 - 2 * tap)
            here *= 2
            later *= 2
            wave = tl.sin(here * a)
            here += wave * wave / b
            wave = tl.sin(later * a)
            later += wave * wave / b
            tl.store(at + place, tl.where(time >= length, later, here), mask=place < SPAN)
            tl.store(after + place, tl.where(time < 0, here, later), mask=place < SPAN)
        tl.debug_barrier()
        for block in range(0, TIMES, BLOCK):
            time = first + block + steps
            made = (block + steps < TIMES) & (time < length)
            sums = tl.full((BLOCK,), 0.0, tl.float32)
            for tap in tl.static_range(6):
                place = block + steps + tap
                sums += tl.load(after + place, mask=made, other=0.0) * tl.load(low_pass + 2 * tap)
                sums += tl.load(at + place + 1, mask=made, other=0.0) * tl.load(low_pass + 2 * tap + 1)
            tl.store(out + row.to(tl.int64) * length + time, sums.to(out.dtype.element_ty), mask=made)
        tl.debug_barrier()
