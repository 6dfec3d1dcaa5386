"""The CUDA C++ residual block: its source on the CPU, with emulated threads and warpgroup products."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from voxclone.kernels.gpu import block
from voxclone.kernels.gpu.block import Shape
from voxclone.kernels.gpu.stage import padded_biases
from voxclone.kernels.multi_receptive_field import multi_receptive_field_reference

Case = tuple[Tensor, Tensor, Tensor]
Check = Callable[[Case], bool]
Host = Callable[[list[str], str], ctypes.CDLL]
SLOPE = 0.1
PAIRS = Shape(16, 5, (1, 1, 3, 1), 2, SLOPE, True, (1, 2, 4))
SHAPES = {
    "V1 at 128 channels": Shape(128, 11, (5, 1), 2, SLOPE, True, (2, 1, 4)),
    "V1 at 64": Shape(64, 7, (1, 1, 3, 1, 5, 1), 2, SLOPE, True, (1, 2, 4)),
    "at 32, float16": Shape(32, 3, (1, 1, 3, 1, 5, 1), 2, SLOPE, False, (2, 1, 3)),
    "V2's last": Shape(8, 11, (1, 1, 3, 1, 5, 1), 2, SLOPE, True, (1, 3, 5)),
    "V3": Shape(64, 7, (3, 12), 1, SLOPE, True, (1, 2, 3)),
    "the bundle's": Shape(120, 5, (2, 6), 1, SLOPE, True, (1, 1, 3)),
    "one": Shape(16, 3, (12,), 1, SLOPE, True, (1, 1, 3)),
    "without neighbours": Shape(16, 1, (1, 1), 2, SLOPE, True, (1, 1, 4)),
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def run(on_host: Host, shape: Shape, length: int, backwards: bool = False, old: str = "", new: str = "") -> Case:
    """What the kernel, a piece of it replaced, makes of random values and adds to others."""
    source = block.source(shape.width)
    assert old in source
    library = on_host(shape.options(), source.replace(old, new) if old else source)
    dtype = torch.bfloat16 if shape.bfloat16 else torch.float16
    channels, count = shape.channels, len(shape.dilations)
    x, total = torch.randn(2, channels, length).to(dtype), torch.randn(2, channels, length).to(dtype)
    weights = [
        (torch.randn(channels, channels, shape.taps) / (channels * shape.taps) ** 0.5).to(dtype) for _ in range(count)
    ]
    biases = [torch.randn(channels).to(dtype) for _ in range(count)]
    rows, made = x.transpose(1, 2).contiguous(), total.transpose(1, 2).clone(memory_format=torch.contiguous_format)
    right, added = block.pieces(weights, dtype), padded_biases(biases)
    pointers = [ctypes.c_void_p(each.data_ptr()) for each in (rows, right, added, made)]
    status = library.run(*pointers, length, 1, ctypes.c_float(0.5), (ctypes.c_int * 11)(*shape.plan), 2, int(backwards))
    if status:
        made.fill_(float("nan"))

    def reference(kind: torch.dtype) -> Tensor:
        given = x.to(kind), [each.to(kind) for each in weights], [each.to(kind) for each in biases]
        block_of = multi_receptive_field_reference(*given, shape.dilations, [count], shape.per_residual, SLOPE)
        return ((block_of + total.to(kind)) * 0.5).transpose(1, 2)

    return made, reference(dtype), reference(torch.float64)


@pytest.mark.parametrize("bfloat16", [True, False])
@pytest.mark.parametrize("length", [1, 2, 4, PAIRS.times - 1, PAIRS.times, PAIRS.times + 1, 1025])
def test_parity(length: int, bfloat16: bool, on_host: Host, rounds_as_well: Check) -> None:
    assert rounds_as_well(run(on_host, replace(PAIRS, bfloat16=bfloat16), length))


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, on_host: Host, rounds_as_well: Check) -> None:
    assert block.fits(SHAPES[name]) or SHAPES[name].times < 64
    assert rounds_as_well(run(on_host, SHAPES[name], 150))


@pytest.mark.parametrize("shape", [PAIRS, replace(PAIRS, per_residual=1)])
def test_no_thread_waits_for_an_earlier_one(shape: Shape, on_host: Host) -> None:
    made = []
    for backwards in (False, True):
        torch.manual_seed(0)
        made.append(run(on_host, replace(shape, division=(2, 1, 4)), 200, backwards)[0])
    assert torch.equal(*made) and bool(made[0].isfinite().all())
