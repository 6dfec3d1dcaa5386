"""doctor: whether everything that voxclone stands on works here, and what to do where it does not."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import re
import time
from collections.abc import Callable

from voxclone.errors import AudioError, ModelError, VoxcloneError
from voxclone.version import __version__

SENTENCE = "The quick brown fox jumps over the lazy dog."
REINSTALL = "reinstall it: pip install --force-reinstall voxclone"

# What a missing, broken or mismatched library raises when it is imported or first used.
_FAILURES = (VoxcloneError, ImportError, OSError, RuntimeError, AttributeError, ValueError)


def doctor(options: argparse.Namespace) -> int:
    """Print one line for each check; 1 if any found a problem, else 0."""
    problems = 0
    for name, (check, advice) in CHECKS.items():
        try:
            print(f"ok       {name}: {check()}")
        except _FAILURES as error:
            if options.debug:
                raise
            problems += 1
            what = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            print(f"problem  {name}: {what}. What to do: {advice}")
    return 1 if problems else 0


def _versions() -> str:
    return f"voxclone {__version__}, Python {platform.python_version()}, {platform.platform()}"


def _requirements() -> str:
    """Versions of what the installed package requires."""
    try:
        required = importlib.metadata.requires("voxclone") or []
    except importlib.metadata.PackageNotFoundError:
        return "not looked up, since voxclone runs from a source tree"
    names = [re.split(r"[^\w.-]", line)[0] for line in required if "extra ==" not in line]
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def _torch() -> str:
    import torch

    total = float(torch.ones(2, 2).mm(torch.ones(2, 2)).sum())
    if total != 8.0:
        raise RuntimeError(f"a 2 x 2 matrix product gave {total} instead of 8")
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    return f"{torch.__version__}, {build}, {torch.get_num_threads()} threads"


def _device() -> str:
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda, {torch.cuda.get_device_name()}: {float(torch.ones(1, device='cuda').sum()):.0f} computed on it"


def _espeak() -> str:
    import espeakng_loader

    from voxclone.text.phonemes import phonemize

    symbols = "".join(phonemize("hello").symbols)
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    version = ".".join(map(str, EspeakWrapper().version))
    return f"espeak-ng {version}, {espeakng_loader.get_library_path()}, hello is {symbols}"


def _libsndfile() -> str:
    import soundfile

    formats = soundfile.available_formats()
    missing = [name for name in ("WAV", "FLAC", "OGG", "MP3") if name not in formats]
    if missing:
        raise AudioError(f"libsndfile {soundfile.__libsndfile_version__} cannot read or write {', '.join(missing)}")
    return f"libsndfile {soundfile.__libsndfile_version__}: {', '.join(sorted(formats))}"


def _bundled_model() -> str:
    from voxclone import hub

    folder = hub.resolve(None)
    hub.check_integrity(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{folder} is whole, {size / 1e6:.1f} MB"


def _test_sentence() -> str:
    from voxclone.synthesis import VoxClone

    start = time.perf_counter()
    model = VoxClone.from_pretrained()
    loaded = time.perf_counter()
    if not model.voices:
        raise ModelError("the bundled model has no example voice")
    speech = model.generate(SENTENCE, next(iter(model.voices.values())))
    seconds = time.perf_counter() - loaded
    duration = speech.duration_seconds
    spoken = f"spoke {duration:.2f} s in {seconds:.2f} s (RTF {seconds / duration:.3f})"
    return f"loaded in {loaded - start:.2f} s, {spoken}"


CHECKS: dict[str, tuple[Callable[[], str], str]] = {
    "versions": (_versions, REINSTALL),
    "requirements": (_requirements, "install what is missing: pip install voxclone"),
    "torch": (_torch, "reinstall torch for this machine: https://pytorch.org/get-started"),
    "device": (_device, "update the GPU's driver, or use device='cpu'"),
    "espeak-ng": (_espeak, "reinstall both: pip install --force-reinstall espeakng-loader phonemizer"),
    "libsndfile": (_libsndfile, "upgrade it: pip install --upgrade soundfile"),
    "bundled model": (_bundled_model, REINSTALL),
    "test sentence": (_test_sentence, "mend the problems above first"),
}
