"""Texts in an audio file's tags: RIFF INFO in wav, ID3 in mp3, Vorbis comments in flac, ogg and opus."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping

import soundfile

from voxclone.audio.m4a import read_m4a_tags
from voxclone.errors import AudioError

TAGS = ("software", "comment", "date", "genre")  # libsndfile's names; LAME writes its own "software" into an mp3
MAX_TAG_BYTES = 1500  # libsndfile does not read a wav's tags back that are longer than its buffer of 2 kB


def write_tags(sound: soundfile.SoundFile, tags: Mapping[str, str]) -> None:
    """Set the tags of a file that is open for writing, before its first sample.

    Raises:
        AudioError: A tag's name is not in `TAGS`, or its text is too long.
    """
    for name, text in tags.items():
        if name not in TAGS or len(text.encode()) > MAX_TAG_BYTES:
            raise AudioError(
                f"tag {name!r} of {len(text.encode())} bytes cannot be written; {', '.join(TAGS)} can, with up to "
                f"{MAX_TAG_BYTES} bytes each"
            )
        setattr(sound, name, text)


def read_tags(path: str | os.PathLike[str] | bytes) -> dict[str, str]:
    """The tags of a file, or of a whole one's bytes, that have a name in `TAGS`.

    Raises:
        AudioError: There is no such file, or it is not audio that can be read.
    """
    if not isinstance(path, bytes) and os.fspath(path).lower().endswith(".m4a"):
        return {name: text for name, text in read_m4a_tags(path).items() if name in TAGS and text}
    try:
        with soundfile.SoundFile(io.BytesIO(path) if isinstance(path, bytes) else path) as sound:
            return {name: text for name, text in sound.copy_metadata().items() if name in TAGS and text}
    except (soundfile.LibsndfileError, OSError) as error:
        name = "the audio in memory" if isinstance(path, bytes) else path
        raise AudioError(f"{name}: {error}") from error
