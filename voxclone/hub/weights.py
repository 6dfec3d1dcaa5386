"""Tensors in safetensors files: read them, write them, load them into a module that they fit exactly."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from voxclone.errors import ModelError
from voxclone.files import require_place
from voxclone.hub.arrays import Shape, check_shapes, require_finite, require_shapes, why_unreadable

Module = TypeVar("Module", bound=nn.Module)


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file: its tensors on the CPU, in memory of their own, and its metadata.

    Raises:
        ModelError: The file is missing, truncated, or of another format. Pickles are never opened.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path} is missing, or is not a file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            # get_tensor gives a view of the mapped file, which may be replaced or cut short while it is in use.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except safetensors.SafetensorError as error:
        raise ModelError(why_unreadable(path, error)) from error


def write_tensors(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file in one step: who reads `path` finds the old file or the new one, never a part.

    Tensors may be on any device, strided, or share memory.

    Raises:
        ModelError: The file cannot be written.
    """
    path = Path(path)
    require_place(path, ModelError)
    own = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
            content = safetensors.torch.save(own, dict(metadata))  # save_file leaves a file that its owner alone reads
            (Path(scratch) / path.name).write_bytes(content)
            os.replace(Path(scratch) / path.name, path)
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelError(f"cannot write {path}: {error}") from error


def load_weights(module: nn.Module, path: Path) -> None:
    """Copy a safetensors file into a module's parameters and buffers, in place, each in the dtype that it has there.

    Raises:
        ModelError: The file is unreadable, its tensors are not exactly the module's by name and shape, or a value is
            not finite. The module is then unchanged.
    """
    stored, _ = read_tensors(path)
    there = {name: tuple(tensor.shape) for name, tensor in stored.items()}
    require_shapes(path, there, _shapes(module), type(module).__name__)
    for name, wanted in module.state_dict().items():
        if stored[name].is_floating_point() != wanted.is_floating_point():
            raise ModelError(
                f"{path} does not fit {type(module).__name__}: {name} is {stored[name].dtype}, needed is {wanted.dtype}"
            )
    require_finite(path, {name: bool(torch.isfinite(tensor).all()) for name, tensor in stored.items()})
    module.load_state_dict(stored, strict=True)


def check_sizes(sketch: nn.Module, path: Path) -> None:
    """Compare a safetensors file's header with a module on the meta device, before either takes memory.

    Raises:
        ModelError: The file is unreadable, or a tensor of the module is not in it with the same shape: a configuration
            that asks for more than the file brings costs no memory.
    """
    check_shapes(path, _shapes(sketch), type(sketch).__name__)


def build(factory: Callable[[], Module], path: Path) -> Module:
    """A module with the weights of a safetensors file, built only once the file's header is known to fit it.

    Raises:
        ModelError: See `check_sizes` and `load_weights`.
    """
    with torch.device("meta"), _Sketch():
        sketch = factory()
    check_sizes(sketch, path)
    module = factory()
    load_weights(module, path)
    return module


class _Sketch(TorchFunctionMode):
    """On the meta device, nothing is initialised, and tables are made on the CPU.

    PyTorch does either there by operators written in Python, for which it loads its compiler: 250 MB, and a second.
    """

    TABLES = (torch.arange, torch.hann_window, torch.linspace, torch.randn)  # of a bounded size
    IN_PLACE = (Tensor.fill_, Tensor.normal_, Tensor.uniform_, Tensor.zero_)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self.TABLES:
            return func(*args, **{**kwargs, "device": "cpu"})
        if func in self.IN_PLACE or getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _shapes(module: nn.Module) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
