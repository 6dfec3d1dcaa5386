"""A stretch of recorded speech with what is said in it, and its samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.io import read_audio
from voxclone.errors import AudioError, ConfigError, ProvenanceError, VoxcloneError
from voxclone.files import file_sha256
from voxclone.safety.labels import Label, read_label


@dataclass(frozen=True)
class Clip:
    """A file, or a part of one.

    Attributes:
        key: Its name in the report, distinct within a set.
        audio: Where it is, or a whole audio file's bytes.
        text: What is said; empty where that is not known.
        start_seconds: Where it begins in the file.
        end_seconds: Where it ends; None for the file's end.
    """

    key: str
    audio: Path | bytes
    text: str = ""
    start_seconds: float = 0.0
    end_seconds: float | None = None


def require_within(name: str, where: str) -> Path:
    """A path that a table of recordings gives, relative to its folder.

    Raises:
        VoxcloneError: It leads out of the folder; `where` says which line it is of.
    """
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise VoxcloneError(f"{where}: {name!r:.200} leads out of the folder; put the recording into it")
    return path


def fingerprints(clips: Iterable[Clip]) -> dict[Clip, str]:
    """16 hex digits for each clip that change with the file's bytes, its place in them, its text and its key."""
    contents: dict[Path | bytes, str] = {}
    found = {}
    for clip in clips:
        if clip.audio not in contents:
            contents[clip.audio] = _digest(clip.audio)
        about = [clip.key, clip.text, clip.start_seconds, clip.end_seconds, contents[clip.audio]]
        found[clip] = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
    return found


def _digest(audio: Path | bytes) -> str:
    if isinstance(audio, bytes):
        return hashlib.sha256(audio).hexdigest()
    try:
        return file_sha256(audio)
    except OSError:  # that it cannot be read is said when it is decoded
        return ""


class Decoded(NamedTuple):
    """A clip with its samples (S,) and their rate in Hz, or with the reason why there are none; and what its file says
    of itself, where a model made it."""

    clip: Clip
    samples: NDArray[np.float32]
    sample_rate: int
    fault: VoxcloneError | None = None
    label: Label | None = None


def decode(clips: Iterable[Clip]) -> Iterator[Decoded]:
    """Decode each clip; those of one file that follow one another are cut from one decoding of it."""
    last: Path | bytes | None = None
    nothing = np.zeros(0, np.float32)
    samples, rate = nothing, 0
    fault: VoxcloneError | None = None
    label: Label | None = None
    for clip in clips:
        if clip.audio is not last:
            last, fault = clip.audio, None
            try:
                samples, rate = read_audio(clip.audio)
                label = read_label(clip.audio)
            except (AudioError, ConfigError, ProvenanceError) as error:  # the second names an extra
                fault = error
        if fault is not None:
            yield Decoded(clip, nothing, 0, fault)
            continue
        end = len(samples) if clip.end_seconds is None else round(clip.end_seconds * rate)
        part = samples[max(0, round(clip.start_seconds * rate)) : end]
        seconds = len(samples) / rate
        late = AudioError(f"it starts at {clip.start_seconds:.2f} s of a file of {seconds:.2f} s")
        yield Decoded(clip, part, rate, None if len(part) else late, label)
