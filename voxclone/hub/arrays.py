"""Tensors in safetensors files, read without PyTorch; and what is wrong with a file that cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from voxclone.errors import ModelError

Shape = tuple[int, ...]
MAX_NAMED = 6  # tensors in one error

# How files that are put in the place of a safetensors file begin.
_OTHER_FORMATS = (
    (b"PK\x03\x04", "a PyTorch pickle (zip)"),
    (b"\x80", "a Python pickle"),
    (b"version https://git-lfs", "a Git LFS pointer (`git lfs pull` fetches the file itself)"),
    (b"\x89HDF", "an HDF5 file"),
)


def read_arrays(path: Path, shapes: Mapping[str, Shape], owner: str) -> dict[str, NDArray[np.float32]]:
    """Read a safetensors file of floating-point tensors, whichever their type.

    Args:
        path: The file.
        shapes: Those that the file must hold, and no others.
        owner: What they are of, for errors.

    Raises:
        ModelError: The file is missing, truncated or of another format, its tensors are not exactly these, or a value
            is not finite.
    """
    check_shapes(path, shapes, owner)
    arrays: dict[str, NDArray[np.float32]] = {}
    for name, stored in safetensors.deserialize(path.read_bytes()):  # type: ignore[no-untyped-call]
        if stored["dtype"] not in _AS_SINGLES:
            raise ModelError(f"{path} does not fit {owner}: {name} is {stored['dtype']}, needed is a float")
        arrays[name] = _AS_SINGLES[stored["dtype"]](stored["data"]).reshape(shapes[name])
    require_finite(path, {name: bool(np.isfinite(array).all()) for name, array in arrays.items()})
    return arrays


def _as_singles(dtype: str) -> Any:
    return lambda data: np.frombuffer(data, dtype).astype(np.float32)


_AS_SINGLES: dict[str, Any] = {
    "F64": _as_singles("<f8"),
    "F32": _as_singles("<f4"),
    "F16": _as_singles("<f2"),
    # The upper half of a float32.
    "BF16": lambda data: (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32),
}


def check_shapes(path: Path, shapes: Mapping[str, Shape], owner: str) -> None:
    """Compare a safetensors file's header with what is to be read from it, before either takes memory.

    Raises:
        ModelError: The file is unreadable, or its tensors are not exactly these by name and shape.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing, or is not a file")
    try:
        with safetensors.safe_open(path, framework="np") as file:
            stored = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ModelError(why_unreadable(path, error)) from error
    require_shapes(path, stored, shapes, owner)


def require_shapes(path: Path, stored: Mapping[str, Shape], wanted: Mapping[str, Shape], owner: str) -> None:
    """Refuse a file whose tensors are not exactly these by name and shape: says which are not."""
    problems = []
    if missing := sorted(wanted.keys() - stored.keys()):
        problems.append(f"missing {_some(missing)}")
    if unexpected := sorted(stored.keys() - wanted.keys()):
        problems.append(f"unexpected {_some(unexpected)}")
    if misfits := sorted(name for name in wanted.keys() & stored.keys() if wanted[name] != stored[name]):
        problems.append(_some(f"{name} has shape {stored[name]}, needed is {wanted[name]}" for name in misfits))
    if problems:
        raise ModelError(f"{path} does not fit {owner}: {'; '.join(problems)}")


def require_finite(path: Path, finite: Mapping[str, bool]) -> None:
    """Refuse a file with tensors, by name, that are not finite."""
    if spoilt := [repr(name) for name, is_finite in finite.items() if not is_finite]:
        raise ModelError(f"{path} holds values that are not finite, in {_some(spoilt)}: export or train it again")


def why_unreadable(path: Path, error: Exception) -> str:
    """What a file that safetensors cannot read is."""
    if other := other_format(path):
        return f"{path} is {other}; voxclone reads safetensors only"
    return f"{path} is truncated, or not a safetensors file ({path.stat().st_size} bytes): {error}"


def other_format(path: Path) -> str | None:
    """What was put in the place of a safetensors file, by its first bytes; None where they do not tell."""
    with path.open("rb") as file:
        start = file.read(32)
    return next((name for magic, name in _OTHER_FORMATS if start.startswith(magic)), None)


def _some(items: Iterable[str]) -> str:
    """The first few of many, and how many more there are."""
    items = list(items)
    more = f" and {len(items) - MAX_NAMED} more" if len(items) > MAX_NAMED else ""
    return ", ".join(items[:MAX_NAMED]) + more
