"""A residual block of HiFi-GAN, up to 128 channels, in one CUDA C++ kernel by Hopper's warpgroup products, `block.cu`.

Above 64 channels a launch is what is added at once: a dilated pair of V1. Divisions as an H200 measured them fastest,
short inputs' by the sum over the stages of V1 and V2 that have the width.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from voxclone.kernels.gpu import branches, nvrtc
from voxclone.kernels.gpu.pieces import padded_biases, pieces, taps_together, width_of

MOST_CHANNELS = 128
WHOLE_BLOCKS = 64  # channels up to which a block is one launch
SHARED_BYTES = 227 * 1024
# By width: groups, parts of a group, stages, thread blocks that a multiprocessor holds
PARTS = {8: (1, 16, 0, 5), 16: (4, 4, 0, 2), 32: (2, 5, 4, 2), 64: (3, 3, 4, 1), 128: (2, 2, 4, 1)}
FEW = 132  # thread blocks, one for each multiprocessor of an H200: below that a stage is made as `SMALL` says
Division = tuple[int, int, int, int]


class Small(NamedTuple):
    """How a stage of few thread blocks is made, for latency.

    Attributes:
        division: As of a `Shape`, where it fits.
        whole: Whether a block is one launch, up to `WHOLE_BLOCKS` channels; else a launch is what is added at once.
        at_once: Whether a graph has the blocks side by side, which is of use where they are several launches.
    """

    division: Division
    whole: bool
    at_once: bool


SMALL = {
    8: Small((2, 2, 0, 4), whole=True, at_once=False),
    16: Small((2, 2, 0, 4), whole=True, at_once=False),
    32: Small((4, 2, 4, 2), whole=False, at_once=True),
    64: Small((2, 1, 4, 2), whole=False, at_once=True),
    128: Small((3, 1, 4, 1), whole=False, at_once=True),
}


@dataclass(frozen=True)
class Shape:
    """What is compiled for.

    Attributes:
        channels: C, a multiple of 8, at most 128.
        taps: Of each convolution.
        dilations: Of each convolution.
        per_residual: Convolutions before each addition.
        slope: Of the leaky ReLU, above 0 and at most 1: what residuals are added to is its value undone.
        bfloat16: Or float16.
        division: Groups of 128 threads, parts of 64 rows that each makes, pieces of weights on the way (0 for all,
            which then stay), thread blocks at once; None is as `PARTS` says.
    """

    channels: int
    taps: int
    dilations: tuple[int, ...]
    per_residual: int
    slope: float
    bfloat16: bool
    division: Division | None = None

    @property
    def width(self) -> int:
        """Channels in shared memory."""
        return width_of(self.channels)

    @property
    def divided(self) -> Division:
        """As `division`; a piece of weights less on the way where memory is short."""
        if self.division is not None:
            return self.division
        groups, parts, stages, at_once = PARTS[self.width]
        fits = replace(self, division=PARTS[self.width]).shared_bytes <= SHARED_BYTES
        return groups, parts, stages if fits else 3, at_once

    @property
    def halo(self) -> int:
        """Times on each side that a time depends on."""
        return sum(self.dilations) * (self.taps // 2)

    @property
    def times(self) -> int:
        """That a thread block makes: as many rows as the first convolution makes, less what the others need beyond."""
        groups, parts, *_ = self.divided
        return 64 * groups * parts - 2 * (self.halo - self.dilations[0] * (self.taps // 2))

    @property
    def plane(self) -> int:
        """Rows of a buffer: all that is read, the rows that are not kept as well."""
        groups, parts, *_ = self.divided
        edge, most = 0, 0
        for dilation in self.dilations:
            reach = dilation * (self.taps // 2)
            edge += reach
            most = max(most, edge + 64 * groups * parts + reach)
        return -(-most // 8) * 8

    @property
    def shared_bytes(self) -> int:
        """Of a thread block."""
        together, stages = taps_together(self.width), self.divided[2]
        pieces = stages or len(self.dilations) * -(-self.taps // together)  # where all stay, each is a tap's
        return 2 * self.plane * self.width * 2 + pieces * together * min(self.width, 64) * self.width * 2

    @property
    def plan(self) -> tuple[int, ...]:
        """What the kernel is told at each launch."""
        dilations = (*self.dilations, *[0] * (6 - len(self.dilations)))
        return len(self.dilations), self.taps, self.times, self.halo, self.plane, *dilations

    def options(self) -> list[str]:
        """The macros of `block.cu`."""
        groups, parts, stages, at_once = self.divided
        values = {
            "BFLOAT16": int(self.bfloat16),
            "CHANNELS": self.channels,
            "WIDTH": self.width,
            "GROUPS": groups,
            "PARTS": parts,
            "STAGES": stages,
            "BLOCKS": at_once,
            "PER_RESIDUAL": self.per_residual,
            "SLOPE": f"{float(self.slope)!r}f",
        }
        return [f"-D{name}={value}" for name, value in values.items()]


def serves(device: torch.device) -> bool:
    """Whether a GPU is a Hopper, and there is a compiler."""
    return nvrtc.find() is not None and torch.cuda.get_device_capability(device) == (9, 0)


def fits(shape: Shape) -> bool:
    """Whether a thread block has the memory, and makes anything."""
    served = len(shape.dilations) <= 6 and shape.taps >= taps_together(shape.width) and 0 < shape.slope <= 1
    return served and shape.shared_bytes <= SHARED_BYTES and shape.times >= 64


def shapes_of(
    x: Tensor,
    weights: Sequence[Tensor],
    dilations: Sequence[int],
    sizes: Sequence[int],
    per_residual: int,
    slope: float,
) -> list[tuple[Shape, slice]] | None:
    """The launches of a call, each with its convolutions, arguments as of `multi_receptive_field_reference`.

    A block is one launch up to `WHOLE_BLOCKS` channels, above that one for each addition; where those would be few
    thread blocks, as `SMALL` says, and then their shapes name their division. None where the kernel does not serve.
    """
    channels = x.shape[1]
    if x.dtype not in (torch.bfloat16, torch.float16) or channels > MOST_CHANNELS or channels % 8:
        return None

    def launches(whole: bool) -> list[tuple[Shape, slice]] | None:
        found, first = [], 0
        for size in sizes:
            together = size if whole else per_residual
            for start in range(first, first + size, together):
                part = slice(start, start + together)
                taps, bfloat16 = {weight.shape[2] for weight in weights[part]}, x.dtype == torch.bfloat16
                shape = Shape(channels, min(taps), tuple(dilations[part]), per_residual, slope, bfloat16)
                if len(taps) > 1 or not fits(shape):
                    return None
                found.append((shape, part))
            first += size
        return found

    usual = launches(channels <= WHOLE_BLOCKS)
    if usual is None or any(x.shape[0] * -(-x.shape[2] // shape.times) >= FEW for shape, _ in usual):
        return usual
    whole = channels <= WHOLE_BLOCKS and SMALL[width_of(channels)].whole
    return [(for_latency(shape), part) for shape, part in launches(whole) or usual]


def for_latency(shape: Shape) -> Shape:
    """The same, divided as `SMALL` says, where that fits."""
    small = replace(shape, division=SMALL[shape.width].division)
    return small if fits(small) else shape


def mean_of_blocks(
    launches: Sequence[tuple[Shape, slice]],
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    sizes: Sequence[int],
) -> Tensor:
    """(B, T, C) rows to (B, T, C): what `multi_receptive_field` computes, for launches that are served."""

    def begin(own: Sequence[tuple[Shape, slice]], scale: float) -> branches.Branch:
        y, (last, added) = x, own[-1]
        for shape, part in own[:-1]:
            y = residual_block(shape, y, weights[part], biases[part])
        total = yield None
        yield residual_block(last, y, weights[added], biases[added], total, scale)

    begun = []
    for convolutions, scale in branches.blocks_of(sizes):
        own = [(shape, part) for shape, part in launches if part.start in convolutions]
        begun.append(functools.partial(begin, own, scale))
    few = all(shape.division is not None for shape, _ in launches) and SMALL[launches[0][0].width].at_once
    return branches.total_of(begun, x.device, few)


def residual_block(
    shape: Shape,
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    total: Tensor | None = None,
    scale: float = 1.0,
) -> Tensor:
    """(B, T, C) rows to (B, T, C): scale (total + the block of x), for a shape that `fits`; total is overwritten."""
    right, added = pieces(weights, x.dtype), padded_biases(biases)
    out = torch.empty_like(x) if total is None else total
    batch, length = x.shape[:2]
    with torch.cuda.device(x.device):
        function = _function(tuple(shape.options()), shape.width, x.device)
        stream = torch.cuda.current_stream(x.device).cuda_stream
        grid = (-(-length // shape.times), batch)
        given = (x, right, added, out, length, int(total is not None), float(scale), shape.plan)
        function.launch(grid, 128 * shape.divided[0], given, stream, shape.shared_bytes)
    return out


def source(width: int) -> str:
    """The kernel's C++ for a width."""
    return instructions(width) + Path(__file__).with_name("block.cu").read_text(encoding="utf-8")


