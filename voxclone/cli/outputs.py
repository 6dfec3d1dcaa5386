"""Where results go: checked before a model is loaded or a sound made, so that no work ends at a missing folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from voxclone.errors import ConfigError, VoiceError
from voxclone.files import require_folder, require_place


def audio_file(path: str, signed: bool = False) -> None:
    """Check that speech can be written there, and signed."""
    from voxclone.safety.labels import require_labelled_place

    require_labelled_place(_named(path), signed)


def times_file(path: str | None) -> None:
    """Check that times can be written there, if they are asked for."""
    from voxclone.timestamps import require_times_place

    if path is not None:
        require_times_place(_named(path))


def voice_file(path: str) -> None:
    """Check that a voice can be written there."""
    refuse_audio(path, "is an audio file's name; a voice file is named such as me.voice, not as")
    require_place(_named(path), VoiceError)


def record_file(path: str) -> None:
    """Check that a challenge or a record can be written there."""
    require_place(_named(path), ConfigError)


def folder(path: str) -> None:
    """Check that files can be put there, in a folder that is there or can be made."""
    require_folder(_named(path), ConfigError)


def audio_folder(path: str, suffix: str, signed: bool = False) -> None:
    """Check that audio files of a suffix can be put there, and signed."""
    from voxclone.audio.io import require_format
    from voxclone.safety.manifest import require_signable

    require_format(suffix)
    if signed:
        require_signable(suffix.lower())
    folder(path)


def refuse_audio(path: str, why: str) -> None:
    """Keep recordings from being read, or written over, as voice files.

    Raises:
        VoiceError: The path is an audio file's, by its name; `why` says why that will not do.
    """
    from voxclone.audio.io import WRITTEN_SUFFIXES

    if Path(path).suffix.lower() in WRITTEN_SUFFIXES:
        raise VoiceError(f"{path} {why} {path}")


def flush() -> None:
    """Write out what is left of standard output, so that its errors come while they can be told."""
    sys.stdout.flush()


def discard_unwritable() -> None:
    """`discard` where standard output cannot be written; it is the caller's, and else stays."""
    try:
        flush()
    except OSError:
        discard()


def discard() -> None:
    """Let what else goes to standard output go nowhere: whoever read it has left, or it cannot be written."""
    if (own := sys.__stdout__) is not None and own is sys.stdout:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), own.fileno())


def _named(path: str) -> Path:
    """The path, which an empty text is not: it would be the folder that one is in."""
    if not path.strip():
        raise ConfigError(f"the name {path!r} of a file or folder to write is empty; give one, or leave the option out")
    return Path(path)
