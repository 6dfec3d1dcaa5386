"""Voice files: a voice's tensors, with all else in the metadata of a safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from voxclone import hub
from voxclone.errors import ConsentError, ModelError, VoiceError
from voxclone.json_limits import parse_json
from voxclone.models.adapter import Adapter
from voxclone.safety.consent import Consent

if TYPE_CHECKING:
    from voxclone.voice.value import Voice

FILE_FORMAT = "voxclone.voice"
FILE_VERSION = 2  # of a voice with an adapter; others are written as version 1
TENSORS = ("speaker_embedding", "spectrum")
ADAPTER_PREFIX = "adapter/"  # of an adapter's tensors
MANNER_FIELDS = ("f0_spread", "phoneme_seconds")  # in the metadata, where they are known
ADAPTER_FIELDS = ("base_id", "base_name", "depth")  # of an adapter, in the metadata
MAX_FILE_BYTES = 256 << 20


def metadata_of(voice: Voice) -> dict[str, str]:
    """All of a voice but its tensors, as texts."""
    adapter = voice.adapter
    about = {} if adapter is None else {name: getattr(adapter, name) for name in ADAPTER_FIELDS}
    return {
        "format": FILE_FORMAT,
        "format_version": str(1 if adapter is None else FILE_VERSION),
        "name": voice.name,
        "encoder_id": voice.encoder_id,
        "f0_median": repr(float(voice.f0_median)),
        "consents": json.dumps([consent.to_dict() for consent in voice.consents]),
        **{field: repr(known) for field, known in known_manner(voice).items()},
        **about,
    }


def known_manner(voice: Voice) -> dict[str, float]:
    """Spread of f0 and phonemes' duration, where the voice knows them."""
    fields = {field: getattr(voice, field) for field in MANNER_FIELDS}
    return {field: float(known) for field, known in fields.items() if known is not None}


def write_voice(path: str | os.PathLike[str], voice: Voice) -> None:
    """See `Voice.save`."""
    tensors = {field: torch.from_numpy(getattr(voice, field).copy()) for field in TENSORS}
    if voice.adapter is not None:
        tensors |= {ADAPTER_PREFIX + name: tensor for name, tensor in voice.adapter.tensors.items()}
    try:
        hub.write_tensors(Path(path), tensors, metadata_of(voice))
    except ModelError as error:
        raise VoiceError(str(error)) from error


def read_voice(path: str | os.PathLike[str], make: Callable[..., Voice]) -> Voice:
    """What `make`, the voice's class, makes of a file; see `Voice.load`, which also asks whether consents hold."""
    if not isinstance(path, str | os.PathLike):
        raise VoiceError(f"a voice's file is named by a path; this is {type(path).__name__}")
    path = _only_voice(Path(path)) if Path(path).is_dir() else Path(path)
    try:
        if path.is_file() and path.stat().st_size > MAX_FILE_BYTES:
            raise VoiceError(f"{path} has {path.stat().st_size} bytes; voice files have at most {MAX_FILE_BYTES}")
        tensors, metadata = hub.read_tensors(path)
    except (ModelError, OSError) as error:
        raise VoiceError(f"{path} cannot be read as a voice file: {error}") from error
    changes = {name: tensor for name, tensor in tensors.items() if name.startswith(ADAPTER_PREFIX)}
    if metadata.get("format") != FILE_FORMAT or set(tensors) - set(changes) != set(TENSORS):
        raise VoiceError(f"{path} is a safetensors file, but not a voice; make one with Voice.save")
    try:
        version = int(metadata["format_version"])
        if version > FILE_VERSION:
            raise VoiceError(f"has voice format {version}, this voxclone reads {FILE_VERSION}; upgrade voxclone")
        return make(
            name=metadata["name"],
            speaker_embedding=tensors["speaker_embedding"].to(torch.float32).numpy(),
            spectrum=tensors["spectrum"].to(torch.float32).numpy(),
            f0_median=float(metadata["f0_median"]),
            consents=_read_consents(metadata.get("consents", "[]")),
            encoder_id=metadata["encoder_id"],
            adapter=_read_adapter(changes, metadata) if changes else None,
            f0_spread=_number(metadata, "f0_spread"),
            phoneme_seconds=_number(metadata, "phoneme_seconds"),
        )
    except KeyError as error:
        raise VoiceError(f"{path} lacks {error} in its metadata; save the voice again") from error
    except (VoiceError, ConsentError, ModelError, ValueError) as error:
        raise VoiceError(f"{path}: {error}") from error


def stored_consents(path: str | os.PathLike[str]) -> tuple[Consent, ...]:
    """The consent records of a voice file, whether they hold or not: to show them, or to revoke them.

    Args:
        path: The file, or a folder that holds one voice file.

    Raises:
        VoiceError: It is no voice file, or its records are damaged.
    """
    path = _only_voice(Path(path)) if Path(path).is_dir() else Path(path)
    try:
        _, metadata = hub.read_tensors(path)
        return _read_consents(metadata.get("consents", "[]"))
    except (ModelError, ConsentError, OSError, ValueError) as error:
        raise VoiceError(f"{path} cannot be read as a voice file: {error}") from error


def _number(metadata: Mapping[str, str], field: str) -> float | None:
    return float(metadata[field]) if field in metadata else None


def _read_consents(text: str) -> tuple[Consent, ...]:
    records = parse_json(text)
    if not isinstance(records, list):
        raise VoiceError(f"consents must be a JSON list, got {text[:40]!r}")
    return tuple(map(Consent.from_dict, records))


def _only_voice(folder: Path) -> Path:
    found = sorted(folder.glob("*.voice"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise VoiceError(f"{folder} cannot be read as a voice: the folder holds {names}; name one voice file")
    return found[0]


def _read_adapter(changes: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> Adapter:
    tensors = {name.removeprefix(ADAPTER_PREFIX): tensor for name, tensor in changes.items()}
    return Adapter(tensors, **{name: metadata[name] for name in ADAPTER_FIELDS})