def instructions(width: int) -> str:
    """What `block.cu` is made of: conversions, copies to come, and the product of 64 rows, whose form has the width."""
    registers = ", ".join(f"%{index}" for index in range(width // 2))
    sums = ", ".join(f'"+f"(sums[{index // 4}][{index % 4}])' for index in range(width // 2))
    name = f"wgmma.mma_async.sync.aligned.m64n{width}k16.f32.DTYPE.DTYPE"
    halves = [f"%{width // 2 + index}" for index in range(3)]
    begin = ".reg .pred yes; .reg .b64 a, b; setp.eq.u32 yes, 0, 0;"
    begin += f" mov.b64 a, {{{halves[0]}, {halves[2]}}}; mov.b64 b, {{{halves[1]}, {halves[2]}}};"
    product = f"{name} {{{registers}}}, a, b, yes, 1, 1, 0, 0;"
    text = f'"{{ {begin} {product} }}" : {sums} : "r"(left.low), "r"(right.low), "r"(8)'
    header = Path(__file__).with_name("instructions.cuh").read_text(encoding="utf-8")
    return header.replace("WIDE_PRODUCT_BFLOAT16", text.replace("DTYPE", "bf16")).replace(
        "WIDE_PRODUCT_FLOAT16", text.replace("DTYPE", "f16")
    )


@functools.cache
def _function(options: tuple[str, ...], width: int, device: torch.device) -> nvrtc.Function:
    code = nvrtc.machine_code(source(width), options, "90a")
    return nvrtc.Function(code, "residual_block", SHARED_BYTES, device.index)
