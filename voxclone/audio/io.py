"""Reading any audio that libsndfile or PyAV knows, and writing it without ever leaving half a file behind."""

from __future__ import annotations

import io
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxclone.audio import container
from voxclone.audio.m4a import can_read, library, m4a_blocks, write_m4a
from voxclone.audio.resample import resample
from voxclone.audio.samples import MAX_CHANNELS, as_pcm16, check_rate, check_samples, from_array, one_channel
from voxclone.audio.tags import write_tags
from voxclone.errors import AudioError
from voxclone.files import require_place

if TYPE_CHECKING:
    import torch

AudioSource: TypeAlias = "str | os.PathLike[str] | bytes | tuple[NDArray[Any] | torch.Tensor, int]"

BLOCK_FRAMES = 1 << 16  # samples per channel decoded or encoded at once
MAX_FILE_CHANNELS = 32
FALLBACK_RATE = 48000  # Hz, taken by every encoder below

_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_VORBIS_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000)
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
# suffix -> container, encoding, and the rates in Hz that the encoder takes (None: all)
_ENCODINGS: dict[str, tuple[str, str, tuple[int, ...] | None]] = {
    ".wav": ("WAV", "PCM_16", None),
    ".flac": ("FLAC", "PCM_16", None),
    ".mp3": ("MP3", "MPEG_LAYER_III", _MPEG_RATES),
    ".ogg": ("OGG", "VORBIS", _VORBIS_RATES),
    ".opus": ("OGG", "OPUS", _OPUS_RATES),
    ".m4a": ("MP4", "AAC", _MPEG_RATES),  # by voxclone.audio.m4a
}
WRITTEN_SUFFIXES = tuple(_ENCODINGS)
_PYAV_SUFFIXES = frozenset(
    ".m4a .aac .mp4 .m4b .m4v .wma .webm .mkv .mka .mov .avi .3gp .amr .flv .mpg .mpeg .wv .ape".split()
)
AUDIO_SUFFIXES = _PYAV_SUFFIXES.union(".wav .wave .flac .mp3 .ogg .oga .opus .aif .aiff .aifc .au .caf .w64".split())


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """Read from begin to end: soundfile seeks to where it is after each block, which an MP3 decoder cannot exactly."""

    def seekable(self) -> bool:
        return False


def read_audio(source: AudioSource) -> tuple[NDArray[np.float32], int]:
    """Read audio as one channel: the mean of all, or the first where they are in antiphase and cancel each other.

    Files are decoded block by block.

    Args:
        source: A path; a whole audio file as bytes; or (samples, sample_rate), where samples is an array or torch
            tensor of shape (S,), (S, C) or (C, S) with at most 8 channels, of floats in [-1, 1] or of 16- or
            32-bit integers. An array of two axes is (C, S) where its first axis is at most 8 and shorter than
            its second.

    Returns:
        Samples (S,) float32, S >= 1, all finite, full scale 1.0 (float sources may pass it), and their rate in Hz.

    Raises:
        AudioError: There is no such file; it is a folder, a pipe, empty, not audio, of a format that neither libsndfile
            nor PyAV (extra "m4a") reads, cut short, or of length zero; samples are NaN or infinite, or their type,
            shape, scale or rate cannot be audio.
    """
    if isinstance(source, tuple):
        return from_array(source)
    if isinstance(source, (bytes, bytearray)):
        return _decode(io.BytesIO(source), f"the audio in memory ({len(source)} bytes)")
    if not isinstance(source, (str, os.PathLike)):
        raise AudioError(
            f"cannot read audio from {type(source).__name__}; a path, bytes or (samples, sample_rate) is needed"
            + ": give its bytes, what .read() returns" * hasattr(source, "read")
        )
    with _opened(source) as (stream, path):
        if path is None:  # a label or a sidecar, which others read after this, has to be in the same place
            raise AudioError(f"{os.fspath(source)} is a pipe, which can be read once; a file is needed, or its bytes")
        return _decode(stream, os.fspath(source), path)


