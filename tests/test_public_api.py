"""`import voxclone` costs next to nothing, and offers what it says."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import voxclone
import voxclone.errors

HEAVY = ("torchaudio", "librosa", "numba", "matplotlib", "transformers", "tensorboard", "accelerate", "sklearn")


def modules_after(statement: str) -> set[str]:
    """Top-level modules in a new interpreter after the statement."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return set(json.loads(run.stdout))


def test_import_loads_nothing_heavy() -> None:
    loaded = modules_after("import voxclone")
    assert not loaded & {*HEAVY, "torch", "numpy", "scipy", "soundfile", "soxr", "phonemizer", "huggingface_hub"}
    assert {name for name in loaded if name.startswith("voxclone.")} == set()


def test_the_version_loads_nothing_heavy() -> None:
    loaded = modules_after("import voxclone; voxclone.__version__; voxclone.VoxcloneError; voxclone.Consent")
    assert not loaded & {*HEAVY, "torch", "numpy"}


def test_the_model_class_loads_no_training_library() -> None:
    assert not modules_after("import voxclone; voxclone.VoxClone") & set(HEAVY)


def test_every_public_name_resolves() -> None:
    for name in voxclone.__all__:
        assert getattr(voxclone, name) is not None
    assert sorted(dir(voxclone)) == sorted(voxclone.__all__)
    assert voxclone.VoxClone.__name__ == "VoxClone"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Voxclone'"):
        _ = voxclone.Voxclone
    with pytest.raises(ImportError):
        from voxclone import nothing  # noqa: F401


def test_version_is_the_installed_one() -> None:
    try:
        expected = importlib.metadata.version("voxclone")
    except importlib.metadata.PackageNotFoundError:
        expected = "0+source"
    assert voxclone.__version__ == expected


def test_every_error_is_a_voxclone_error() -> None:
    errors = {getattr(voxclone, name) for name in voxclone.__all__ if name.endswith("Error")}
    assert errors == {each for each in vars(voxclone.errors).values() if isinstance(each, type)}
    assert all(issubclass(error, voxclone.VoxcloneError) for error in errors)


def test_what_a_type_checker_sees_is_what_there_is() -> None:
    tree = ast.parse(Path(voxclone.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert seen == set(voxclone.__all__)


def test_every_public_name_is_documented() -> None:
    for name in set(voxclone.__all__) - {"__version__"}:
        public = getattr(voxclone, name)
        assert public.__doc__ and not public.__doc__.startswith(f"{name}("), name  # a dataclass's own
        for method, value in vars(public).items() if isinstance(public, type) else ():
            if inspect.isfunction(value) and not method.startswith("_"):
                assert inspect.getdoc(getattr(public, method)), f"{name}.{method}"
