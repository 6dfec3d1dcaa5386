"""The CUDA C++ residual block: its source on the CPU, with emulated threads and warpgroup products."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from voxclone.kernels.gpu import block, pieces
from voxclone.kernels.gpu.block import Shape
from voxclone.kernels.multi_receptive_field import multi_receptive_field_reference

Case = tuple[Tensor, Tensor, Tensor]
Check = Callable[[Case], bool]
Host = Callable[[list[str], str], ctypes.CDLL]
SLOPE = 0.1
PAIRS = Shape(16, 5, (1, 1, 3, 1), 2, SLOPE, True, (1, 2, 4, 1))
EIGHT = replace(PAIRS, channels=8, division=(1, 2, 0, 1))
SHAPES = {
    "V1 at 128 channels": Shape(128, 11, (5, 1), 2, SLOPE, True, (2, 1, 4, 1)),
    "V1 at 64": Shape(64, 7, (1, 1, 3, 1, 5, 1), 2, SLOPE, True, (1, 2, 4, 1)),
    "at 32, float16": Shape(32, 3, (1, 1, 3, 1, 5, 1), 2, SLOPE, False, (2, 1, 3, 1)),
    "V2 at 16": Shape(16, 7, (1, 1, 3, 1, 5, 1), 2, SLOPE, True, (1, 2, 0, 2)),
    "V2's last": Shape(8, 11, (1, 1, 3, 1, 5, 1), 2, SLOPE, True, (1, 3, 0, 3)),
    "V2's last, 3 taps, float16": Shape(8, 3, (1, 1, 3, 1, 5, 1), 2, SLOPE, False, (2, 1, 0, 1)),
    "V2's last by a ring": Shape(8, 7, (1, 1, 3, 1, 5, 1), 2, SLOPE, True, (1, 3, 5, 1)),
    "V3": Shape(64, 7, (3, 12), 1, SLOPE, True, (1, 2, 3, 1)),
    "the bundle's": Shape(120, 5, (2, 6), 1, SLOPE, True, (1, 1, 3, 1)),
    "one": Shape(16, 3, (12,), 1, SLOPE, True, (1, 1, 3, 1)),
    "one at 8": Shape(8, 3, (12,), 1, SLOPE, True, (1, 1, 0, 1)),
    "without neighbours": Shape(16, 1, (1, 1), 2, SLOPE, True, (1, 1, 4, 1)),
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def run(on_host: Host, shape: Shape, length: int, backwards: bool = False, old: str = "", new: str = "") -> Case:
    """What the kernel, a piece of it replaced, makes of random values and adds to others."""
    source = block.source(shape.width)
    assert old in source
    library = on_host(shape.options(), source.replace(old, new or old, 1))
    dtype = torch.bfloat16 if shape.bfloat16 else torch.float16
    channels, count = shape.channels, len(shape.dilations)
    x, total = torch.randn(2, channels, length).to(dtype), torch.randn(2, channels, length).to(dtype)
    weights = [
        (torch.randn(channels, channels, shape.taps) / (channels * shape.taps) ** 0.5).to(dtype) for _ in range(count)
    ]
    biases = [torch.randn(channels).to(dtype) for _ in range(count)]
    rows, made = x.transpose(1, 2).contiguous(), total.transpose(1, 2).clone(memory_format=torch.contiguous_format)
    right, added = pieces.pieces(weights, dtype), pieces.padded_biases(biases)
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
@pytest.mark.parametrize("shape", [PAIRS, EIGHT])
def test_parity(shape: Shape, length: int, bfloat16: bool, on_host: Host, rounds_as_well: Check) -> None:
    assert rounds_as_well(run(on_host, replace(shape, bfloat16=bfloat16), length))


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, on_host: Host, rounds_as_well: Check) -> None:
    assert block.fits(SHAPES[name]) or SHAPES[name].times < 64
    assert rounds_as_well(run(on_host, SHAPES[name], 150))


@pytest.mark.parametrize("shape", [PAIRS, replace(PAIRS, per_residual=1), EIGHT])
def test_no_thread_waits_for_an_earlier_one(shape: Shape, on_host: Host) -> None:
    made = []
    for backwards in (False, True):
        torch.manual_seed(0)
        made.append(run(on_host, replace(shape, division=(2, 1, shape.divided[2], 1)), 200, backwards)[0])
    assert torch.equal(*made) and bool(made[0].isfinite().all())


MUTATIONS = {
    "one tap": ("from * dilation + depth", "(from < 3 ? from : 2) * dilation + depth"),
    "dilation": ("dilation = plan.dilations[index];", "dilation = 1;"),
    "start": ("(unsigned int)(start + row) <", "(unsigned int)(start + row + 1) < 1 +"),
    "end": ("(unsigned int)length;", "(unsigned int)length - 1;"),
    "read beyond the end": ("if (time >= 0 && time < length && 8", "if (time >= 0 && time < length + 1 && 8"),
    "halo": ("edge += dilation * (taps / 2);", "edge += dilation * (taps / 2) + (index == 0);"),
    "slope": ("fmaxf(value, value * slope)", "fmaxf(value, value * (slope < 1 ? 0.2f : 1.0f))"),
    "residual": ("if (adds) {", "if (false) {"),
    "activation undone": ("value * (1.0f / SLOPE)", "value"),
    "activation at first": ("activated(read.w)}", "read.w}"),
    "activation between": ("index == plan.count - 1 ? 1.0f : SLOPE", "1.0f"),
    "sum": ("if (sums) before", "if (false) before"),
    "scale": ("pair_of(scale * (", "pair_of(1.0f * ("),
    "pieces of weights": ("(STAGES + !STAGES) : piece) * PIECE, WIDTH", "1 : 0) * PIECE, WIDTH"),
    "biases of the next": ("biases += WIDTH;", ";"),
    "half of the rows": ("64 * part + 8 * half;\n                    const bool", "64 * part;\n const bool"),
    "parts": ("own + 64 * part + 8 * half;\n", "own + 8 * half;\n"),
    "item": ("x += (size_t)blockIdx.y", "x += (size_t)0"),
    "barrier before the last": ("    __syncthreads();\n#pragma unroll 4", "#pragma unroll 4"),
}
OF_A_RING = {"barrier in the ring": ("__syncthreads();\n                        fetch", "fetch")}
OF_TWO_TAPS = {
    "the last tap": ("tap > taps - 2 ? taps - 2 : tap", "false ? 0 : tap"),
    "the second of two": ("TOGETHER == 2 ? dilation : plane", "TOGETHER == 2 ? 1 : plane"),
    "all weights": ("STAGES ? PIECE : pieces * PIECE", "PIECE"),
    "barrier before a convolution": ("__syncthreads();\n            }", "}"),
}
MUTANTS = [(name, PAIRS) for name in (*MUTATIONS, *OF_A_RING)] + [(name, EIGHT) for name in (*MUTATIONS, *OF_TWO_TAPS)]


@pytest.mark.parametrize(("name", "shape"), MUTANTS)
def test_a_mutant_is_caught(name: str, shape: Shape, on_host: Host, rounds_as_well: Check) -> None:
    shape = replace(shape, division=(2, 2, shape.divided[2], 1))
    mutation = (MUTATIONS | OF_A_RING | OF_TWO_TAPS)[name]
    fair = [rounds_as_well(run(on_host, shape, 300, backwards, *mutation)) for backwards in (False, True)]
    assert not all(fair)


def test_parted_threads_and_writes_beyond_are_noticed(on_host: Host) -> None:
    for old, new in (
        ("wait_for_products<0>();", "if (lane == 3) __syncthreads();"),
        ("each < (span + 7) / 8 * 8 * CHUNKS", "each < 2 * (span + 7) / 8 * 8 * CHUNKS + 9000"),
    ):
        assert bool(run(on_host, PAIRS, 60, False, old, new)[0].isnan().all())


def test_what_it_serves() -> None:
    kernels = [torch.zeros(8, 8, 3)] * 2
    found = block.shapes_of(torch.zeros(block.FEW, 8, 5, dtype=torch.bfloat16), kernels, [1, 3], [1, 1], 1, SLOPE)
    shapes = [Shape(8, 3, (each,), 1, SLOPE, True) for each in (1, 3)]
    assert found == [(shapes[0], slice(0, 1)), (shapes[1], slice(1, 2))]
    assert shapes[0].width == 8
    for x, weights, slope in (
        (torch.zeros(1, 8, 5), kernels, SLOPE),  # float32
        (torch.zeros(1, 12, 5, dtype=torch.float16), [torch.zeros(12, 12, 3)] * 2, SLOPE),
        (torch.zeros(1, 136, 5, dtype=torch.float16), [torch.zeros(136, 136, 3)] * 2, SLOPE),
        (torch.zeros(1, 8, 5, dtype=torch.float16), [torch.zeros(8, 8, 3), torch.zeros(8, 8, 5)], SLOPE),
        (torch.zeros(1, 8, 5, dtype=torch.float16), kernels, 0.0),  # a leaky ReLU that cannot be undone
    ):
        assert block.shapes_of(x, weights, [1, 3], [2], 1, slope) is None


def launches(channels: int, length: int, batch: int = 1) -> list[tuple[Shape, slice]]:
    """Of a stage of V1."""
    weights = [torch.zeros(channels, channels, taps) for taps in (3, 7, 11) for _ in range(6)]
    x = torch.zeros(1, dtype=torch.bfloat16).expand(batch, channels, length)
    found = block.shapes_of(x, weights, [1, 1, 3, 1, 5, 1] * 3, [6, 6, 6], 2, SLOPE)
    assert found is not None
    assert [part.start for _, part in found] == [0, *[part.stop for _, part in found[:-1]]]
    return found


def test_short_inputs_are_divided_into_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for channels, length in ((128, 258 * 64), (64, 258 * 128), (32, 258 * 256), (16, 2000), (8, 1)):
        few, many = launches(channels, length), launches(channels, length, batch=16)
        assert {shape.division for shape, _ in few} == {block.SMALL[channels].division}
        assert {shape.division for shape, _ in many} == ({None} if channels > 16 else {block.SMALL[channels].division})
        assert len(many) == (9 if channels > block.WHOLE_BLOCKS else 3)
    monkeypatch.setitem(block.SMALL, 64, block.Small((2, 1, 4, 2), whole=False, at_once=True))
    few = launches(64, 258 * 128)
    assert [(shape.dilations, part) for shape, part in few[:2]] == [((1, 1), slice(0, 2)), ((3, 1), slice(2, 4))]
    assert len(few) == 9 and {shape.division for shape, _ in few} == {(2, 1, 4, 2)}
    assert len(launches(64, 258 * 128, batch=16)) == 3
    monkeypatch.setitem(block.SMALL, 64, block.Small((2, 1, 4, 2), whole=True, at_once=True))
    assert [shape.division for shape, _ in launches(64, 258 * 128)] == [(2, 1, 4, 2), None, None]  # where it fits


@pytest.mark.parametrize("channels", [8, 16, 32, 64, 128])
def test_one_long_block_makes_a_stage_long(channels: int) -> None:
    dilations = (1, 1, 3, 1, 5, 1) if channels <= block.WHOLE_BLOCKS else (5, 1)
    short = (block.FEW - 1) * Shape(channels, 11, dilations, 2, SLOPE, True).times
    assert all(shape.division is not None for shape, _ in launches(channels, short))
    assert all(shape.division is None for shape, _ in launches(channels, short + 1))


@pytest.mark.parametrize("channels", [8, 16, 32, 64, 120, 128])
def test_the_blocks_of_every_generator_fit(channels: int) -> None:
    pairs = (1, 1, 3, 1, 5, 1) if channels <= block.WHOLE_BLOCKS else (5, 1)
    for dilations, together, taps in ((pairs, 2, 11), ((3, 12), 1, 7)):
        dilations = dilations if together == 2 or channels <= block.WHOLE_BLOCKS else dilations[1:]
        assert block.fits(Shape(channels, taps, dilations, together, SLOPE, True))
