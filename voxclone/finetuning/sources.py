"""Finding the recordings: a folder of audio, LJSpeech's, Kaldi's or Hugging Face's layout, or audio with subtitles."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from voxclone.audio.io import AUDIO_SUFFIXES, audio_files
from voxclone.errors import VoxcloneError
from voxclone.files import read_text
from voxclone.finetuning.beside import Beside
from voxclone.finetuning.clips import Clip, require_within
from voxclone.finetuning.dataset_folder import is_dataset_folder, read_dataset_folder
from voxclone.finetuning.kaldi import read_kaldi

LJSPEECH_SUFFIXES = (".wav", ".flac", *sorted(AUDIO_SUFFIXES - {".wav", ".flac"}))
TABLE_SUFFIXES = (".csv", ".jsonl", ".scp", ".parquet", ".arrow")
HEADER_WORDS = frozenset(
    "id file file_name filename name path audio wav text transcript transcription sentence".split()
)


def read_sources(source: Path, speaker: str | None = None) -> tuple[str, list[Clip]]:
    """The clips of one speaker.

    Args:
        source: An audio file, or a folder or its table: of Kaldi (`wav.scp`), a Hugging Face dataset (Parquet, Arrow,
            or `metadata.csv` or `.jsonl` with a `file_name` column), LJSpeech (`metadata.csv` of `id|text|text` lines),
            or simply with audio anywhere below it, each with its text beside it (.txt, .lab, or a line of LibriSpeech's
            .trans.txt), subtitles (.srt, .vtt), or neither.
        speaker: Which one, where the layout names speakers and there are several.

    Returns:
        What layout it is, and the clips in order.

    Raises:
        VoxcloneError: There is no audio, a table is damaged or names a file that is not there, or it is not clear which
            speaker is meant, or the layout names none.
    """
    if not source.exists():
        raise VoxcloneError(f"there is no folder or audio file {str(source)!r}")
    if source.is_file():
        if source.suffix.lower() in AUDIO_SUFFIXES:
            _refuse_speaker(speaker, "an audio file", source)
            return "audio file", Beside(source.parent).clips(source, source.name)
        if source.suffix.lower() not in TABLE_SUFFIXES:
            raise VoxcloneError(
                f"{source} is neither audio by its name ({' '.join(sorted(AUDIO_SUFFIXES))}) nor a table of recordings "
                f"({' '.join(TABLE_SUFFIXES)}); convert it to wav first"
            )
        source = source.parent
    layouts: list[tuple[str, bool, Callable[[], list[Clip]]]] = [
        ("Kaldi", (source / "wav.scp").is_file(), lambda: read_kaldi(source, speaker)),
        ("Hugging Face dataset", is_dataset_folder(source), lambda: read_dataset_folder(source, speaker)),
        ("LJSpeech", (source / "metadata.csv").is_file(), lambda: _read_ljspeech(source, speaker)),
        ("folder of audio", True, lambda: _read_folder(source, speaker)),
    ]
    try:
        layout, clips = next((name, read()) for name, found, read in layouts if found)
    except VoxcloneError:
        raise
    except (OSError, ValueError, csv.Error) as error:  # of a path, an encoding, JSON, or a table
        raise VoxcloneError(f"a table in {source} cannot be read: {error}") from error
    if not clips:
        raise VoxcloneError(f"{source} holds no audio ({' '.join(sorted(AUDIO_SUFFIXES))})")
    return layout, clips


def _refuse_speaker(speaker: str | None, layout: str, source: Path) -> None:
    """Refuse the choice of a speaker where nothing tells speakers apart."""
    if speaker is not None:
        own = source / speaker
        give = f"give {own} instead" if own.is_dir() else "give that speaker's recordings alone"
        raise VoxcloneError(f"{source} is {layout}, which names no speakers, so that none can be chosen: {give}")


def _read_folder(folder: Path, speaker: str | None) -> list[Clip]:
    _refuse_speaker(speaker, "a folder of audio", folder)
    beside: dict[Path, Beside] = {}  # by folder
    clips: list[Clip] = []
    for path in audio_files(folder):
        if path.parent not in beside:
            beside[path.parent] = Beside(path.parent)
        clips += beside[path.parent].clips(path, path.relative_to(folder).as_posix())
    return clips


def _read_ljspeech(folder: Path, speaker: str | None) -> list[Clip]:
    """`metadata.csv`: "id|text" or "id|text|text with numbers written out", without quotes; a header is skipped."""
    _refuse_speaker(speaker, "of LJ Speech's layout", folder)
    table = folder / "metadata.csv"
    lines = read_text(table, VoxcloneError).split("\n")
    rows = [row for row in csv.reader(lines, delimiter="|", quoting=csv.QUOTE_NONE) if row]
    clips = []
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise VoxcloneError(
                f"{table}, line {number}: needed is 'id|text', found {'|'.join(row)[:60]!r}; a table with commas needs "
                "the columns file_name and text in its first line"
            )
        name = row[0].strip()
        if number == 1 and len(rows) > 1 and {name.lower(), row[1].strip().lower()} <= HEADER_WORDS:
            continue
        within = require_within(name, f"{table}, line {number}")
        places = [folder / within, folder / "wavs" / within]
        places += [place.with_name(f"{place.name}{suffix}") for place in places for suffix in LJSPEECH_SUFFIXES]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise VoxcloneError(f"{table}, line {number}: there is no audio for {name!r} in {folder / 'wavs'}")
        clips.append(Clip(name, path, (row[2] if len(row) > 2 and row[2].strip() else row[1]).strip()))
    return clips
