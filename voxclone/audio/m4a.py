"""AAC in m4a files and other audio that libsndfile does not know: by PyAV, extra "m4a"."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.container import BOMB_FRAMES, BOMB_RATIO
from voxclone.audio.samples import one_channel
from voxclone.errors import AudioError, ConfigError

BIT_RATE = 96_000  # bits/s of the encoder
MAX_SECONDS = 4 * 3600


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


def read_m4a(path: str | os.PathLike[str], stream: BinaryIO | None = None) -> tuple[NDArray[np.float32], int]:
    """Samples (S,), one channel as `voxclone.audio.io.read_audio` makes it, and their rate in Hz.

    Args:
        path: The file, or what messages call it where `stream` is given.
        stream: The same bytes, seekable; they are then read in place of the file.

    Raises:
        AudioError: The file cannot be decoded, has no audio, or is longer than `MAX_SECONDS`.
        ConfigError: The extra "m4a" is not installed.
    """
    av = library()
    blocks: list[NDArray[np.float32]] = []
    total = 0
    try:
        size = os.stat(path).st_size if stream is None else stream.seek(0, os.SEEK_END)
        if stream is not None:
            stream.seek(0)
        with av.open(os.fspath(path) if stream is None else stream, metadata_errors="replace") as file:
            codec = file.streams.audio[0].codec_context
            if codec is None:
                raise AudioError(f"{path} holds audio of a kind that is not known; convert it to wav first")
            rate = codec.sample_rate
            resampler = av.AudioResampler(format="fltp", rate=rate)
            for frame in file.decode(audio=0):
                channels = [part.to_ndarray().T for part in resampler.resample(frame)]
                parts = [one_channel(part, part.mean(axis=1)) for part in channels]
                blocks += parts
                total += sum(map(len, parts))
                if total > MAX_SECONDS * rate:
                    raise AudioError(f"{path} is longer than {MAX_SECONDS // 3600} hours; cut it into parts")
                if total > BOMB_FRAMES + BOMB_RATIO * size:
                    raise AudioError(
                        f"{path} of {size} bytes decodes to more than speech can; convert it to wav if it is sound"
                    )
    except (av.FFmpegError, IndexError, OSError) as error:
        raise AudioError(f"{path} cannot be read as m4a: {error}") from error
    if not blocks:
        raise AudioError(f"{path} has no samples")
    return np.concatenate(blocks).astype(np.float32), int(rate)


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
        raise AudioError(f"{path} cannot be read as m4a: {error}") from error


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
