"""Public corpora as manifests: which recordings there are, whose they are, and what is said."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from voxclone.errors import VoxcloneError
from voxclone.files import read_text

COLUMNS = ("path", "speaker", "text", "corpus", "language", "split")
# Of Hugging Face datasets, the first that is there.
TEXT_COLUMNS = ("text_normalized", "normalized_text", "text", "transcription", "transcript", "sentence")
SPEAKER_COLUMNS = ("speaker_id", "speaker", "client_id")
VALID_SHARE = 0.02  # of the speakers, at least one where there are several

Row = dict[str, str]


def write_manifest(rows: Iterable[Row], corpus: str, folder: Path, language: str = "en") -> Path:
    """Write `manifest.tsv` as recipes/prepare reads it; whole speakers go to "valid", the same ones every time.

    Args:
        rows: path (relative to `folder`), speaker (distinct within the corpus) and text.
        corpus: Its name, which also goes before the speakers' names.
        folder: Where the manifest goes.
        language: Of all that has no `language` itself.

    Recordings that are not there are left out, with a warning.

    Raises:
        VoxcloneError: There is no recording.
    """
    named = [{"corpus": corpus, "language": language, **row} for row in rows]
    if not named:
        raise VoxcloneError(f"{folder} holds no recording of the layout of {corpus}")
    found = [row for row in named if (folder / row["path"]).is_file()]
    if len(found) < len(named):
        lost = next(row["path"] for row in named if not (folder / row["path"]).is_file())
        told = f"{len(named) - len(found)} of {len(named)} recordings are not there, such as {folder / lost}"
        if not found:
            raise VoxcloneError(f"{told}; unpack the whole archive of {corpus} into {folder}")
        warnings.warn(f"{told}; they are left out of the manifest", stacklevel=1)
    speakers = sorted({row["speaker"] for row in found}, key=lambda name: hashlib.sha256(name.encode()).digest())
    count = max(1, round(VALID_SHARE * len(speakers))) if len(speakers) > 1 else 0
    valid = set(speakers[:count])
    path = folder / "manifest.tsv"
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write("\t".join(COLUMNS) + "\n")
        for row in found:
            row |= {
                "speaker": f"{corpus}-{row['speaker']}",
                "split": "valid" if row["speaker"] in valid else "train",
                "text": " ".join(row["text"].split()),
            }
            file.write("\t".join(row[name] for name in COLUMNS) + "\n")
    os.replace(partial, path)
    return path


def libritts(folder: Path) -> Iterator[Row]:
    """`<part>/<speaker>/<chapter>/<id>.wav` with `<id>.normalized.txt` beside it (arXiv:1904.02882)."""
    ending = ".normalized.txt"
    for text in _below(folder, f"*{ending}"):
        path = text.with_name(text.name.removesuffix(ending) + ".wav")
        yield _row(folder, path, path.parent.parent.name, read_text(text, VoxcloneError))


def vctk(folder: Path) -> Iterator[Row]:
    """`wav48_silence_trimmed/<speaker>/<id>_mic1.flac` and `txt/<speaker>/<id>.txt`, version 0.92."""
    root = _folder_with(folder, "wav48_silence_trimmed")
    for text in _below(root / "txt", "*/*.txt"):  # speaker p315 has none
        speaker = text.parent.name
        path = root / "wav48_silence_trimmed" / speaker / f"{text.stem}_mic1.flac"
        yield _row(folder, path, speaker, read_text(text, VoxcloneError))


def ljspeech(folder: Path) -> Iterator[Row]:
    """`metadata.csv`, lines of "id|text|text with numbers written out", and `wavs/<id>.wav`."""
    root = _folder_with(folder, "metadata.csv")
    for name, *texts in _rows(root / "metadata.csv", "|"):
        if texts:
            yield _row(folder, root / "wavs" / f"{name}.wav", "ljspeech", texts[-1] or texts[0])


def common_voice(folder: Path) -> Iterator[Row]:
    """`validated.tsv` with client_id, path and sentence, and `clips/`; an archive holds one language."""
    root = _folder_with(folder, "validated.tsv")
    lines = _rows(root / "validated.tsv", "\t")
    header = next(lines, [])
    if missing := {"client_id", "path", "sentence"} - set(header):
        raise VoxcloneError(f"{root / 'validated.tsv'} has no column {', '.join(sorted(missing))}")
    for line in lines:
        row = dict(zip(header, line, strict=False))
        speaker, language = row["client_id"][:16], row.get("locale") or root.name
        yield _row(folder, root / "clips" / row["path"], speaker, row["sentence"]) | {"language": language}


def _rows(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The lines of a table without quotes that hold something."""
    lines = io.StringIO(read_text(path, VoxcloneError), newline="")
    return (row for row in csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE) if row)


def dataset(folder: Path) -> Iterator[Row]:
    """A Hugging Face dataset's Parquet files, whose recordings are written to `audio/`.

    Raises:
        VoxcloneError: There is no such file, one is damaged or has no column of audio, or a row has no bytes in it.
    """
    number = 0
    paths = _below(folder, "*.parquet")
    if not paths:
        raise VoxcloneError(
            f"{folder} holds no *.parquet; a dataset that keeps its recordings in another form cannot be read"
        )
    for path in paths:
        for row in _table(path):
            yield _stored(folder, number, row, path)
            number += 1


def _table(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file that has a column of audio."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
        names = table.schema_arrow.names
        if "audio" not in names:
            raise VoxcloneError(f"{path} has no column 'audio'; it has {', '.join(names)}")
        for batch in table.iter_batches(64):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise VoxcloneError(f"{path} cannot be read as Parquet: {error}; if it is damaged, fetch it again") from error


def _stored(folder: Path, number: int, row: dict[str, Any], source: Path) -> Row:
    audio = row["audio"]
    if not isinstance(audio, dict) or not audio.get("bytes"):
        raise VoxcloneError(
            f"{source}, row {number}: its audio has no bytes; this dataset keeps its recordings elsewhere"
        )
    suffix = Path(audio.get("path") or "").suffix or ".wav"
    path = folder / "audio" / f"{number:08d}{suffix}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(audio["bytes"])
    text = next((str(row[name]) for name in TEXT_COLUMNS if row.get(name)), "")
    speaker = next((row[name] for name in SPEAKER_COLUMNS if row.get(name) not in (None, "")), "one")
    return _row(folder, path, str(speaker), text)


LAYOUTS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "libritts": libritts, "vctk": vctk, "ljspeech": ljspeech, "common_voice": common_voice, "dataset": dataset,
}  # fmt: skip


def _row(folder: Path, path: Path, speaker: str, text: str) -> Row:
    return {"path": path.relative_to(folder).as_posix(), "speaker": speaker, "text": text}


def _below(folder: Path, pattern: str) -> list[Path]:
    """What a pattern fits at any depth, sorted, without what is hidden: half-unpacked archives, a Mac's "._" files."""
    found = (path for path in folder.rglob(pattern))
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _folder_with(folder: Path, name: str) -> Path:
    """The folder itself or one below it that holds `name`: archives differ in how deep they begin."""
    found = min(_below(folder, name), key=lambda path: len(path.parts), default=None)
    if found is None:
        raise VoxcloneError(f"{folder} holds no {name}: give the folder that the archive was unpacked into")
    return found.parent
