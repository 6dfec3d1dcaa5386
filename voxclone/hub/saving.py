"""Writing a model folder, or a part into one: whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from voxclone.config import MODEL_KIND, ModelConfig, WatermarkConfig
from voxclone.errors import ModelError
from voxclone.files import file_sha256
from voxclone.hub.folder import (
    CARD_FILE,
    CONFIG_FILE,
    OPTIONAL_PARTS,
    PARTS,
    SUMS_FILE,
    VOICE_NAME,
    check_integrity,
    read_config,
    read_sums,
)
from voxclone.hub.weights import write_tensors
from voxclone.json_limits import read_json


def save_folder(
    folder: str | os.PathLike[str],
    config: ModelConfig,
    parts: Mapping[str, nn.Module],
    *,
    card: str,
    voices: Mapping[str, Path] = MappingProxyType({}),
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a model folder; over an older voxclone model, replace that model's files and leave all others.

    Everything is written aside first. A new folder then appears in one step. In an existing one sha256.txt comes last,
    so that `check_integrity` refuses the mix that a crash between two moves would leave.

    Args:
        folder: Where to; its parents are made.
        config: Becomes config.json.
        parts: One module for each of speaker_encoder, acoustic and vocoder, and of those in `OPTIONAL_PARTS` whose key
            the configuration has.
        card: The model card, Markdown.
        voices: Example voices: name → voice file to copy.
        dtype: In which floating-point tensors are stored; integer and boolean buffers keep theirs.

    Raises:
        ModelError: A part is missing or unknown, a voice's name or file cannot be used, a weight is not finite in
            `dtype`, or `folder` holds something that is not a voxclone model.
    """
    folder = Path(folder).expanduser().resolve()
    _check_parts(config, parts)
    _check_voices(voices)
    _check_target(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    near = folder if folder.is_dir() else folder.parent  # the same file system, so that moves are single steps
    with tempfile.TemporaryDirectory(dir=near, prefix=f".{folder.name}.") as scratch:
        staged = Path(scratch) / "model"
        staged.mkdir()
        text = json.dumps(config.to_dict(), indent=2, allow_nan=False) + "\n"
        (staged / CONFIG_FILE).write_text(text, encoding="utf-8", newline="\n")
        (staged / CARD_FILE).write_text(card, encoding="utf-8", newline="\n")
        for part, module in parts.items():
            write_tensors(staged / f"{part}.safetensors", _stored(part, module, dtype), {"format": "pt"})
        for name, source in voices.items():
            target = staged / "voices" / f"{name}.voice"
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
        _write_sums(staged)
        _move(staged, folder)


def save_detector(folder: str | os.PathLike[str], detector: nn.Module, watermark: WatermarkConfig) -> None:
    """Put a detector, or another one, into a model folder, as `save_part` does.

    Args:
        folder: A whole model.
        detector: Stored in float16.
        watermark: Its configuration, with its thresholds.

    Raises:
        ModelError: See `save_part`.
    """
    save_part(folder, "detector", detector, dataclasses.replace(read_config(Path(folder)), watermark=watermark))


def save_part(folder: str | os.PathLike[str], part: str, module: nn.Module, config: ModelConfig) -> None:
    """Put a part, or another one, into a model folder; all else stays as it is. sha256.txt comes last.

    Args:
        folder: A whole model.
        part: As for `save_folder`.
        module: Stored in float16.
        config: Of the whole model, the part as it is now.

    Raises:
        ModelError: The folder is no whole model, or a weight is not finite.
    """
    folder = Path(folder)
    check_integrity(folder)
    file = f"{part}.safetensors"
    names = {*read_sums(folder / SUMS_FILE), file}
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{part}.") as scratch:
        staged = Path(scratch)
        text = json.dumps(config.to_dict(), indent=2, allow_nan=False) + "\n"
        (staged / CONFIG_FILE).write_text(text, encoding="utf-8", newline="\n")
        write_tensors(staged / file, _stored(part, module, torch.float16), {"format": "pt"})
        own = (CONFIG_FILE, file)
        lines = [f"{file_sha256((staged if name in own else folder) / name)}  {name}\n" for name in sorted(names)]
        (staged / SUMS_FILE).write_text("".join(lines), encoding="utf-8", newline="\n")
        for name in (*own, SUMS_FILE):
            os.replace(staged / name, folder / name)


def _check_parts(config: ModelConfig, parts: Mapping[str, nn.Module]) -> None:
    wanted = (*PARTS, *(part for part, key in OPTIONAL_PARTS.items() if getattr(config, key) is not None))
    if set(parts) != set(wanted):
        raise ModelError(
            f"this model has the parts {', '.join(wanted)}; given were {', '.join(sorted(parts)) or 'none'}"
        )


def _check_voices(voices: Mapping[str, Path]) -> None:
    for name, source in voices.items():
        if not VOICE_NAME.fullmatch(name):
            raise ModelError(f"voice name {name!r} cannot be a file name: use letters, digits, spaces and -_.'()")
        if not Path(source).is_file():
            raise ModelError(f"voice {name!r}: there is no file {source}")


def _check_target(folder: Path) -> None:
    """Refuse a place that holds something else; hidden entries (.git, .gitattributes) do not count."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ModelError(f"{folder} is a file; a model is saved as a folder")
    if not any(not entry.name.startswith(".") for entry in folder.iterdir()):
        return
    try:
        kind = read_json(folder / CONFIG_FILE)["kind"]
    except (FileNotFoundError, ValueError, TypeError, KeyError):  # none, not JSON, not an object, no kind
        kind = None
    if kind != MODEL_KIND:
        raise ModelError(f"{folder} is not empty and holds no voxclone model; save to a new or an empty folder")


def _stored(part: str, module: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """A module's tensors as they go to the file."""
    tensors = {}
    for name, tensor in module.state_dict().items():
        tensors[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
        if not torch.isfinite(tensors[name]).all():
            fits = bool(torch.isfinite(tensor).all())
            advice = f"too large for {dtype}; save with dtype=torch.float32" if fits else "not finite; train it again"
            raise ModelError(f"{part}: tensor {name} holds values that are {advice}")
    return tensors


def _move(staged: Path, folder: Path) -> None:
    if not folder.exists():
        staged.rename(folder)
        return
    new = read_sums(staged / SUMS_FILE)
    try:
        old = read_sums(folder / SUMS_FILE)
    except (FileNotFoundError, ModelError):  # a damaged list names nothing that could safely be deleted
        old = {}
    for name in (*new, SUMS_FILE):
        (folder / name).parent.mkdir(exist_ok=True)
        os.replace(staged / name, folder / name)
    for name in old.keys() - new.keys():
        (folder / name).unlink(missing_ok=True)


def _write_sums(folder: Path) -> None:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    lines = [f"{file_sha256(folder / name)}  {name}\n" for name in names]
    (folder / SUMS_FILE).write_text("".join(lines), encoding="utf-8", newline="\n")
