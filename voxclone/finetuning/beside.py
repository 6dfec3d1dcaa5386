"""What is said in a recording, by the files beside it: its text, or its subtitles."""

from __future__ import annotations

from pathlib import Path

from voxclone.errors import VoxcloneError
from voxclone.files import TEXT_SUFFIXES, read_text
from voxclone.finetuning.clips import Clip
from voxclone.finetuning.subtitles import SUBTITLE_SUFFIXES, subtitle_clips

LIST_SUFFIX = ".trans.txt"  # LibriSpeech's: a line for each recording of the folder


class Beside:
    """The files of a folder, by their names in small letters: A.TXT is beside a.wav.

    Raises:
        VoxcloneError: A list of texts is not UTF-8.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {path.name.lower(): path for path in sorted(folder.iterdir())}
        lists = (path for name, path in self._files.items() if name.endswith(LIST_SUFFIX) and path.is_file())
        lines = (line for path in lists for line in read_text(path, VoxcloneError).split("\n"))
        pairs = (line.split(maxsplit=1) for line in lines)
        self._listed = {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}

    def clips(self, path: Path, key: str) -> list[Clip]:
        """A recording's clips: by its subtitles if there are some, else the whole with its text, "" where it has none.

        Raises:
            VoxcloneError: The text is not UTF-8, or the subtitles hold no words.
        """
        if (subtitles := self._of(path, SUBTITLE_SUFFIXES)) is not None:
            return subtitle_clips(subtitles, path, key)
        text = self._of(path, TEXT_SUFFIXES)
        said = self._listed.get(path.stem, "") if text is None else read_text(text, VoxcloneError)
        return [Clip(key, path, " ".join(said.split()))]

    def _of(self, path: Path, suffixes: tuple[str, ...]) -> Path | None:
        """a.txt or a.wav.txt of a.wav."""
        names = [stem + suffix for suffix in suffixes for stem in (path.stem.lower(), path.name.lower())]
        return next((self._files[name] for name in names if name in self._files and self._files[name].is_file()), None)
