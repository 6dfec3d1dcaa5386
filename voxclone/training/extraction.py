"""From a manifest of recordings to a feature store: decode, trim, level, mel, f0, phonemes."""

from __future__ import annotations

import csv
import functools
import io
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from voxclone.audio.io import AUDIO_SUFFIXES, audio_files, read_audio
from voxclone.audio.loudness import level, trim_silence
from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.pitch import f0
from voxclone.audio.resample import resample
from voxclone.config import AudioConfig
from voxclone.errors import AudioError, TextError, VoxcloneError
from voxclone.files import TEXT_SUFFIXES, read_text
from voxclone.text.normalize import normalize
from voxclone.text.phonemes import phonemize
from voxclone.text.symbols import symbol_ids
from voxclone.training.features import FeatureStore

Arrays = dict[str, NDArray[Any]]
# Layouts of `voxclone.training.corpora` that are told by a file or folder.
_LAYOUTS = {"ljspeech": "metadata.csv", "common_voice": "validated.tsv", "vctk": "wav48_silence_trimmed"}
MAX_SECONDS = 20.0
MAX_SOURCE_SECONDS = 60.0  # for the speaker encoder, which takes the first MAX_SECONDS of it
MIN_SECONDS = 0.7


@dataclass(frozen=True)
class Recording:
    """One line of a manifest.

    Attributes:
        path: Where the audio is.
        key: Its name in feature stores.
        text: Empty where there is no transcript.
        about: What else is known: at least speaker, corpus and split ("train" or "valid").
    """

    path: Path
    key: str
    text: str
    about: dict[str, str]


Extract = Callable[[Recording], tuple[Arrays, int]]  # features, and the recording's own rate in Hz; picklable


def read_manifest(manifest: Path, root: Path) -> list[Recording]:
    """Read a tab-separated manifest with a header; recipes/prepare/README.md says its columns.

    Raises:
        VoxcloneError: It cannot be read, there is no recording, one has no path or no speaker, seconds that are no
            number, or more fields than the header, or two have one path.
    """
    lines = io.StringIO(read_text(manifest, VoxcloneError), newline="")
    table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    rows = [(table.line_num, row) for row in table]
    if not rows or not {"path", "speaker"} <= rows[0][1].keys():
        raise VoxcloneError(f"{manifest} must be a tab-separated table with a header that names path and speaker")
    defaults = _defaults(root)
    recordings = []
    paths: dict[str, int] = {}
    for number, row in rows:
        if not (row["path"] and row["speaker"]):
            raise VoxcloneError(f"line {number} of {manifest} names no path or no speaker")
        if (before := paths.setdefault(row["path"], number)) != number:
            raise VoxcloneError(
                f"line {number} of {manifest} names {row['path']}, as line {before} does; leave one out"
            )
        if any(row.pop(None, ())):
            raise VoxcloneError(f"line {number} of {manifest} has more fields than its header; no field may hold a tab")
        if (seconds := row.get("seconds")) and not _is_length(seconds):
            raise VoxcloneError(f"line {number} of {manifest} gives {seconds!r:.40} as seconds; a number is needed")
        about = defaults | {name: value for name, value in row.items() if value}
        recordings.append(Recording(root / row["path"], row["path"], row.get("text") or "", about))
    return recordings


def _is_length(text: str) -> bool:
    """Whether a field can be a number of seconds."""
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def read_folder(root: Path) -> list[Recording]:
    """Every audio file below a folder that holds one folder for each speaker; its text is a file beside it.

    Raises:
        VoxcloneError: An audio file is in no speaker's folder, there is none, a text cannot be read, or the folder is
            of a corpus of another layout.
    """
    for layout, mark in _LAYOUTS.items():
        if (root / mark).exists():
            raise VoxcloneError(
                f"{root} holds {mark}, as {layout} does, whose texts are not beside the audio: give a manifest. "
                f"`python recipes/corpora/get.py {layout} --unpacked --out {root}` writes one"
            )
    defaults = _defaults(root)
    recordings = []
    for path in audio_files(root):
        key = path.relative_to(root)
        if len(key.parts) < 2:
            raise VoxcloneError(f"{path} is in no speaker's folder; put it into {root}/<speaker>/")
        beside = [path.with_suffix(suffix) for suffix in TEXT_SUFFIXES]
        text = next((read_text(file, VoxcloneError).strip() for file in beside if file.exists()), "")
        about = defaults | {"speaker": key.parts[0], "text": text}
        recordings.append(Recording(path, key.as_posix(), text, about))
    if not recordings:
        raise VoxcloneError(f"{root} holds no audio ({', '.join(sorted(AUDIO_SUFFIXES))})")
    return recordings