def audio_files(folder: Path) -> list[Path]:
    """The files at any depth of a folder that are audio by their names (`AUDIO_SUFFIXES`), sorted, without hidden ones.

    Raises:
        AudioError: There is no such folder, or it is a file.
    """
    if not folder.is_dir():
        raise AudioError(f"{folder} is a file; a folder is needed" if folder.exists() else f"{folder}: no such folder")
    named = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file())
    return [path for path in named if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def stream_audio(path: str | os.PathLike[str]) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Read an audio file block by block, in little memory: blocks (S,) of one channel as `read_audio`, and their rate.

    A pipe is read as well, and held in memory.

    Raises:
        AudioError: As for `read_audio`; that a file is cut short is only known after its last block.
    """
    name = os.fspath(path)
    with _opened(path) as (stream, place):
        for block, sample_rate in _blocks(stream, name, place):
            yield check_samples(block, name), sample_rate


@contextmanager
def _opened(source: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, Path | None]]:
    """A file that may be audio, and its path; a pipe's content, and None."""
    if isinstance(source, str) and re.match(r"[A-Za-z][\w+.-]+://", source):
        raise AudioError(f"{source} is an address: download it first, and give the file's path")
    path = Path(source)
    if not os.fspath(source) or "\0" in str(path):
        raise AudioError(f"{os.fspath(source)!r} is no path; an audio file's is needed")
    if path.suffix.lower() == ".raw":
        raise AudioError(f"{path}: a .raw file has no header that tells its rate and type; make a .wav of it first")
    try:
        if path.is_dir():
            raise AudioError(f"{path} is a folder; an audio file is needed")
        with path.open("rb") as stream:
            yield (stream, path) if stream.seekable() else (io.BytesIO(stream.read()), None)
    except FileNotFoundError as error:
        raise AudioError(f"{path}: no such file") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be opened: {error.strerror}") from error


def _decode(stream: BinaryIO, name: str, path: Path | None = None) -> tuple[NDArray[np.float32], int]:
    """Decode a seekable stream (from its path where it has one, which is faster) to one channel."""
    mono = bytearray()  # grows in place: the whole costs its own float32 samples and one block
    sample_rate = 0
    for block, rate in _blocks(stream, name, path):
        mono += block.tobytes()
        sample_rate = rate
    return check_samples(np.frombuffer(mono, dtype=np.float32), name), sample_rate


def _blocks(stream: BinaryIO, name: str, path: Path | None) -> Iterator[tuple[NDArray[np.float32], int]]:
    """As `_decode`, block by block; an empty block is given for audio of length zero."""
    if (size := stream.seek(0, os.SEEK_END)) == 0:
        raise AudioError(f"{name} is empty (0 bytes long); an audio file is needed")
    head = container.read_head(stream)
    stream.seek(0)
    foreign = container.foreign_format(head) or (path is not None and path.suffix.lower() in _PYAV_SUFFIXES)
    if foreign and can_read():
        for block, rate in m4a_blocks(name, stream, BLOCK_FRAMES):
            yield block, check_rate(rate, name)
        return
    found = 0
    try:
        with _Sequential(path or stream) as sound:
            sample_rate, promised = sound.samplerate, sound.frames
            check_rate(sample_rate, name)
            if promised >= container.UNKNOWN_FRAMES:
                raise AudioError(
                    f"{name} has a {sound.format} header that does not tell its length, as streaming leaves it; "
                    "libsndfile needs it. Convert it first, for example: ffmpeg -i INPUT output.wav"
                )
            if sound.channels > MAX_FILE_CHANNELS:
                raise AudioError(f"{name} has {sound.channels} channels; at most {MAX_FILE_CHANNELS} are read")
            while len(block := sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                found += len(block)
                if found > container.BOMB_FRAMES + container.BOMB_RATIO * size:
                    raise AudioError(
                        f"{name} has {size} bytes and decodes to over {found / sample_rate:.0f} s, more than speech "
                        "can; cut out what is needed"
                    )
                yield one_channel(block), sample_rate
            encoding = f"{sound.format} {sound.subtype}"
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{name} {container.why_unreadable(head, error.error_string)}") from error
    container.check_complete(stream, encoding, promised, found, sample_rate, name)
    if found == 0:
        yield np.zeros(0, np.float32), sample_rate


def require_format(suffix: str) -> None:
    """Check that audio can be written in the format of a suffix, in any case of its letters.

    Raises:
        AudioError: The suffix is unknown.
        ConfigError: The extra "m4a" is needed and not installed.
    """
    if not isinstance(suffix, str) or suffix.lower() not in _ENCODINGS:
        raise AudioError(f"unknown suffix {suffix!r}; one of {', '.join(WRITTEN_SUFFIXES)} is needed")
    if suffix.lower() == ".m4a":
        library()


def require_audio_place(path: Path) -> None:
    """Check that an audio file can be written to a path, before its sound is made.

    Raises:
        AudioError: The suffix is unknown, the folder missing or not writable, or the path a folder.
        ConfigError: The extra "m4a" is needed and not installed.
    """
    require_place(path, AudioError)
    try:
        require_format(path.suffix)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error


def write_audio(
    path: str | os.PathLike[str],
    samples: NDArray[np.floating],
    sample_rate: int,
    *,
    tags: Mapping[str, str] = MappingProxyType({}),
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Write an audio file whose encoding follows from the suffix; a failure leaves the path as it was.

    .wav and .flac hold 16-bit PCM, .mp3 MPEG layer III, .ogg Vorbis, .opus Opus, .m4a AAC (extra
    "m4a", one channel). Where the encoder does not take the rate (Opus: 8, 12, 16, 24, 48 kHz; MP3 and AAC: up to
    48 kHz) the file is at 48 kHz.

    Args:
        path: Where to; its folder must exist. A file that is there is replaced in one step.
        samples: (S,) or (S, C) floats, full scale 1.0; what passes it is limited, never wrapped.
        sample_rate: Their rate in Hz.
        tags: Texts for the file's RIFF INFO, ID3 or Vorbis comments, see
            `voxclone.audio.tags`.
        finish: Called with the complete file, which has another name yet, before it takes the place of `path`.

    Raises:
        AudioError: The suffix is unknown, the folder missing or not writable, the path a folder, or the samples or
            the rate are not audio.
    """
    target = Path(path)
    require_audio_place(target)
    rate = check_rate(sample_rate, "the audio to write")
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] > MAX_CHANNELS):
        raise AudioError(f"cannot write an array of shape {samples.shape}; (S,) or (S, C) is needed")
    if not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(f"cannot write samples of type {samples.dtype}; floats in [-1, 1] are needed")
    whole = check_samples(samples.astype(np.float32, copy=False), "the audio to write")
    form, subtype, rates = _ENCODINGS[target.suffix.lower()]
    if rates is not None and rate not in rates:
        whole, rate = resample(whole, rate, FALLBACK_RATE), FALLBACK_RATE
    channels = 1 if whole.ndim == 1 else whole.shape[1]
    partial = target.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        if form == "MP4":
            if channels > 1:
                raise AudioError(f"an m4a file is written with one channel, not {channels}")
            write_m4a(partial, whole.reshape(-1), rate, tags)
        else:
            with soundfile.SoundFile(partial, "w", rate, channels, subtype, format=form) as sound:
                write_tags(sound, tags)
                for start in range(0, len(whole), BLOCK_FRAMES):
                    block = whole[start : start + BLOCK_FRAMES]
                    sound.write(as_pcm16(block) if subtype == "PCM_16" else np.clip(block, -1.0, 1.0))
        if finish is not None:
            finish(partial)
        os.replace(partial, target)
    except (soundfile.LibsndfileError, OSError, AudioError) as error:
        full = shutil.disk_usage(target.parent).free < len(whole) * channels  # libsndfile only says "System error."
        raise AudioError(f"{target} cannot be written: {'the disk is full' if full else error}") from error
    finally:
        partial.unlink(missing_ok=True)
