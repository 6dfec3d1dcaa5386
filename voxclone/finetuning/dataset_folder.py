"""A Hugging Face dataset on disk: Parquet or Arrow files with an audio column, or an audio folder with metadata."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voxclone.errors import VoxcloneError
from voxclone.finetuning.clips import Clip, require_within
from voxclone.finetuning.speakers import choose_speaker
from voxclone.json_limits import parse_json
from voxclone.training.corpora import SPEAKER_COLUMNS, TEXT_COLUMNS

METADATA = ("metadata.csv", "metadata.jsonl")


def is_dataset_folder(folder: Path) -> bool:
    """Whether it is one: `metadata.csv` alone is LJSpeech's too, and tells by its header."""
    if next(folder.rglob("*.parquet"), None) or next(folder.rglob("*.arrow"), None):
        return True
    return any((folder / name).is_file() and "file_name" in _first_line(folder / name) for name in METADATA)


def read_dataset_folder(folder: Path, speaker: str | None) -> list[Clip]:
    """Recordings of one speaker.

    Raises:
        VoxcloneError: There is no audio column, a file that is named is not there, the speaker is not clear, or pyarrow
            is not installed and needed.
    """
    rows = list(_metadata_rows(folder)) or list(_table_rows(folder))
    if not rows:
        raise VoxcloneError(f"{folder} holds no row")
    names = [_first(row, SPEAKER_COLUMNS) for row in rows]
    chosen = choose_speaker(names, speaker, folder)
    clips = []
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        audio, key = row["audio"], f"{number:06d}"
        if isinstance(audio, Path):
            key = f"{key}-{audio.name}"
            if not audio.is_file():
                raise VoxcloneError(f"{folder}, row {number}: there is no file {audio}")
        if chosen is None or name == chosen:
            clips.append(Clip(key, audio, _first(row, TEXT_COLUMNS)))
    return clips


def _metadata_rows(folder: Path) -> Iterator[dict[str, Any]]:
    for name in METADATA:
        path = folder / name
        if path.is_file() and "file_name" in _first_line(path):
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file) if path.suffix == ".csv" else map(parse_json, filter(str.strip, file))
                for row in rows:
                    if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
                        raise VoxcloneError(f"{path}: a row does not name its audio as file_name")
                    yield row | {"audio": folder / require_within(row["file_name"], str(path))}
            return


def _table_rows(folder: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise VoxcloneError(
            f"{folder} holds Parquet or Arrow files, which pyarrow reads: pip install 'voxclone[finetune]'"
        ) from error
    for path in sorted([*folder.rglob("*.parquet"), *folder.rglob("*.arrow")]):
        try:
            if path.suffix == ".parquet":
                table = pyarrow.parquet.read_table(path)
            else:
                with pyarrow.memory_map(str(path)) as file, pyarrow.ipc.open_stream(file) as stream:
                    table = stream.read_all()
        except (pyarrow.ArrowException, OSError) as error:
            raise VoxcloneError(f"{path} cannot be read: {error}") from error
        if "audio" not in table.column_names:
            raise VoxcloneError(f"{path} has no column 'audio'; it has {', '.join(table.column_names)}")
        wanted = [name for name in table.column_names if name in ("audio", *TEXT_COLUMNS, *SPEAKER_COLUMNS)]
        for row in table.select(wanted).to_pylist():
            yield row | {"audio": _audio(row["audio"], path)}


def _audio(value: Any, path: Path) -> Path | bytes:
    """Of the struct that `datasets` stores: the file's bytes where it has them, else the path."""
    if isinstance(value, dict) and value.get("bytes"):
        return bytes(value["bytes"])
    named = value.get("path") if isinstance(value, dict) else value
    if not isinstance(named, str):
        raise VoxcloneError(f"{path}: a row's audio has neither bytes nor a path")
    return path.parent / require_within(named, str(path))


def _first(row: dict[str, Any], columns: tuple[str, ...]) -> str:
    return next((str(row[name]).strip() for name in columns if row.get(name) not in (None, "")), "")


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline()