def _defaults(root: Path) -> dict[str, str]:
    return {"corpus": root.resolve().name, "split": "train", "language": "en"}


def _clean_waveform(recording: Recording, sample_rate: int, max_seconds: float) -> tuple[NDArray[np.float32], int]:
    waveform, rate = read_audio(recording.path)
    waveform = level(trim_silence(resample(waveform, rate, sample_rate), sample_rate), sample_rate)
    seconds = len(waveform) / sample_rate
    if not MIN_SECONDS <= seconds <= max_seconds:
        raise AudioError(f"{recording.key} has {seconds:.1f} s after trimming; {MIN_SECONDS} to {max_seconds} s fit")
    return waveform, rate


def _to_int16(waveform: NDArray[np.float32]) -> NDArray[np.int16]:
    return (np.clip(waveform, -1, 1) * 32767).round().astype(np.int16)


def extract_speaker_features(recording: Recording, sample_rate: int) -> tuple[Arrays, int]:
    """For the speaker encoder: the trimmed, levelled waveform. Also the rate in Hz at which it was recorded."""
    waveform, rate = _clean_waveform(recording, sample_rate, MAX_SOURCE_SECONDS)
    return {"waveform": _to_int16(waveform[: int(MAX_SECONDS * sample_rate)])}, rate


def extract_speech_features(recording: Recording, audio: AudioConfig) -> tuple[Arrays, int]:
    """For acoustic model and vocoder: waveform, mel, f0, and phonemes where there is English text; and the rate."""
    waveform, rate = _clean_waveform(recording, audio.sample_rate, MAX_SECONDS)
    waveform = waveform[: len(waveform) // audio.hop_length * audio.hop_length]
    mel = MelSpectrogram(audio)(torch.from_numpy(waveform)[None])[0].T.numpy()
    arrays: Arrays = {
        "waveform": _to_int16(waveform),
        "mel": mel,
        "f0": f0(waveform, audio.sample_rate, audio.hop_length),
    }
    if recording.text and recording.about.get("language", "en").lower().startswith("en"):
        arrays["phoneme_ids"] = np.array(symbol_ids(phonemize(normalize(recording.text)).symbols))
    return arrays, rate


def _guarded(extract: Extract, recording: Recording) -> tuple[Recording, tuple[Arrays, int] | str]:
    torch.set_num_threads(1)
    try:
        return recording, extract(recording)
    except (AudioError, TextError) as error:
        return recording, str(error)


def fill_store(store: FeatureStore, recordings: Sequence[Recording], extract: Extract, workers: int) -> dict[str, str]:
    """Add every recording that the store lacks, in several processes.

    An entry's `about` is the recording's own; sample_rate (Hz) is measured where that does not say it.

    Returns:
        Keys of the recordings that were refused, with the reason.
    """
    todo = [recording for recording in recordings if recording.key not in store.keys]
    refused: dict[str, str] = {}
    with ProcessPoolExecutor(workers) as pool:
        results = pool.map(functools.partial(_guarded, extract), todo, chunksize=8)
        for recording, found in tqdm(results, total=len(todo), desc=store.folder.name, disable=None):
            if isinstance(found, str):
                refused[recording.key] = found
            else:
                arrays, rate = found
                store.append(recording.key, {"sample_rate": str(rate)} | recording.about, arrays)
    return refused
