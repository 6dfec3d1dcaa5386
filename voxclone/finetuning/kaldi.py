"""Kaldi's data folder: wav.scp, and where they are there text, segments and utt2spk."""

from __future__ import annotations

import math
from pathlib import Path

from voxclone.errors import VoxcloneError
from voxclone.files import read_text
from voxclone.finetuning.clips import Clip
from voxclone.finetuning.speakers import choose_speaker


def read_kaldi(folder: Path, speaker: str | None) -> list[Clip]:
    """Utterances of one speaker; paths of wav.scp that are not absolute start from the folder.

    Raises:
        VoxcloneError: A line is damaged, an entry of wav.scp is a command (none is run) or no file, or the speaker is
            not clear.
    """
    paths = {}
    for key, value in _table(folder / "wav.scp").items():
        if value.endswith("|"):
            raise VoxcloneError(f"{folder / 'wav.scp'}: {key!r} is a command; needed are paths, commands are not run")
        paths[key] = Path(value) if Path(value).is_absolute() else folder / value
        if not paths[key].is_file():
            raise VoxcloneError(f"{folder / 'wav.scp'}: {key!r} names {value}, which is not there")
    texts = _table(folder / "text") if (folder / "text").is_file() else {}
    speakers = _table(folder / "utt2spk") if (folder / "utt2spk").is_file() else {}
    chosen = choose_speaker(speakers.values(), speaker, folder)
    if (folder / "segments").is_file():
        clips = [_segment(folder, key, value, paths, texts) for key, value in _table(folder / "segments").items()]
    else:
        clips = [Clip(key, path, texts.get(key, "")) for key, path in paths.items()]
    return [clip for clip in clips if chosen is None or speakers.get(clip.key) == chosen]


def _segment(folder: Path, key: str, value: str, paths: dict[str, Path], texts: dict[str, str]) -> Clip:
    try:
        recording, first, last = value.split()
        start, end = float(first), float(last)
        if not 0 <= start < end < math.inf:
            raise ValueError("the segment has no length")
        return Clip(key, paths[recording], texts.get(key, ""), start, end)
    except (ValueError, KeyError) as error:
        raise VoxcloneError(
            f"{folder / 'segments'}: {key!r} is {value!r}; needed are a recording of wav.scp, start and end in seconds"
        ) from error


def _table(path: Path) -> dict[str, str]:
    """A file of "key value" lines."""
    pairs = [line.split(maxsplit=1) for line in read_text(path, VoxcloneError).split("\n") if line.strip()]
    return {pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs}
