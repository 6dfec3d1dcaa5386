"""What is said in recordings that come without text, by faster-whisper, from a model on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.resample import resample
from voxclone.errors import VoxcloneError

WHISPER_RATE = 16000  # Hz
MODEL_FILE = "model.bin"  # of CTranslate2

HOW_TO = (
    "put its text beside each recording (.txt, .srt, metadata.csv), or transcribe them: pip install "
    "'voxclone[transcribe]', download a faster-whisper model (such as Systran/faster-whisper-small.en) and name its "
    "folder with --transcriber"
)


class Transcriber:
    """A Whisper model (arXiv:2212.04356), converted for CTranslate2.

    Args:
        folder: The model's folder; nothing is downloaded.
        language: Such as "en".

    Raises:
        VoxcloneError: faster-whisper is not installed, or the folder is missing or holds no model that it can load.
    """

    def __init__(self, folder: Path, language: str = "en") -> None:
        if not folder.is_dir():
            raise VoxcloneError(f"there is no folder {folder} with a faster-whisper model")
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise VoxcloneError(f"faster-whisper is not installed; {HOW_TO}") from error
        if not (folder / MODEL_FILE).is_file():
            raise VoxcloneError(f"{folder} holds no {MODEL_FILE}, so it is no faster-whisper model; {HOW_TO}")
        try:
            self._model: Any = WhisperModel(str(folder), device="auto", compute_type="auto", local_files_only=True)
        except (RuntimeError, ValueError) as error:  # what CTranslate2 raises for a model that it cannot read
            raise VoxcloneError(f"faster-whisper cannot load {folder}: {error}") from error
        self._language = language

    def transcribe(self, waveform: NDArray[np.float32], sample_rate: int) -> str:
        """The words in (S,) samples; empty where Whisper hears none, or is itself not sure that there are any."""
        narrow = resample(waveform, sample_rate, WHISPER_RATE)
        segments, _ = self._model.transcribe(narrow, language=self._language, condition_on_previous_text=False)
        sure = [segment.text for segment in segments if segment.no_speech_prob < 0.6 and segment.avg_logprob > -1.0]
        return " ".join(" ".join(sure).split())
