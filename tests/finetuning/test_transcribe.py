"""faster-whisper is loaded from a folder and asked what is said; without it the message says what to do."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxclone import VoxcloneError
from voxclone.finetuning.transcribe import Transcriber


class WhisperModel:
    """Stands for faster-whisper's, of the signature of version 1.2."""

    def __init__(self, model: str, device: str, compute_type: str, local_files_only: bool) -> None:
        if "broken" in model:
            raise RuntimeError("unsupported model version")
        assert (device, compute_type, local_files_only) == ("auto", "auto", True)

    def transcribe(self, audio: Any, *, language: str, condition_on_previous_text: bool) -> Any:
        assert audio.dtype == np.float32 and language == "en" and not condition_on_previous_text
        said = [(" One", 0.1, -0.2), (" [noise]", 0.9, -0.2), (" mumble", 0.1, -1.5), ("  two. ", 0.1, -0.2)]
        segments = [types.SimpleNamespace(text=t, no_speech_prob=n, avg_logprob=p) for t, n, p in said]
        return iter(segments), types.SimpleNamespace(duration=len(audio) / 16000)


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    module = types.ModuleType("faster_whisper")
    module.WhisperModel = WhisperModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    for name in ("model", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").touch()
    return tmp_path


def test_what_whisper_is_sure_of_is_taken(whisper: Path) -> None:
    assert Transcriber(whisper / "model").transcribe(np.zeros(22050, np.float32), 22050) == "One two."


def test_a_folder_without_a_model_and_one_that_is_damaged(whisper: Path) -> None:
    with pytest.raises(VoxcloneError, match=r"holds no model\.bin"):
        Transcriber(whisper)
    with pytest.raises(VoxcloneError, match=r"cannot load .*broken: unsupported model version"):
        Transcriber(whisper / "broken")


def test_without_it_the_message_names_the_extra_and_the_other_ways(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(VoxcloneError, match=r"not installed; put its text .*voxclone\[transcribe\].*--transcriber"):
        Transcriber(tmp_path)


def test_a_folder_that_is_not_there_is_told_before_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(VoxcloneError, match=r"there is no folder .*gone with a faster-whisper model"):
        Transcriber(tmp_path / "gone")
