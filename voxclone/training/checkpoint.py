"""Checkpoints of a training run: each is written whole or not at all, and one that is damaged is noticed."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from voxclone.errors import VoxcloneError
from voxclone.files import file_sha256

KEPT_CHECKPOINTS = 2
_NAME = re.compile(r"checkpoint-(\d+)-([0-9a-f]{16})\.pt")


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on where it stopped; random numbers follow from the seed and `step`."""

    step: int  # updates done
    minutes: float  # of training, over all resumes
    epoch: int
    batches_done: int  # batches of this epoch that were used
    networks: dict[str, Tensor]
    ema: dict[str, Tensor]  # empty without averaging; else every floating-point entry of `networks`
    optimizers: dict[str, dict[str, Any]]  # by phase


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write `checkpoint-<step>-<sha256, 16 digits>.pt`, then remove all but the newest `KEPT_CHECKPOINTS`.

    The file takes its name only once it is complete and on the disk, so a kill at any moment leaves the older ones.
    Checkpoints of later steps than this one are removed too: had they been readable, the run would not be here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "checkpoint.partial"
    with partial.open("w+b") as file:
        torch.save(vars(checkpoint), file)
        file.flush()
        os.fsync(file.fileno())
    path = folder / f"checkpoint-{checkpoint.step:08d}-{file_sha256(partial)[:16]}.pt"
    os.replace(partial, path)
    _sync_folder(folder)
    kept = [path]
    for older in _newest_first(folder):
        if older == path:
            continue
        if len(kept) < KEPT_CHECKPOINTS and _step_of(older) <= checkpoint.step:
            kept.append(older)
        else:
            older.unlink()
    return path


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest undamaged checkpoint, its tensors on the CPU; None where there is none at all.

    Raises:
        VoxcloneError: There are checkpoints, and every one of them is damaged.
    """
    damaged: list[str] = []
    for path in _newest_first(folder):
        if file_sha256(path)[:16] == _match(path).group(2):
            if damaged:
                warnings.warn(
                    f"{', '.join(damaged)} in {folder} is damaged; going back to {path.name}", RuntimeWarning, 2
                )
            return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
        damaged.append(path.name)
    if damaged:
        raise VoxcloneError(
            f"every checkpoint in {folder} is damaged ({', '.join(damaged)}); "
            "restore one from a copy, or delete that folder and run again to start the training anew"
        )
    return None


def export_weights(folder: Path) -> dict[str, Tensor]:
    """State dict of the training step in the newest checkpoint: averaged weights where the run keeps an average.

    Raises:
        VoxcloneError: The folder holds no readable checkpoint.
    """
    checkpoint = load_checkpoint(folder)
    if checkpoint is None:
        raise VoxcloneError(f"{folder} holds no checkpoint; train there first, or name the folder of a run")
    return {**checkpoint.networks, **checkpoint.ema}


def export_part(folder: Path, prefix: str) -> dict[str, Tensor]:
    """Of `export_weights`, what begins with `prefix`, without it: the state dict of one network of the step."""
    return part_of(export_weights(folder), prefix)


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def load_part(network: nn.Module, folder: Path, prefix: str = "") -> None:
    """Give a network what `export_part` finds, all of it.

    Raises:
        VoxcloneError: The folder holds no readable checkpoint, or one of other networks or sizes.
    """
    found = export_part(folder, prefix)
    try:
        network.load_state_dict(found)
    except RuntimeError as error:
        raise VoxcloneError(
            f"the run {folder} is not of this network: {_difference(network.state_dict(), found)}. Name another run, "
            "or the config that it was trained with"
        ) from error


@torch.no_grad()
def start_from(network: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """Copy what fits of another model's tensors into a network, in place.

    A matrix that has more columns here than there keeps them at zero: an input that was added has no effect at first.

    Returns:
        Names of the network's parameters and buffers that keep their own values.
    """
    fresh = []
    for name, own in network.state_dict().items():
        given = tensors.get(name)
        if given is None or given.dim() != own.dim() or given.shape[:1] != own.shape[:1]:
            fresh.append(name)
        elif given.shape == own.shape:
            own.copy_(given)
        elif own.dim() == 2 and given.shape[1] < own.shape[1]:
            own.zero_()[:, : given.shape[1]].copy_(given)
        else:
            fresh.append(name)
    return fresh


def _difference(own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """What a run lacks, has besides, or has in other sizes, and how much more of it."""
    other = [name for name in own if name in found and own[name].shape != found[name].shape]
    faults = {
        "it lacks": own.keys() - found.keys(),
        "it also has": found.keys() - own.keys(),
        "of other size are": other,
    }
    return "; ".join(
        f"{fault} {min(names)}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        for fault, names in faults.items()
        if names
    )


def _newest_first(folder: Path) -> Iterator[Path]:
    found = [path for path in folder.glob("checkpoint-*.pt") if _NAME.fullmatch(path.name)]
    return iter(sorted(found, key=lambda path: (_step_of(path), path.stat().st_mtime_ns), reverse=True))


def _match(path: Path) -> re.Match[str]:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return match


def _step_of(path: Path) -> int:
    return int(_match(path).group(1))


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the platform can open a folder."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
