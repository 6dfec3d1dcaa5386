"""The CUDA C++ stage: its source on the CPU, with emulated threads and tensor cores; its compiler; its launches."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from voxclone.errors import KernelError
from voxclone.kernels.gpu import nvrtc, stage
from voxclone.kernels.gpu.stage import Shape
from voxclone.kernels.multi_receptive_field import multi_receptive_field_reference

Case = tuple[Tensor, Tensor, Tensor]
Check = Callable[[Case], bool]
Host = Callable[[list[str], str], ctypes.CDLL]
SLOPE = 0.1
PAIRS = Shape(16, (3, 5), ((1, 1, 3, 1), (1, 1, 2, 1)), 2, SLOPE, True, times=48, warps=2)
SINGLES = Shape(16, (3, 7), ((1, 2), (3, 4)), 1, SLOPE, True, times=48, warps=2)
needs_nvrtc = pytest.mark.skipif(nvrtc.find() is None, reason="there is no NVRTC: torch without CUDA")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def run(library: ctypes.CDLL, shape: Shape, length: int, backwards: bool = False) -> tuple[Case, int, int]:
    """What the kernel makes of random values, its status, and how many bank conflicts its matrix loads had."""
    dtype = torch.bfloat16 if shape.bfloat16 else torch.float16
    channels, count = shape.channels, len(shape.dilations[0])
    taps = [each for each in shape.taps for _ in range(count)]
    x = torch.randn(2, channels, length).to(dtype)
    weights = [(torch.randn(channels, channels, each) / (channels * each) ** 0.5).to(dtype) for each in taps]
    biases = [torch.randn(channels).to(dtype) for _ in taps]
    rows = x.transpose(1, 2).contiguous()
    right, added = stage.fragments(weights, dtype), stage.padded_biases(biases)
    made, conflicts = torch.full_like(rows, float("nan")), ctypes.c_long()
    pointers = [ctypes.c_void_p(each.data_ptr()) for each in (rows, right, added, made)]
    status = library.run(*pointers, length, 2, int(backwards), ctypes.byref(conflicts))

    def reference(kind: torch.dtype) -> Tensor:
        given = x.to(kind), [each.to(kind) for each in weights], [each.to(kind) for each in biases]
        flat = [each for block in shape.dilations for each in block]
        sizes = [count] * len(shape.taps)
        return multi_receptive_field_reference(*given, flat, sizes, shape.per_residual, shape.slope).transpose(1, 2)

    return (made, reference(dtype), reference(torch.float64)), status, conflicts.value


@pytest.mark.parametrize("bfloat16", [True, False])
@pytest.mark.parametrize("length", [1, 2, 4, 47, 48, 49, 4097])
def test_parity(length: int, bfloat16: bool, on_host: Host, rounds_as_well: Check) -> None:
    shape = replace(PAIRS, bfloat16=bfloat16)
    case, status, conflicts = run(on_host(shape.options(), stage.source()), shape, length)
    assert status == conflicts == 0
    assert rounds_as_well(case)


SHAPES = {
    "V1 and V2 at 64 channels": Shape(64, (3, 7, 11), ((1, 1, 3, 1, 5, 1),) * 3, 2, SLOPE, True, times=32, warps=3),
    "at 32": Shape(32, (3, 7, 11), ((1, 1, 3, 1, 5, 1),) * 3, 2, SLOPE, False, times=32, warps=2),
    "V2's last": Shape(8, (3, 7, 11), ((1, 1, 3, 1, 5, 1),) * 3, 2, SLOPE, True, times=32, warps=2),
    "V3": Shape(64, (3, 5, 7), ((1, 2), (2, 6), (3, 12)), 1, SLOPE, True, times=32, warps=2),
    "channels that fill no power of two": Shape(40, (3,), ((1, 1),), 2, SLOPE, True, times=32, warps=2),
    "without neighbours": Shape(16, (1,), ((1,),), 1, SLOPE, True, times=16, warps=1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, on_host: Host, rounds_as_well: Check) -> None:
    shape = SHAPES[name]
    library = on_host(shape.options(), stage.source())
    case, status, conflicts = run(library, shape, 50)
    assert status == conflicts == 0
    assert rounds_as_well(case)


@pytest.mark.parametrize("shape", [PAIRS, SINGLES])
def test_no_thread_waits_for_an_earlier_one(shape: Shape, on_host: Host) -> None:
    made = []
    for backwards in (False, True):
        torch.manual_seed(0)
        made.append(run(on_host(shape.options(), stage.source()), shape, 60, backwards)[0][0])
    assert torch.equal(*made)


MUTATIONS = {
    "one tap": ("(tap - taps / 2) * dilation", "((tap < 2 ? tap : 1) - taps / 2) * dilation"),
    "dilation": ("const int dilation = DILATION[block * COUNT + index];", "const int dilation = 1;"),
    "a block's dilations": ("DILATION[block * COUNT + index];", "DILATION[index];"),
    "start": ("const bool inside = time >= 0", "const bool inside = time >= -1"),
    "end": ("const bool inside = time >= 0 && time < length", "const bool inside = time >= 0 && time < length - 1"),
    "read beyond the end": ("if (time >= 0 && time < length &&", "if (time >= 0 && time < length + 1 &&"),
    "halo": ("edge += dilation * (taps / 2);", "edge += dilation * (taps / 2) + (index == 0);"),
    "slope": ("first * SLOPE", "first * 0.2f"),
    "residual": ("if (adds) *kept = made;", ""),
    "activation at first": ("activated(read.w)}", "read.w}"),
    "activation between": ("activated(made);", "made;"),
    "sum": ("if (block > 0)", "if (block > 1)"),
    "mean": ("1.0f / BLOCKS", "1.0f"),
    "weights of the next": ("weights += taps * STEPS", "weights += (taps - 1) * STEPS"),
    "biases of the next": ("biases += WIDTH;", ""),
    "half of a product": ("2 * step + lane / 16", "2 * step"),
    "columns": ("b.z, b.w", "b.x, b.y"),
    "rows of the second half": ("shifted + 16 * half", "shifted"),
    "item": ("x += (size_t)blockIdx.y", "x += (size_t)0"),
    "barrier after a convolution": ("target = read;\n            __syncthreads();", "target = read;"),
    "barrier before the first": ("__syncthreads();\n#pragma unroll 1", "#pragma unroll 1"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutant_is_caught(name: str, on_host: Host, rounds_as_well: Check) -> None:
    old, new = MUTATIONS[name]
    assert old in stage.source()
    mutant = on_host(PAIRS.options(), stage.source().replace(old, new))
    fair = []
    for backwards in (False, True):
        case, status, _ = run(mutant, PAIRS, 60, backwards)
        fair.append(status == 0 and rounds_as_well(case))
    assert not all(fair)


def test_conflicts_and_parted_warps_are_noticed(on_host: Host) -> None:
    straight = stage.source().replace("(chunk ^ ((row * CHUNKS / 8) & (CHUNKS - 1)))", "chunk")
    assert run(on_host(PAIRS.options(), straight), PAIRS, 60)[2] > 0
    parted = stage.source().replace("if (row >= SPAN - edge) continue;", "if (lane == 3) __syncthreads();")
    assert run(on_host(PAIRS.options(), parted), PAIRS, 60)[1] == 1
    beyond = stage.source().replace("piece < SPAN * CHUNKS; piece", "piece < 2 * SPAN * CHUNKS + 8; piece")
    assert run(on_host(PAIRS.options(), beyond), PAIRS, 60)[1] == 2


@needs_nvrtc
@pytest.mark.parametrize("capability", [80, 90, 100])
def test_compiles_for_gpus(capability: int) -> None:
    assert nvrtc.Compiler().compile(stage.source(), SHAPES["V2's last"].options(), capability)[:4] == b"\x7fELF"


@needs_nvrtc
def test_the_compilers_words_are_passed_on() -> None:
    with pytest.raises(KernelError, match=r"cannot compile a kernel for sm_90.*identifier \"nothing\" is undefined"):
        nvrtc.Compiler().compile("__global__ void f() { nothing(); }", [], 90)


class FakeCompiler:
    version = "1.2"

    def __init__(self) -> None:
        self.calls = 0

    def compile(self, source: str, options: Sequence[str], capability: int) -> bytes:
        self.calls += 1
        return f"{source} {options} {capability}".encode()


def test_compiled_once_for_each_version_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler: Any = FakeCompiler()
    with caplog.at_level(logging.WARNING, "voxclone"):
        for _ in range(2):
            assert nvrtc.machine_code("a", ["-Db"], 90, compiler) == b"a ['-Db'] 90"
    assert compiler.calls == len(caplog.records) == 1
    assert "compiling a kernel for this GPU (sm_90), once" in caplog.text
    compiler.version = "1.3"
    nvrtc.machine_code("a", ["-Db"], 90, compiler)
    nvrtc.machine_code("a", ["-Db"], 80, compiler)
    assert compiler.calls == 3
    files = list(tmp_path.rglob("*.cubin"))
    assert len(files) == 3
    for file in files:
        file.write_bytes(file.read_bytes()[:-1])
    assert nvrtc.machine_code("a", ["-Db"], 80, compiler) == b"a ['-Db'] 80"
    assert compiler.calls == 4


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    compiler: Any = FakeCompiler()
    assert nvrtc.machine_code("a", [], 90, compiler) == b"a [] 90"


class FakeDriver:
    def __init__(self, status: int = 0) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.status = status

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            if name == "cuLaunchKernel":
                listed = arguments[9]
                arguments = (*arguments, [ctypes.c_int.from_address(each).value for each in listed[1:]])
                arguments = (*arguments, ctypes.c_void_p.from_address(listed[0]).value)
            self.calls.append((name, arguments))
            return self.status

        return call


def test_a_launch_hands_on_what_it_was_given() -> None:
    driver, x = FakeDriver(), torch.zeros(3)
    function = nvrtc.Function(b"code", "name", 100_000, driver)
    function.launch((5, 2), 64, (x, 7, 8), 1234)
    names = [name for name, _ in driver.calls]
    assert names == ["cuModuleLoadData", "cuModuleGetFunction", "cuFuncSetAttribute", "cuLaunchKernel"]
    assert driver.calls[2][1][1:] == (8, 100_000)
    launched = driver.calls[3][1]
    assert launched[1:8] == (5, 2, 1, 64, 1, 1, 100_000)
    assert launched[8].value == 1234
    assert launched[11:] == ([7, 8], x.data_ptr())
    with pytest.raises(KernelError, match="cuModuleLoadData gives error 2"):
        nvrtc.Function(b"code", "name", 0, FakeDriver(2))


def test_what_it_serves() -> None:
    weights = [torch.zeros(8, 8, 3)] * 2
    found = stage.shape_of(torch.zeros(1, 8, 5, dtype=torch.bfloat16), weights, [1, 3], [1, 1], 1, SLOPE)
    assert found == Shape(8, (3, 3), ((1,), (3,)), 1, SLOPE, True)
    assert found.width == 16
    for x, kernels, sizes in (
        (torch.zeros(1, 8, 5), weights, [1, 1]),  # float32
        (torch.zeros(1, 12, 5, dtype=torch.float16), [torch.zeros(12, 12, 3)] * 2, [1, 1]),
        (torch.zeros(1, 72, 5, dtype=torch.float16), [torch.zeros(72, 72, 3)] * 2, [1, 1]),
        (torch.zeros(1, 8, 5, dtype=torch.float16), [torch.zeros(8, 8, 3), torch.zeros(8, 8, 5)], [2]),
        (torch.zeros(1, 8, 5, dtype=torch.float16), [*weights, weights[0]], [1, 2]),
    ):
        assert stage.shape_of(x, kernels, [1, 3, 1], sizes, 1, SLOPE) is None


def test_shared_memory_of_every_generator_fits_every_gpu() -> None:
    V1_BLOCK = (1, 1, 3, 1, 5, 1)
    for channels in (8, 16, 32, 64):
        for taps, dilations, together in (((3, 7, 11), (V1_BLOCK,) * 3, 2), ((3, 5, 7), ((1, 2), (2, 6), (3, 12)), 1)):
            shape = Shape(channels, taps, dilations, together, SLOPE, True)
            assert shape.shared_bytes <= min(stage.SHARED_BYTES[major] for major in (8, 9, 10))
