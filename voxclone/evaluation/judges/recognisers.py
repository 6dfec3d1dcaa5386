"""Speech recognisers: what a listener would have understood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from voxclone.audio.loudness import level
from voxclone.errors import AudioError
from voxclone.evaluation.judges.opening import (
    RATE,
    Absent,
    FunctionOfFiles,
    ProgramOfFiles,
    hear,
    library,
    open_judge,
    transformers_library,
)


class Recogniser(Protocol):
    """Transcribes recordings."""

    @property
    def name(self) -> str:
        """What it is, with its version."""

    def transcribe(self, paths: Sequence[Path]) -> list[str]:
        """One transcript for each file; empty where nothing was understood."""


class PocketSphinx:
    """CMU PocketSphinx with the acoustic model of its wheel: works offline; far weaker than a Whisper.

    Args:
        language_model: ARPA or binary language model to use instead of its own; "" for its own.
    """

    def __init__(self, language_model: str) -> None:
        sphinx = library("pocketsphinx", "'voxclone[evaluate]'")
        if language_model and not Path(language_model).is_file():
            raise Absent(f"there is no language model {language_model}")
        chosen = {"lm": language_model} if language_model else {}
        beams: dict[str, Any] = {"beam": 1e-60, "wbeam": 1e-40, "maxhmmpf": -1, "maxwpf": -1}
        self._decoder = sphinx.Decoder(samprate=RATE, loglevel="FATAL", **beams, **chosen)
        self.name = f"pocketsphinx with {Path(language_model).name}" if language_model else "pocketsphinx"

    def transcribe(self, paths: Sequence[Path]) -> list[str]:
        """As `Recogniser` has it."""
        return [self._transcribe(path) for path in paths]

    def _transcribe(self, path: Path) -> str:
        quiet = np.zeros(RATE // 5, np.float32)
        try:
            samples = np.concatenate([quiet, level(hear(path), RATE), quiet])
        except AudioError:  # too quiet to be levelled: there is nothing to understand
            return ""
        samples += np.random.default_rng(0).normal(0, 2e-4, len(samples)).astype(np.float32)  # it dislikes true silence
        self._decoder.start_utt()
        self._decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        return str(best.hypstr) if best else ""


class FasterWhisper:
    """A Whisper on CTranslate2: a model folder, or a size that its library downloads."""

    def __init__(self, model: str) -> None:
        whisper = library("faster_whisper", "faster-whisper")
        if not model:
            raise Absent("faster-whisper needs its model: --asr faster-whisper:/path/to/model")
        try:
            self._model = whisper.WhisperModel(model, compute_type="default")
        except (OSError, ValueError, RuntimeError) as error:
            raise Absent(f"faster-whisper cannot load {model!r}: {error}") from error
        self.name = f"faster-whisper {model}"

    def transcribe(self, paths: Sequence[Path]) -> list[str]:
        """As `Recogniser` has it."""
        heard = []
        for path in paths:
            segments, _ = self._model.transcribe(hear(path), beam_size=5)
            heard.append(" ".join(segment.text.strip() for segment in segments))
        return heard


class TransformersRecogniser:
    """Any recogniser of the transformers library: a model folder, or a name on the Hub."""

    def __init__(self, model: str) -> None:
        transformers = transformers_library()
        if not model:
            raise Absent("transformers needs a model: --asr transformers:openai/whisper-large-v3, or a folder")
        try:
            self._pipeline = transformers.pipeline("automatic-speech-recognition", model=model)
        except (OSError, ValueError, ImportError, KeyError) as error:
            raise Absent(f"transformers cannot load {model!r}: {error}") from error
        self.name = f"transformers {model}"

    def transcribe(self, paths: Sequence[Path]) -> list[str]:
        """As `Recogniser` has it."""
        return [str(self._pipeline({"raw": hear(path), "sampling_rate": RATE})["text"]) for path in paths]


class CommandRecogniser(ProgramOfFiles):
    """A program that is given file names and prints a line for each: the file's name, a tab, the transcript."""

    def transcribe(self, paths: Sequence[Path]) -> list[str]:
        """As `Recogniser` has it."""
        return [fields[-1] for fields in self.of_each(paths)]


class PythonRecogniser(FunctionOfFiles):
    """A function of a Python module or file: (S,) samples and their rate to a transcript."""

    def transcribe(self, paths: Sequence[Path]) -> list[str]:
        """As `Recogniser` has it."""
        return [str(transcript) for transcript in self.of_each(paths)]


RECOGNISERS: dict[str, Callable[[str], Recogniser]] = {
    "pocketsphinx": PocketSphinx,
    "faster-whisper": FasterWhisper,
    "transformers": TransformersRecogniser,
    "python": PythonRecogniser,
    "command": CommandRecogniser,
}


def open_recogniser(name: str) -> Recogniser:
    """As `open_judge` has it."""
    return open_judge("recogniser", name, RECOGNISERS)
