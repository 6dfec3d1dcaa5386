"""A model folder: its layout, its configuration and its checksums. `voxclone.hub.saving` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from voxclone.config import ModelConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.files import file_sha256
from voxclone.hub.arrays import other_format
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

VOICE_NAME = re.compile(r"\w[\w .'()-]*")
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
    sums = read_sums(folder / SUMS_FILE)
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


def read_sums(path: Path) -> dict[str, str]:
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
        name == f"voices/{stem}.voice" and VOICE_NAME.fullmatch(stem) is not None
    )
