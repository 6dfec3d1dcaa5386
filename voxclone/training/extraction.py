"""From a manifest of recordings to a feature store: decode, trim, level, mel, f0, phonemes."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from voxclone.audio.io import read_audio
from voxclone.audio.loudness import level, trim_silence
from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.pitch import f0
from voxclone.audio.resample import resample
from voxclone.config import AudioConfig
from voxclone.errors import AudioError, TextError, VoxcloneError
from voxclone.text.normalize import normalize
from voxclone.text.phonemes import phonemize
from voxclone.text.symbols import symbol_ids
from voxclone.training.features import FeatureStore

Arrays = dict[str, NDArray[Any]]
MAX_SECONDS = 20.0
MIN_SECONDS = 0.7


@dataclass(frozen=True)
class Recording:
    """One line of a manifest. `text` is empty where there is no transcript."""

    path: Path
    key: str
    speaker: str
    text: str
    about: dict[str, str]


def read_manifest(manifest: Path, root: Path) -> list[Recording]:
    """Read a tab-separated manifest with a header; needs columns path and speaker, text where transcribed.

    Raises:
        VoxcloneError: A needed column is missing.
    """
    with open(manifest, encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or not {"path", "speaker"} <= rows[0].keys():
        raise VoxcloneError(f"{manifest} must be a tab-separated table with a header that names path and speaker")
    return [Recording(root / r["path"], r["path"], r["speaker"], r.get("text") or "", dict(r)) for r in rows]


def read_folder(root: Path) -> list[Recording]:
    """Every audio file below a folder; its speaker is its parent folder, its text a .txt or .lab file beside it."""
    recordings = []
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in {".wav", ".flac", ".mp3", ".ogg", ".opus"}:
            continue
        beside = [path.with_suffix(suffix) for suffix in (".txt", ".lab", ".normalized.txt")]
        text = next((file.read_text(encoding="utf8").strip() for file in beside if file.exists()), "")
        key = str(path.relative_to(root))
        recordings.append(Recording(path, key, path.parent.name, text, {"speaker": path.parent.name, "text": text}))
    return recordings


def _clean_waveform(recording: Recording, sample_rate: int, max_seconds: float) -> NDArray[np.float32]:
    waveform, rate = read_audio(recording.path)
    waveform = level(trim_silence(resample(waveform, rate, sample_rate), sample_rate), sample_rate)
    seconds = len(waveform) / sample_rate
    if not MIN_SECONDS <= seconds <= max_seconds:
        raise AudioError(f"{recording.key} has {seconds:.1f} s after trimming; {MIN_SECONDS} to {max_seconds} s fit")
    return waveform


def _to_int16(waveform: NDArray[np.float32]) -> NDArray[np.int16]:
    return (np.clip(waveform, -1, 1) * 32767).round().astype(np.int16)


def extract_speaker_features(recording: Recording, sample_rate: int) -> Arrays:
    """For the speaker encoder: the trimmed, levelled waveform."""
    return {"waveform": _to_int16(_clean_waveform(recording, sample_rate, 60.0)[: int(MAX_SECONDS * sample_rate)])}


def extract_speech_features(recording: Recording, audio: AudioConfig) -> Arrays:
    """For acoustic model and vocoder: waveform, mel, f0, and phonemes where there is text."""
    waveform = _clean_waveform(recording, audio.sample_rate, MAX_SECONDS)
    waveform = waveform[: len(waveform) // audio.hop_length * audio.hop_length]
    mel = MelSpectrogram(audio)(torch.from_numpy(waveform)[None])[0].T.numpy()
    arrays: Arrays = {
        "waveform": _to_int16(waveform),
        "mel": mel,
        "f0": f0(waveform, audio.sample_rate, audio.hop_length),
    }
    if recording.text and recording.about.get("language", "en") == "en":
        arrays["phoneme_ids"] = np.array(symbol_ids(phonemize(normalize(recording.text)).symbols))
    return arrays


def _guarded(extract: functools.partial[Arrays], recording: Recording) -> tuple[Recording, Arrays | str]:
    torch.set_num_threads(1)
    try:
        return recording, extract(recording)
    except (AudioError, TextError) as error:
        return recording, str(error)


def fill_store(
    store: FeatureStore, recordings: Sequence[Recording], extract: functools.partial[Arrays], workers: int
) -> dict[str, str]:
    """Add every recording that the store lacks; returns those that were refused, with the reason."""
    todo = [recording for recording in recordings if recording.key not in store.keys]
    refused: dict[str, str] = {}
    with ProcessPoolExecutor(workers) as pool:
        results: Iterable[tuple[Recording, Arrays | str]] = pool.map(
            functools.partial(_guarded, extract), todo, chunksize=8
        )
        for recording, arrays in tqdm(results, total=len(todo), desc=store.folder.name, disable=None):
            if isinstance(arrays, str):
                refused[recording.key] = arrays
            else:
                store.append(recording.key, recording.about, arrays)
    return refused
