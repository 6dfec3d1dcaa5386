"""A model folder: its layout, its configuration, its checksums, and how it is written."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from voxclone.config import MODEL_KIND, ModelConfig, WatermarkConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.files import file_sha256
from voxclone.hub.weights import other_format, write_tensors
from voxclone.json_limits import read_json

PARTS = ("speaker_encoder", "acoustic", "vocoder")
# part -> the key of the configuration with which it is there
OPTIONAL_PARTS = {"aligner": "aligner", "cohort": "verification", "detector": "watermark"}
CONFIG_FILE = "config.json"
CARD_FILE = "card.md"
SUMS_FILE = "sha256.txt"
REQUIRED_FILES = (CONFIG_FILE, *(f"{part}.safetensors" for part in PARTS))
OPTIONAL_FILES = tuple(f"{part}.safetensors" for part in OPTIONAL_PARTS)
VOICE_PATTERN = "voices/*.voice"
LAYOUT = (*REQUIRED_FILES, *OPTIONAL_FILES, CARD_FILE, VOICE_PATTERN, SUMS_FILE)  # patterns for the Hub's client

_VOICE_NAME = re.compile(r"\w[\w .'()-]*")
_SUMS_LINE = re.compile(r"(?P<sum>[0-9a-f]{64}) [ *](?P<name>.+)")  # what `sha256sum` writes and checks


def read_config(folder: Path) -> ModelConfig:
    """Read a model folder's config.json.

    Raises:
        ModelError: The file is missing, is not JSON, or does not describe a model that this voxclone knows.
    """
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise ModelError(f"{folder} is not a voxclone model: it holds no {CONFIG_FILE}")
    try:
        return ModelConfig.from_dict(read_json(path))
    except ConfigError as error:
        raise ModelError(f"{path} is not a configuration that this voxclone can use: {error}") from error
    except ValueError as error:  # JSON or UTF-8
        raise ModelError(f"{path} is not JSON: {error}") from error


def check_integrity(folder: Path) -> None:
    """Compare every file of a model folder with its sha256.txt.

    Raises:
        ModelError: A file is missing, is not listed, or is not the one that sha256.txt describes.
    """
    folder = Path(folder)
    for name in (*REQUIRED_FILES, SUMS_FILE):
        if not (folder / name).is_file():
            raise ModelError(f"{folder} lacks {name}: {how_to_mend(folder)}")
    sums = _read_sums(folder / SUMS_FILE)
    there = (*REQUIRED_FILES, *(name for name in OPTIONAL_FILES if (folder / name).exists()))
    if unlisted := [name for name in there if name not in sums]:
        raise ModelError(f"{folder / SUMS_FILE} does not list {', '.join(unlisted)}: {how_to_mend(folder)}")
    for name, expected in sums.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{folder} lacks {name}, which its {SUMS_FILE} lists: {how_to_mend(folder)}")
        actual = file_sha256(path)
        if actual != expected:
            if other := other_format(path):
                raise ModelError(f"{path} is {other}, and not what {SUMS_FILE} lists")
            raise ModelError(
                f"{path} is damaged or was changed ({path.stat().st_size} bytes): its sha256 is {actual[:12]}…, "
                f"{SUMS_FILE} has {expected[:12]}…; {how_to_mend(folder)}"
            )


def how_to_mend(folder: Path, what: str = "model") -> str:
    """What to do about a damaged folder. huggingface_hub's cache keeps a file that it has, whole or not."""
    repository = next((each for each in folder.absolute().parents if each.name.startswith("models--")), None)
    if repository is None:
        return f"download or save the {what} again"
    return f"delete {repository} and load the {what} again, which downloads it anew"


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
    names = {*_read_sums(folder / SUMS_FILE), file}
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
        if not _VOICE_NAME.fullmatch(name):
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
    new = _read_sums(staged / SUMS_FILE)
    try:
        old = _read_sums(folder / SUMS_FILE)
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


def _read_sums(path: Path) -> dict[str, str]:
    """File name → sha256; only names of the layout are allowed, so that none leads out of the folder."""
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        match = _SUMS_LINE.fullmatch(line)
        if not match or not _in_layout(match["name"]):
            raise ModelError(f"{path}, line {number}: needed is '<sha256>  <file of the model>', found {line[:80]!r}")
        sums[match["name"]] = match["sum"]
    return sums


def _in_layout(name: str) -> bool:
    stem = name.removeprefix("voices/").removesuffix(".voice")
    return name in (*REQUIRED_FILES, *OPTIONAL_FILES, CARD_FILE) or (
        name == f"voices/{stem}.voice" and _VOICE_NAME.fullmatch(stem) is not None
    )
