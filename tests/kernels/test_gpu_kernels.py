"""The Triton kernels through Triton's interpreter, on the CPU: parity with float64, and mutants that must be caught.

In bfloat16 where ml_dtypes, which onnx brings, adds it to numpy: see conftest.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from packaging.version import Version
from torch import Tensor

pytest.importorskip("triton")

import triton
from triton.runtime.interpreter import InterpretedFunction

from voxclone.kernels.conv1d import conv1d_reference
from voxclone.kernels.conv_transpose1d import conv_transpose1d_reference
from voxclone.kernels.gpu import convolution, nvrtc, one_channel, residual
from voxclone.kernels.gpu.convolution import Tile
from voxclone.kernels.multi_receptive_field import multi_receptive_field_reference

SLOPE = 0.1
BLOCK = 16
LENGTHS = [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 4097]  # the kernel's size less one is among each case's own
DTYPES = [torch.float32, torch.float16, torch.bfloat16]
Case = tuple[Tensor, Tensor, Tensor]  # the kernel's output, the reference's in the same dtype, and in float64
Check = Callable[[Case], bool]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_the_kernels_are_interpreted() -> None:
    assert isinstance(convolution.conv1d_kernel, InterpretedFunction)


def rows(x: Tensor) -> Tensor:
    return x.transpose(1, 2).contiguous()


def weight(*shape: int) -> Tensor:
    return torch.randn(*shape) / (shape[1] * shape[2]) ** 0.5


def tile(length: int) -> Tile:
    """Blocks of 16 where the ends of blocks are looked at; few and large ones where the length is."""
    return Tile(BLOCK if length < 1000 else 1024, 16, 16, 4, 2)


def convolved(length: int, dtype: torch.dtype, module: ModuleType = convolution, tanh: bool = False) -> Case:
    """More channels than a block on both sides, none a multiple of it, all that the kernel can add."""
    x, kernel, bias = (each.to(dtype) for each in (torch.randn(2, 20, length), weight(18, 20, 7), torch.randn(18)))
    added, total = torch.randn(2, 18, length).to(dtype), torch.randn(2, 18, length).to(dtype)
    made = module.convolve(
        rows(x),
        module.pack(kernel),
        bias,
        padding=9,
        dilation=3,
        slope=SLOPE,
        tanh=tanh,
        residual=rows(added),
        total=rows(total).clone(),  # it is overwritten, and rows of one time are no copy
        scale=0.5,
        tile=tile(length),
    )

    def reference(kind: torch.dtype) -> Tensor:
        y = conv1d_reference(x.to(kind), kernel.to(kind), bias.to(kind), 9, 3, SLOPE, tanh)
        return (y + added.to(kind) + total.to(kind)) * 0.5

    return made, rows(reference(dtype)), rows(reference(torch.float64))


def lengthened(length: int, dtype: torch.dtype, module: ModuleType = convolution, kernel_size: int = 16) -> Case:
    stride, padding = kernel_size // 2, kernel_size // 4
    x, kernel, bias = torch.randn(2, 20, length), weight(20, 6, kernel_size), torch.randn(6)
    x, kernel, bias = x.to(dtype), kernel.to(dtype), bias.to(dtype)
    made = module.convolve_transposed(
        rows(x), kernel, bias, stride=stride, padding=padding, slope=SLOPE, tile=tile(length)
    )

    def reference(kind: torch.dtype) -> Tensor:
        return rows(conv_transpose1d_reference(x.to(kind), kernel.to(kind), bias.to(kind), stride, padding, SLOPE))

    return made, reference(dtype), reference(torch.float64)


def averaged(
    length: int,
    dtype: torch.dtype,
    module: ModuleType = residual,
    per_residual: int = 2,
    channels: int = 12,
    dilations: tuple[int, ...] = (1, 1, 3, 1),
) -> Case:
    """Two blocks, of 3 and of 5 taps."""
    x = torch.randn(2, channels, length).to(dtype)
    taps = [3] * len(dilations) + [5] * len(dilations)
    weights = [weight(channels, channels, each).to(dtype) for each in taps]
    biases, sizes = [torch.randn(channels).to(dtype) for _ in taps], [len(dilations)] * 2
    made = module.mean_of_blocks(rows(x), weights, biases, dilations * 2, sizes, per_residual, SLOPE, tile(length))

    def reference(kind: torch.dtype) -> Tensor:
        given = x.to(kind), [each.to(kind) for each in weights], [each.to(kind) for each in biases]
        return rows(multi_receptive_field_reference(*given, dilations * 2, sizes, per_residual, SLOPE))

    return made, reference(dtype), reference(torch.float64)


def to_one(
    length: int,
    dtype: torch.dtype,
    module: ModuleType = one_channel,
    channels: int = 20,
    made_in: torch.dtype = torch.float32,
) -> Case:
    """A dilated convolution to one channel, read in one dtype and made in another."""
    x, kernel, bias = torch.randn(2, channels, length).to(dtype), weight(1, channels, 7), torch.randn(1)
    kernel, bias = kernel.to(made_in), bias.to(made_in)
    given = {"padding": 9, "dilation": 3, "slope": SLOPE, "tanh": True, "dtype": made_in}
    values = 32 * BLOCK if length < 1000 else 32 * 1024
    made = module.convolve_to_one(rows(x), convolution.pack(kernel), bias, values=values, **given)

    def reference(kind: torch.dtype) -> Tensor:
        return rows(conv1d_reference(x, kernel, bias, 9, 3, SLOPE, True, kind))

    return made, reference(made_in), reference(torch.float64)


SPECIAL: dict[str, Callable[[torch.dtype], Case]] = {
    "tanh": lambda dtype: convolved(20, dtype, tanh=True),
    "single convolutions": lambda dtype: averaged(33, dtype, per_residual=1, dilations=(3, 12)),
    "8 channels to one": lambda dtype: to_one(33, dtype, channels=8),
    "many channels to one": lambda dtype: to_one(33, dtype, channels=72),
    "to one in the same dtype": lambda dtype: to_one(33, dtype, made_in=dtype),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [*LENGTHS, 4, 6])
@pytest.mark.parametrize("form", [convolved, averaged, to_one])
def test_any_length(form: Callable[..., Case], length: int, dtype: torch.dtype, rounds_as_well: Check) -> None:
    assert rounds_as_well(form(length, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_what_else_a_kernel_makes(name: str, dtype: torch.dtype, rounds_as_well: Check) -> None:
    assert rounds_as_well(SPECIAL[name](dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("length", "kernel_size"), [(1, 16), (2, 16), (15, 16), (16, 16), (17, 4), (1025, 8)])
def test_transposed_convolution(length: int, kernel_size: int, dtype: torch.dtype, rounds_as_well: Check) -> None:
    assert rounds_as_well(lengthened(length, dtype, kernel_size=kernel_size))


def test_transposed_convolutions_of_any_shape() -> None:
    for kernel_size, stride, padding in ((7, 3, 2), (5, 4, 0), (3, 1, 1), (4, 2, 3)):
        x, kernel = torch.randn(1, 4, 9), weight(4, 3, kernel_size)
        made = convolution.convolve_transposed(
            rows(x), kernel, None, stride=stride, padding=padding, slope=1.0, tile=tile(9)
        )
        torch.testing.assert_close(
            made, rows(conv_transpose1d_reference(x, kernel, None, stride, padding, 1.0)), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("form", [convolved, averaged])
def test_the_same_call_gives_the_same(form: Callable[..., Case]) -> None:
    again = []
    for _ in range(2):
        torch.manual_seed(0)
        again.append(form(20, torch.float16)[0])
    assert torch.equal(*again)


def test_short_inputs_are_divided_into_more() -> None:
    few, many = (convolution.tile_for(256, 256, torch.bfloat16, rows) for rows in (2000, 50000))
    assert few.columns < many.columns
    assert convolution.tile_for(256, 256, torch.float32, 2000) == convolution.tile_for(256, 256, torch.float32, 50000)


MUTATIONS = {
    "one tap": (convolution, convolved, "tap * dilation", "tl.minimum(tap, TAPS - 2) * dilation"),
    "dilation": (convolution, convolved, "tap * dilation", "tap * (dilation + 1)"),
    "start": (convolution, convolved, "(source >= 0)", "(source >= 1)"),
    "end": (convolution, convolved, "source < length)", "source < length - 1)"),
    "input channels": (convolution, convolved, "(channels < CHANNELS_IN)[None, :]", "(channels < 16)[None, :]"),
    "slope": (convolution, convolved, "* SLOPE)", "* SLOPE * 0.9)"),
    "bias": (convolution, convolved, "if HAS_BIAS:", "if not HAS_BIAS:"),
    "tap to one": (one_channel, to_one, "tap * dilation", "tl.minimum(tap, TAPS - 2) * dilation"),
    "start to one": (one_channel, to_one, "(source >= 0)", "(source >= 1)"),
    "end to one": (one_channel, to_one, "source < length)", "source < length - 1)"),
    "channels to one": (one_channel, to_one, "(channels < CHANNELS)[None, :]", "(channels < 16)[None, :]"),
    "slope to one": (one_channel, to_one, "a * SLOPE)", "a * SLOPE * 0.9)"),
    "bias to one": (one_channel, to_one, "if HAS_BIAS:", "if not HAS_BIAS:"),
    "tanh to one": (one_channel, to_one, "if TANH:", "if not TANH:"),
    "item to one": (one_channel, to_one, "item * length_out", "0 * length_out"),
    "phase": (convolution, lengthened, "* stride + phase + padding", "* stride + phase + padding - 1"),
    "added at once": (residual, averaged, 'stream = y if "residual" in adds else stream', "stream = y"),
    "sum": (residual, averaged, '"total": total', '"total": None'),
    "mean": (residual, averaged, '"scale": scale', '"scale": 1.0'),
    "the last adds": (residual, averaged, "index == own[-1]", "index == own[0]"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutant_is_caught(name: str, rounds_as_well: Check, mutated: Callable[..., ModuleType]) -> None:
    module, form, old, new = MUTATIONS[name]
    assert rounds_as_well(form(20, torch.float32))
    assert not rounds_as_well(form(20, torch.float32, mutated(module, old, new)))


@pytest.mark.skipif(Version(triton.__version__) < Version("3.4"), reason="Triton 3.3 spills a register here")
def test_compiles_for_gpus_within_bounds() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "kernel_resources.py"
    command = [sys.executable, str(script), "--no-result", "--dtypes", "bf16", "--shapes", "one channel from", "8 to 8"]
    command += ["CUDA C++, 64"] if nvrtc.find() is not None else []
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("registers") == (13 if nvrtc.find() is not None else 9)
