"""The package as it is installed: import cost, version, dependencies, size of the bundled models."""

import ast
import functools
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import voxclone

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(voxclone.__file__).parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUNDLED = [path for root in (PACKAGE, ROOT) for path in (root / "pretrained").rglob("*") if path.is_file()]
IMPORT_NAMES = {
    "espeakng-loader": "espeakng_loader",
    "huggingface-hub": "huggingface_hub",
    "c2pa-python": "c2pa",
    "silero-vad": "silero_vad",
    "faster-whisper": "faster_whisper",
}
FOR_TRAINING = (
    "training",
    "finetuning",
    "kernels/monotonic_alignment.py",
)  # the parts of the package that inference never imports

IMPORT = """
import json, sys, time
import torch
before = set(sys.modules)
start = time.process_time()  # other work on the machine does not count
import voxclone
seconds = time.process_time() - start
print(json.dumps([seconds, sorted({name.partition(".")[0] for name in set(sys.modules) - before})]))
"""


@functools.cache
def imports() -> list[tuple[float, set[str]]]:
    """CPU seconds that `import voxclone` takes after `import torch` in three new processes, and what it imports."""
    command = [sys.executable, "-c", IMPORT]
    runs = [subprocess.run(command, check=True, capture_output=True, cwd=PACKAGE.parent).stdout for _ in range(3)]
    return [(seconds, set(modules)) for seconds, modules in map(json.loads, runs)]


def test_import_adds_at_most_a_fifth_of_a_second_to_torch() -> None:
    assert min(seconds for seconds, _ in imports()) <= 0.2


def test_import_brings_nothing_heavy() -> None:
    _, modules = imports()[0]
    assert "voxclone" in modules
    heavy = {"torchaudio", "librosa", "numba", "matplotlib", "scipy", "phonemizer", "huggingface_hub", "accelerate"}
    assert not modules & heavy


def test_version_is_the_projects() -> None:
    try:
        installed = importlib.metadata.version("voxclone")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("voxclone is imported from a source tree that was never installed")
    assert voxclone.__version__ == installed == PROJECT["version"]


def base() -> dict[str, Requirement]:
    """The base requirements by normalised distribution name."""
    requirements = map(Requirement, PROJECT["dependencies"])
    return {re.sub(r"[-_.]+", "-", requirement.name).lower(): requirement for requirement in requirements}


def test_base_bounds_torch_only_from_below() -> None:
    assert {specifier.operator for specifier in base()["torch"].specifier} == {">="}


def extras() -> set[str]:
    """Distributions that an extra other than dev brings."""
    named = PROJECT["optional-dependencies"].items()
    return {Requirement(line).name for extra, lines in named for line in lines if extra != "dev"}


def imported_by(files: list[Path], *, lazy: bool = True) -> dict[str, Path]:
    """Top-level names of the third-party modules that these files import, and one file for each.

    Without `lazy`, only what is imported when the file itself is.
    """
    found: dict[str, Path] = {}
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree) if lazy else tree.body:
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], file)
    return {name: file for name, file in found.items() if name not in sys.stdlib_module_names and name != "voxclone"}


def modules(*, for_training: bool) -> list[Path]:
    """The package's files that only training imports, or all the others."""
    only_training = {file for part in FOR_TRAINING for file in [PACKAGE / part, *(PACKAGE / part).rglob("*.py")]}
    return [file for file in PACKAGE.rglob("*.py") if (file in only_training) == for_training]


def test_base_requirements_are_what_inference_imports() -> None:
    imported = imported_by(modules(for_training=False))
    required = {IMPORT_NAMES.get(name, name) for name in base()}
    optional = {IMPORT_NAMES.get(name, name) for name in extras()}
    missing = {name: str(file.relative_to(PACKAGE)) for name, file in imported.items() if name not in required}
    assert not missing.keys() - optional, f"imported but in neither the base requirements nor an extra: {missing}"
    on_gpu = PACKAGE / "kernels" / "gpu"  # Triton kernels: imported only where one is launched
    eager = imported_by([m for m in modules(for_training=False) if on_gpu not in m.parents], lazy=False)
    assert not eager.keys() - required, f"of an extra, but imported with its module: {eager.keys() - required}"
    assert not required - set(imported), f"required but not imported: {required - set(imported)}"


def test_training_imports_are_required() -> None:
    extras = [PROJECT["optional-dependencies"][name] for name in ("train", "finetune", "transcribe")]
    extra = {Requirement(line).name for lines in extras for line in lines}
    allowed = {IMPORT_NAMES.get(name, name) for name in {*base(), *extra}}
    missing = set(imported_by(modules(for_training=True))) - allowed
    assert not missing, f"imported for training, but neither in base nor in an extra: {missing}"


def test_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.skipif(not BUNDLED, reason="no model is bundled")
def test_bundled_models_fit_in_30_mb() -> None:
    size = {path.parts[path.parts.index("pretrained") :]: path.stat().st_size for path in BUNDLED}
    assert sum(size.values()) <= 30_000_000
