"""The Triton kernels are interpreted on the CPU: Triton reads this variable when a kernel is defined."""

from __future__ import annotations

import ctypes
import importlib.util
import inspect
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

os.environ.setdefault("TRITON_INTERPRET", "1")

Case = tuple[Tensor, Tensor, Tensor]  # a kernel's output, the reference's in the same dtype, and in float64


@pytest.fixture(autouse=True)
def _bfloat16_is_interpreted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's interpreter takes bfloat16 for integers; here its values are numpy's numbers, which ml_dtypes adds."""
    if "test_gpu_" not in request.module.__name__:
        return
    if importlib.util.find_spec("ml_dtypes") is None:
        if torch.bfloat16 in getattr(getattr(request.node, "callspec", None), "params", {}).values():
            pytest.skip("numpy has no bfloat16 without ml_dtypes, which onnx brings")
        return
    import ml_dtypes
    import numpy as np
    import triton.language as tl
    from triton.runtime import interpreter

    original = interpreter._get_np_dtype
    numbers = np.dtype(ml_dtypes.bfloat16)

    def dtype_of(kind: Any) -> Any:
        return numbers if tl.bfloat16 in (kind, kind.is_block() and kind.element_ty) else original(kind)

    def cast(self: Any, source: Any, kind: Any, rounding: Any = None) -> Any:
        return interpreter.TensorHandle(source.data.astype(dtype_of(kind)), kind.scalar)

    def load(self: Any, places: Any, mask: Any, other: Any, *_: Any) -> Any:
        kind = places.get_element_ty()
        stored = original(kind)
        others = np.zeros(places.data.shape, stored) if other is None else other.data.view(stored)
        read = interpreter._interpreter.load(places.data, mask.data, others, stored)
        return interpreter.TensorHandle(read.view(dtype_of(kind)), kind)

    def store(self: Any, places: Any, values: Any, mask: Any, *_: Any) -> Any:
        given = values.data.view(np.uint16) if values.data.dtype == numbers else values.data
        return interpreter._interpreter.store(places.data, given, mask.data)

    monkeypatch.setattr(interpreter, "_get_np_dtype", dtype_of)
    monkeypatch.setattr(interpreter.InterpreterBuilder, "create_masked_load", load)
    monkeypatch.setattr(interpreter.InterpreterBuilder, "create_masked_store", store)
    monkeypatch.setattr(interpreter.InterpreterBuilder, "cast_impl", cast)
    monkeypatch.setattr(interpreter.InterpreterBuilder, "create_fp_to_fp", cast)


@pytest.fixture(scope="session")
def rounds_as_well() -> Callable[[Case], bool]:
    """Whether the worst element is off by at most twice what the reference's is, and one rounding of the largest."""

    def check(case: Case) -> bool:
        made, plain, exact = case
        assert made.shape == exact.shape
        bound = 2 * (plain.double() - exact).abs().max() + torch.finfo(made.dtype).eps * exact.abs().max()
        return bool((made.double() - exact).abs().max() <= bound)

    return check


@pytest.fixture
def mutated(tmp_path: Path) -> Callable[[ModuleType, str, str], ModuleType]:
    """A module with one piece of its source replaced."""

    def make(module: ModuleType, old: str, new: str) -> ModuleType:
        source = inspect.getsource(module)
        assert old in source
        path = tmp_path / "mutant.py"
        path.write_text(source.replace(old, new), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("mutant", path)
        assert spec is not None and spec.loader is not None
        mutant = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(mutant)
        return mutant

    return make


@pytest.fixture(scope="session")
def on_host(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str], str], ctypes.CDLL]:
    """Compiles the CUDA C++ kernel, given macros and source, as C++ for this machine, after what CUDA gives it."""
    if shutil.which("g++") is None:
        pytest.skip("the CUDA C++ kernel runs on a CPU where there is g++")
    here, built = Path(__file__).parent, dict[tuple[str, ...], ctypes.CDLL]()

    def build(options: list[str], source: str) -> ctypes.CDLL:
        if (found := built.get((*options, source))) is not None:
            return found
        folder = tmp_path_factory.mktemp("host")
        parts = [f'#include "{here / "cuda_on_host.h"}"', source, f'#include "{here / "run_on_host.h"}"']
        (folder / "block.cpp").write_text("\n".join(parts), encoding="utf-8")
        command = ["g++", "-O1", "-w", "-shared", "-fPIC", "-std=c++17", *options, "block.cpp", "-o", "block.so"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return built.setdefault((*options, source), ctypes.CDLL(str(folder / "block.so")))

    return build
