"""A whole stage of HiFi-GAN's residual blocks in one CUDA C++ kernel, `stage.cu`, for up to 64 channels.

Chosen before the Triton kernels where it serves, since nothing between its first read and its last write leaves the
multiprocessor. No GPU could be had: it has been run on a CPU alone, its threads and tensor cores emulated.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from voxclone.kernels.gpu import nvrtc
from voxclone.kernels.packing import packed_together

MOST_CHANNELS = 64
TIMES = {16: (1024, 12), 32: (512, 10), 64: (256, 12)}  # by width: times of a thread block, warps; predicted alone
SHARED_BYTES = {8: 163 * 1024, 9: 227 * 1024, 10: 227 * 1024, 12: 99 * 1024}  # by major version, of a thread block


@dataclass(frozen=True)
class Shape:
    """What is compiled for.

    Attributes:
        channels: C, a multiple of 8, at most 64.
        taps: Of each block's convolutions.
        dilations: Of each block's convolutions; all blocks have as many.
        per_residual: Convolutions before each addition.
        slope: Of the leaky ReLU.
        bfloat16: Or float16.
        times: That a thread block makes; None is as `TIMES` says.
        warps: Of a thread block; None is as `TIMES` says.
    """

    channels: int
    taps: tuple[int, ...]
    dilations: tuple[tuple[int, ...], ...]
    per_residual: int
    slope: float
    bfloat16: bool
    times: int | None = None
    warps: int | None = None

    @property
    def width(self) -> int:
        """Channels in shared memory."""
        return max(16, 1 << (self.channels - 1).bit_length())

    @property
    def tile(self) -> tuple[int, int]:
        """Times and warps of a thread block."""
        times, warps = TIMES[self.width]
        return self.times or times, self.warps or warps

    @property
    def halo(self) -> int:
        """Times on each side that a time depends on."""
        return max(sum(each) * (taps // 2) for taps, each in zip(self.taps, self.dilations, strict=True))

    @property
    def shared_bytes(self) -> int:
        """Of a thread block."""
        return 3 * (self.tile[0] + 2 * self.halo) * self.width * 2

    def options(self) -> list[str]:
        """The macros of `stage.cu`."""
        times, warps = self.tile
        values = {
            "BFLOAT16": int(self.bfloat16),
            "CHANNELS": self.channels,
            "WIDTH": self.width,
            "TIMES": times,
            "HALO": self.halo,
            "WARPS": warps,
            "BLOCKS": len(self.taps),
            "COUNT": len(self.dilations[0]),
            "PER_RESIDUAL": self.per_residual,
            "TAPS_OF_BLOCKS": ",".join(map(str, self.taps)),
            "DILATIONS": ",".join(str(each) for block in self.dilations for each in block),
            "SLOPE": f"{float(self.slope)!r}f",
        }
        return [f"-D{name}={value}" for name, value in values.items()]


def shape_of(
    x: Tensor,
    weights: Sequence[Tensor],
    dilations: Sequence[int],
    sizes: Sequence[int],
    per_residual: int,
    slope: float,
) -> Shape | None:
    """The shape of a call, arguments as of `multi_receptive_field_reference`; None where the kernel does not serve."""
    channels = x.shape[1]
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    blocks = [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    alike = all(len({weights[index].shape[2] for index in block}) == 1 for block in blocks)
    if x.dtype not in (torch.bfloat16, torch.float16) or channels > MOST_CHANNELS or channels % 8:
        return None
    if not alike or len(set(sizes)) != 1:
        return None
    taps = tuple(weights[start].shape[2] for start in starts)
    by_block = tuple(tuple(dilations[index] for index in block) for block in blocks)
    return Shape(channels, taps, by_block, per_residual, slope, x.dtype == torch.bfloat16)


def serves(shape: Shape, device: torch.device) -> bool:
    """Whether a shape can be had on a GPU: its shared memory suffices, and there is a compiler."""
    if nvrtc.find() is None:
        return False
    most = SHARED_BYTES.get(torch.cuda.get_device_capability(device)[0])
    return most is not None and shape.shared_bytes <= most


def mean_of_blocks(shape: Shape, x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    """(B, T, C) rows to (B, T, C): what `multi_receptive_field` computes, for a shape that `serves`."""
    right, added = fragments(weights, x.dtype), padded_biases(biases)
    out = torch.empty_like(x)
    batch, length = x.shape[:2]
    times, warps = shape.tile
    with torch.cuda.device(x.device):
        function = _function(shape, torch.cuda.get_device_capability(x.device), x.device)
        stream = torch.cuda.current_stream(x.device).cuda_stream
        grid = (-(-length // times), batch)
        function.launch(grid, 32 * warps, (x, right, added, out, length), stream)
    return out


def source() -> str:
    """The kernel's C++."""
    return Path(__file__).with_name("stage.cu").read_text(encoding="utf-8")


def fragments(weights: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """All convolutions' weights (C', C, K), as the registers of tensor cores hold them: one dimension, in order.

    For each tap, 16 input channels and 16 output channels, a lane has 16 bytes: output channels lane / 4 and 8 more,
    of each two input channels from 2 (lane mod 4) and two 8 further on. Channels are filled up with zeros.
    """
    return packed_together(weights, dtype, _fragments, "fragments")


def padded_biases(biases: Sequence[Tensor]) -> Tensor:
    """All convolutions' biases in float32, each filled up with zeros to the width."""
    return packed_together(biases, torch.float32, _padded, "padded")


def _fragments(weights: Sequence[Tensor]) -> Tensor:
    made = []
    for weight in weights:
        channels, taps = weight.shape[0], weight.shape[2]
        width = max(16, 1 << (channels - 1).bit_length())
        filled = weight.new_zeros(width, width, taps)
        filled[:channels, :channels] = weight
        blocks = filled.view(
            width // 16, 2, 8, width // 16, 2, 4, 2, taps
        )  # (out16, out8, out, in16, in8, in2, in, tap)
        made.append(blocks.permute(7, 3, 0, 2, 5, 1, 4, 6).reshape(-1))
    return torch.cat(made).contiguous()


def _padded(biases: Sequence[Tensor]) -> Tensor:
    channels = len(biases[0])
    width = max(16, 1 << (channels - 1).bit_length())
    return torch.stack([torch.nn.functional.pad(bias, (0, width - channels)) for bias in biases])


@functools.cache
def _function(shape: Shape, capability: tuple[int, int], device: torch.device) -> nvrtc.Function:
    code = nvrtc.machine_code(source(), shape.options(), 10 * capability[0] + capability[1])
    return nvrtc.Function(code, "mean_of_blocks", shape.shared_bytes)
