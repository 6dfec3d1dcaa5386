"""AAC in m4a files and other audio that libsndfile does not know: by PyAV, extra "m4a"."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.container import BOMB_FRAMES, BOMB_RATIO
from voxclone.audio.samples import one_channel
from voxclone.errors import AudioError, ConfigError

BIT_RATE = 96_000  # bits/s of the encoder
SLACK_SECONDS = 0.5  # by which a header may promise more than there is

_TIMED = {"mp4", "matroska", "webm", "avi", "asf"}  # containers whose header tells how long they are
_CLOCK = re.compile(r"(\d+):(\d\d):([\d.]+)")


def write_m4a(
    path: Path, samples: NDArray[np.float32], sample_rate: int, tags: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Write (S,) samples in [-1, 1].

    Raises:
        AudioError: The encoder refuses, such as the sample rate.
        ConfigError: The extra "m4a" is not installed.
    """
    av = library()
    try:
        with av.open(os.fspath(path), "w", format="ipod") as file:
            file.metadata.update(tags)
            stream = file.add_stream("aac", rate=sample_rate, layout="mono")
            stream.bit_rate = BIT_RATE
            frame = av.AudioFrame.from_ndarray(np.clip(samples, -1.0, 1.0)[None], format="fltp", layout="mono")
            frame.sample_rate = sample_rate
            frame.pts = 0
            for each in (frame, None):
                file.mux(stream.encode(each))
    except av.FFmpegError as error:
        raise AudioError(f"the m4a encoder failed: {error.strerror}") from error


def can_read() -> bool:
    """Whether the extra "m4a" is installed."""
    return importlib.util.find_spec("av") is not None


def m4a_blocks(name: str, stream: BinaryIO, block_frames: int) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Decode in blocks (S,) of one channel, as `voxclone.audio.io.stream_audio` gives them, and their rate in Hz.

    Args:
        name: What messages call it.
        stream: All of the file, seekable.
        block_frames: The least samples of a block but the last.

    Raises:
        AudioError: The file cannot be decoded, is cut short (known after the last block), or has no audio.
        ConfigError: The extra "m4a" is not installed.
    """
    av = library()
    held: list[NDArray[np.float32]] = []
    total = 0
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    try:
        with av.open(stream, metadata_errors="replace") as file:
            if not file.streams.audio:
                raise AudioError(f"{name} has no sound: it is {file.format.long_name} with no audio track")
            codec, promised = file.streams.audio[0].codec_context, _promised_seconds(file)
            if codec is None:
                raise AudioError(f"{name} holds audio of a kind that is not known; convert it to wav first")
            rate = int(codec.sample_rate)
            resampler = av.AudioResampler(format="fltp", rate=rate)
            for frame in chain(file.decode(audio=0), (None,)):
                parts = [part.to_ndarray().T for part in resampler.resample(frame)]
                held += parts
                total += sum(map(len, parts))
                if total > BOMB_FRAMES + BOMB_RATIO * size:
                    raise AudioError(
                        f"{name} of {size} bytes decodes to more than speech can; convert it to wav if it is sound"
                    )
                if held and (frame is None or sum(map(len, held)) >= block_frames):
                    yield one_channel(np.concatenate(held)).astype(np.float32, copy=False), rate
                    held.clear()
    except (av.FFmpegError, IndexError, OSError) as error:
        why = getattr(error, "strerror", None) or error
        raise AudioError(f"{name} cannot be decoded ({why}); a complete file is needed") from error
    if total == 0:
        raise AudioError(f"{name} has no samples")
    if total < (promised - SLACK_SECONDS) * rate:
        raise AudioError(
            f"{name} is cut short: its header promises {promised:.2f} s and {total / rate:.2f} s are there; a complete "
            "file is needed"
        )


def _promised_seconds(file: Any) -> float:
    """How long the sound of an opened file is, by its header; 0 where that does not tell.

    Raw AAC and AMR have no header, and what FFmpeg says of them is a guess.
    """
    if not _TIMED & set(file.format.name.split(",")):
        return 0.0
    sound = file.streams.audio[0]
    if sound.duration is not None:
        return float(sound.duration * sound.time_base)
    if named := _CLOCK.match(sound.metadata.get("DURATION", "")):  # as Matroska has it
        hours, minutes, seconds = named.groups()
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    alone = len(file.streams) == 1 and file.duration is not None  # of several, the longest one's is known
    return float(file.duration / 1e6) if alone else 0.0


def read_m4a_tags(path: str | os.PathLike[str]) -> dict[str, str]:
    """The file's tags.

    Raises:
        AudioError: The file cannot be read.
        ConfigError: The extra "m4a" is not installed.
    """
    av = library()
    try:
        with av.open(os.fspath(path), metadata_errors="replace") as file:
            return dict(file.metadata)
    except av.FFmpegError as error:
        raise AudioError(f"{path} cannot be decoded ({error.strerror}); a complete file is needed") from error


def library() -> ModuleType:
    """PyAV.

    Raises:
        ConfigError: The extra "m4a" is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise ConfigError('m4a files need the extra "m4a": pip install "voxclone[m4a]"') from error
    return av
