"""CUDA C++ at run time, by the NVRTC library that torch's wheels bring: no nvcc, and nothing compiled at import.

What is compiled is kept in a folder of the user's, under a name of all that it depends on, so that it is compiled once
for each kind of GPU and version.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import hashlib
import importlib.util
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from voxclone.errors import KernelError

NAMES = ("*/lib/libnvrtc.so.1[2-9]*", "*/bin/nvrtc64_1[2-9]*_0.dll")  # in NVIDIA's wheels; 12 is the first for sm_90a
MOST_SHARED_BYTES = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES

_log = logging.getLogger("voxclone")


class Compiler:
    """NVRTC.

    Args:
        path: Of the library; None looks for torch's own.

    Attributes:
        version: Of the compiler, as "13.0".

    Raises:
        KernelError: It is not there.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        path = path or find()
        if path is None:
            raise KernelError(
                "there is no NVRTC here: torch's CUDA wheels bring it, as does pip install nvidia-cuda-nvrtc"
            )
        self._library = ctypes.CDLL(str(path))
        self._library.nvrtcGetErrorString.restype = ctypes.c_char_p
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._check("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        self.version = f"{major.value}.{minor.value}"

    def compile(self, source: str, options: Sequence[str], capability: int | str) -> bytes:
        """Machine code (a cubin) of C++ source for a GPU of compute capability 80, 90, "90a" …

        Raises:
            KernelError: The compiler refuses, with what it says.
        """
        given = [f"--gpu-architecture=sm_{capability}", "--std=c++17", *options]
        program = ctypes.c_void_p()
        self._check("nvrtcCreateProgram", ctypes.byref(program), source.encode(), b"voxclone.cu", 0, None, None)
        try:
            listed = (ctypes.c_char_p * len(given))(*[option.encode() for option in given])
            if self._library.nvrtcCompileProgram(program, len(given), listed) != 0:
                said = self._read("nvrtcGetProgramLog", program).decode(errors="replace").rstrip("\0\n")
                raise KernelError(f"NVRTC {self.version} cannot compile a kernel for sm_{capability}: {said}")
            return self._read("nvrtcGetCUBIN", program)
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _read(self, name: str, program: ctypes.c_void_p) -> bytes:
        size = ctypes.c_size_t()
        self._check(f"{name}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._check(name, program, buffer)
        return buffer.raw

    def _check(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._library, name)(*arguments):
            raise KernelError(f"{name} failed: {self._library.nvrtcGetErrorString(status).decode()}")


@functools.cache
def find() -> Path | str | None:
    """Where NVRTC lies: in the wheels beside torch, or where the system's loader finds it; None where it does not."""
    spec = importlib.util.find_spec("nvidia")
    folders = spec.submodule_search_locations or () if spec is not None else ()
    found = sorted(path for folder in folders for name in NAMES for path in Path(folder).glob(name))
    if found:
        return found[-1]
    return ctypes.util.find_library("nvrtc")


def machine_code(source: str, options: Sequence[str], capability: int | str, compiler: Compiler | None = None) -> bytes:
    """As `Compiler.compile`, from the cache folder if it was compiled before, with a message if it was not.

    The folder is `voxclone/kernels` in $XDG_CACHE_HOME or ~/.cache; what is damaged in it is compiled again, and where
    it cannot be written to, nothing is kept.
    """
    compiler = compiler or Compiler()
    key = hashlib.sha256(repr((source, list(options), capability, compiler.version)).encode()).hexdigest()
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voxclone" / "kernels" / f"{key}.cubin"
    if (kept := _kept(path)) is not None:
        return kept
    _log.warning("compiling a kernel for this GPU (sm_%s), once; it is kept as %s", capability, path)
    made = compiler.compile(source, options, capability)
    _keep(path, made)
    return made


def _kept(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if digest == hashlib.sha256(code).digest() else None


def _keep(path: Path, code: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(file.name, path)
    except OSError as error:
        _log.warning("the compiled kernel cannot be kept: %s", error)


class Function:
    """A kernel on one GPU, by CUDA's driver, in the context that torch has there: for a thread without one, too.

    Args:
        code: A cubin for it.
        name: Of the function in it.
        shared_bytes: That a thread block may be given.
        device: The GPU's index.
        driver: CUDA's driver; None is the system's.
    """

    def __init__(self, code: bytes, name: str, shared_bytes: int, device: int, driver: Any = None) -> None:
        self._driver = driver or ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        self._code = code  # kept as long as what was loaded of it
        self._context, self._function = ctypes.c_void_p(), ctypes.c_void_p()
        number, module = ctypes.c_int(), ctypes.c_void_p()
        self._check("cuDeviceGet", ctypes.byref(number), device)
        self._check("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), number)
        self._check("cuCtxSetCurrent", self._context)
        self._check("cuModuleLoadData", ctypes.byref(module), code)
        self._check("cuModuleGetFunction", ctypes.byref(self._function), module, name.encode())
        self._check("cuFuncSetAttribute", self._function, MOST_SHARED_BYTES, shared_bytes)

    def launch(
        self,
        grid: tuple[int, int],
        threads: int,
        arguments: Sequence[torch.Tensor | float | tuple[int, ...]],
        stream: int,
        shared_bytes: int,
    ) -> None:
        """Start it on a stream of its GPU, for tensors (by where they lie), 32-bit integers and floats.

        Args:
            grid: Thread blocks.
            threads: Of each.
            arguments: A tuple is a structure of integers.
            stream: That it waits for.
            shared_bytes: Of a thread block.

        Raises:
            KernelError: The driver refuses.
        """
        held = [_argument(each) for each in arguments]
        listed = (ctypes.c_void_p * len(held))(*[ctypes.addressof(each) for each in held])
        place = ctypes.c_void_p(stream)
        self._check("cuCtxSetCurrent", self._context)
        self._check("cuLaunchKernel", self._function, *grid, 1, threads, 1, 1, shared_bytes, place, listed, None)

    def _check(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._driver, name)(*arguments):
            raise KernelError(f"CUDA's driver refuses a kernel: {name} gives error {status}")


def _argument(value: torch.Tensor | float | tuple[int, ...]) -> Any:
    if isinstance(value, tuple):
        return (ctypes.c_int * len(value))(*value)
    if isinstance(value, torch.Tensor):
        return ctypes.c_void_p(value.data_ptr())
    return ctypes.c_int(value) if isinstance(value, int) else ctypes.c_float(value)
