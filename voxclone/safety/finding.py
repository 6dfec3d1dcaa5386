"""`voxclone.detect`: a model's detector, loaded by itself, without PyTorch, and put to audio."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxclone import hub
from voxclone.audio.io import AudioSource, read_audio, stream_audio
from voxclone.config import ModelConfig
from voxclone.errors import ModelError
from voxclone.safety.detection import Detection, MarkFinder
from voxclone.safety.ear import Ear, tensor_shapes

DETECTOR_FILE = "detector.safetensors"


def detect(
    audio: AudioSource,
    *,
    model: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
) -> Detection:
    """Look for the mark that a model's vocoder leaves in all that it speaks.

    Args:
        audio: A path (read in blocks, however long), a file's bytes, or (samples, sample_rate), where samples is an
            array or tensor as `voxclone.audio.io.read_audio` takes it; of one recording, at its own rate in Hz.
        model: Folder or Hub repository of the model whose mark is looked for; None for the bundled one.
        revision: The Hub repository's branch, tag or commit.
        local_files_only: Use what the cache holds and no network.

    Returns:
        The verdict, with score and spans; what is too short or silent to tell is "inconclusive", and no error.

    Raises:
        ModelError: The model is missing or damaged, or has no detector.
        AudioError: The audio cannot be read, or holds no sample.
    """
    return load_finder(model, revision=revision, local_files_only=local_files_only).find(read_blocks(audio))


def load_finder(
    model: str | os.PathLike[str] | None = None, *, revision: str | None = None, local_files_only: bool = False
) -> MarkFinder:
    """A model's detector, to be used many times. Arguments and errors as for `detect`."""
    folder = hub.resolve(model, revision=revision, local_files_only=local_files_only)
    hub.check_integrity(folder)
    config = hub.read_config(folder)
    finder = read_finder(folder, config)
    if finder is None:
        raise ModelError(
            f"model {config.name!r} has no watermark detector, so that nothing can be said of a mark; "
            "name the model that may have made the audio"
        )
    return finder


def read_finder(folder: Path, config: ModelConfig) -> MarkFinder | None:
    """The detector in a model folder; None where its configuration has none.

    Raises:
        ModelError: Its file is missing or does not fit.
    """
    watermark = config.watermark
    if watermark is None:
        return None
    tensors = hub.read_arrays(folder / DETECTOR_FILE, tensor_shapes(watermark), "WatermarkDetector")
    return MarkFinder(Ear(watermark, tensors), f"{config.name}, one bit")


def read_blocks(audio: AudioSource) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Audio as `MarkFinder.find` takes it: a file in blocks, anything else whole."""
    if isinstance(audio, (str, os.PathLike)):
        return stream_audio(audio)
    return iter([read_audio(audio)])
