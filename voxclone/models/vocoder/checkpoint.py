"""Tensors of a public .pth or .pt file, which may be anybody's: no code is run, and damage ends in an error."""

from __future__ import annotations

import os
import pickle
import pickletools
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

import torch

from voxclone.errors import ModelError

MAX_PICKLE_BYTES = 10_000_000  # of the part that names the tensors
MAX_NAME = 1000  # characters
_LEGACY_PICKLES = 5  # magic number, protocol, system, tensors, keys of the storages that follow
# What torch's reader raises where a file is none or damaged; a length in it may ask for any memory.
_DAMAGED = (
    OSError, EOFError, RuntimeError, pickle.UnpicklingError, LookupError, ValueError, TypeError, AttributeError,
    struct.error, MemoryError, OverflowError, AssertionError, zipfile.BadZipFile,
)  # fmt: skip


def read_checkpoint(path: str | os.PathLike[str]) -> Any:
    """What a file of torch.save holds, if that is tensors and plain values.

    Raises:
        ModelError: It is missing or damaged, or holds more than that.
    """
    try:
        _check_names(Path(path))
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own message goes on to advise running what the file holds
        why = str(error).rpartition("WeightsUnpickler error: ")[2].partition(". ")[0][:200]
        raise ModelError(
            f"the vocoder checkpoint {os.fspath(path)} is damaged, or holds more than tensors, which is not run "
            f"({why}); if it is sound, save its generator anew: torch.save(generator.state_dict(), path)"
        ) from error
    except _DAMAGED as error:
        raise ModelError(
            f"cannot read the vocoder checkpoint {os.fspath(path)}: {str(error)[:500] or repr(error)}"
        ) from error


def _check_names(path: Path) -> None:
    """Refuse names of any length: torch's message about a strange one takes time quadratic in it.

    Raises:
        ValueError: There is one, or what should be a pickle is none.
    """
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            file.seek(0)
            for _ in range(_LEGACY_PICKLES):
                _check_pickle(file)
            return
        with zipfile.ZipFile(file) as whole:
            for each in whole.infolist():
                if not each.filename.endswith("data.pkl"):
                    continue
                if each.file_size > MAX_PICKLE_BYTES:
                    raise ValueError(f"it names tensors in {each.file_size} bytes; at most {MAX_PICKLE_BYTES} are read")
                with whole.open(each) as pickled:
                    _check_pickle(pickled)


def _check_pickle(file: IO[bytes]) -> None:
    for _, value, _ in pickletools.genops(file):
        if isinstance(value, str | bytes) and len(value) > MAX_NAME:
            raise ValueError(f"it has a name of {len(value)} characters; at most {MAX_NAME} are read")
