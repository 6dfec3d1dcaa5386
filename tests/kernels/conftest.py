"""The Triton kernels are interpreted on the CPU: Triton reads this variable when a kernel is defined."""

from __future__ import annotations

import importlib.util
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

os.environ.setdefault("TRITON_INTERPRET", "1")

Case = tuple[Tensor, Tensor, Tensor]  # a kernel's output, the reference's in the same dtype, and in float64


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
