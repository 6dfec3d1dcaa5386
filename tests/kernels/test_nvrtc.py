"""CUDA C++ at run time: its compiler, what is kept of it, and its launches, against a stand-in for the driver."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from voxclone.errors import KernelError
from voxclone.kernels.gpu import nvrtc
from voxclone.kernels.gpu.block import Shape, source

needs_nvrtc = pytest.mark.skipif(nvrtc.find() is None, reason="there is no NVRTC: torch without CUDA")


@needs_nvrtc
@pytest.mark.parametrize("channels", [8, 128])
def test_compiles_for_hopper(channels: int) -> None:
    shape = Shape(channels, 3, (1, 1), 2, 0.1, True)
    assert nvrtc.Compiler().compile(source(shape.width), shape.options(), "90a")[:4] == b"\x7fELF"


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
    function = nvrtc.Function(b"code", "name", 100_000, 3, driver)
    function.launch((5, 2), 64, (x, 7, (8, 9), 0.5), 1234, 50_000)
    names = [name.removeprefix("cu") for name, _ in driver.calls]
    assert names[:3] == ["DeviceGet", "DevicePrimaryCtxRetain", "CtxSetCurrent"]
    assert names[3:] == ["ModuleLoadData", "ModuleGetFunction", "FuncSetAttribute", "CtxSetCurrent", "LaunchKernel"]
    assert driver.calls[0][1][1] == 3
    assert driver.calls[5][1][1:] == (8, 100_000)
    launched = driver.calls[-1][1]
    assert launched[1:8] == (5, 2, 1, 64, 1, 1, 50_000)
    assert launched[8].value == 1234
    assert launched[11:] == ([7, 8, 0x3F000000], x.data_ptr())  # the integers' structure, and the float's bits
    with pytest.raises(KernelError, match="cuDeviceGet gives error 2"):
        nvrtc.Function(b"code", "name", 0, 0, FakeDriver(2))
