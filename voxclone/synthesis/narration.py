"""A book read aloud into a folder, part by part, so that memory does not grow and nothing is done twice."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxclone.audio.io import require_format
from voxclone.errors import ConfigError, TextError
from voxclone.files import read_text, remove_leftovers, replace_file, require_folder
from voxclone.json_limits import read_json
from voxclone.safety.manifest import require_signable
from voxclone.speech import Speech
from voxclone.synthesis.progress import progress_bar
from voxclone.text.book import Chapter, Part, chapters, parts
from voxclone.text.markup import Markup, is_ssml

if TYPE_CHECKING:
    from voxclone.safety.certificate import Signer

INDEX = "index.json"
FORMAT = "voxclone.narration"
FORMAT_VERSION = 1
_FILE_NAME = re.compile(r"\S{0,250}\.(?:txt|md|text|rst|html?|xml|ssml|epub|pdf|docx?)", re.IGNORECASE)
_PART_NAME = re.compile(r"[\w.-]{1,64}")
MAX_INDEX_BYTES = 50_000_000
MAX_SECONDS = 1e8
CHARS_PER_MINUTE = 900.0  # about 150 words


@dataclass(frozen=True)
class NarratedPart:
    """One file of a narration.

    Attributes:
        file: Its name in the folder.
        timestamps: The file with the times of its words, from its own start.
        chapter: Number of its chapter, from 0.
        start_seconds: From the beginning of the narration.
        duration_seconds: Of the file.
        start_char: Place in the text of what it begins with.
        words: How many it has.
        digest: Of its text and of all that its sound depends on, 64 hex digits.
    """

    file: str
    timestamps: str
    chapter: int
    start_seconds: float
    duration_seconds: float
    start_char: int
    words: int
    digest: str


@dataclass(frozen=True)
class Narration:
    """What `VoxClone.narrate` wrote.

    Attributes:
        folder: Where.
        chapters: Their titles, in order; "" for what has no heading.
        parts: The files, in order.
    """

    folder: Path
    chapters: tuple[str, ...]
    parts: tuple[NarratedPart, ...]

    @property
    def duration_seconds(self) -> float:
        return sum(part.duration_seconds for part in self.parts)

    def chapter_start_seconds(self, chapter: int) -> float:
        """When a chapter begins, from the beginning of the narration."""
        return next(part.start_seconds for part in self.parts if part.chapter == chapter)


def narrate(
    speak: Callable[[str], Speech],
    text: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    suffix: str,
    part_minutes: float,
    signer: Signer | None,
    identity: str,
    markup: Markup,
    progress: bool,
) -> Narration:
    """Write a text's speech into a folder; see `VoxClone.narrate`.

    Args:
        speak: What makes the speech of a part's text.
        text: The book, or the UTF-8 file that holds it.
        folder: Made if it is not there; what an earlier call has finished in it is kept.
        suffix: Of the audio files.
        part_minutes: Longest part, about.
        signer: Whose certificate signs the files.
        identity: Of all besides the text that the sound depends on.
        markup: Of the text; SSML cannot be cut into parts.
        progress: Show a bar.

    Raises:
        TextError, ConfigError, AudioError: As `VoxClone.narrate`, and what `speak` raises.
    """
    if not isinstance(folder, str | os.PathLike):
        raise ConfigError(f"the folder of a narration is a path; this is {type(folder).__name__}")
    target = Path(folder)
    require_format(suffix)
    if signer is not None:
        require_signable(suffix.lower())
    require_folder(target, ConfigError)
    whole = _whole(text)
    found = chapters(whole)
    if not found:
        raise TextError("there is nothing to speak in the text: give at least one word", 0)
    done = {part.digest: part for part in _read_index(target) if (target / part.file).is_file()}
    planned = [
        (number, index, part)
        for number, chapter in enumerate(found)
        for index, part in enumerate(parts(chapter, round(part_minutes * CHARS_PER_MINUTE)))
    ]
    if len(planned) > 1 and (markup == "ssml" or (markup == "auto" and is_ssml(whole))):
        raise TextError(
            f"SSML cannot be cut into the {len(planned)} parts that this book has; narrate a text with inline markup, "
            "or each chapter by itself with longer parts"
        )
    written: list[NarratedPart] = []
    seconds = 0.0
    target.mkdir(parents=True, exist_ok=True)
    for number, index, part in progress_bar(planned, "parts", progress):
        stem = _stem(number, index, found[number])
        digest = hashlib.sha256(f"{identity}\n{stem}{suffix}\n{part.text}".encode()).hexdigest()
        kept = done.get(digest)
        if kept is None:
            speech = _spoken(speak, part, whole)
            speech.save(target / f"{stem}{suffix}", signer=signer)
            _write_times(target / f"{stem}.json", speech)
            length, words = speech.duration_seconds, len(speech.words)
            del speech
            give_back_memory()
        else:
            length, words = kept.duration_seconds, kept.words
        written.append(
            NarratedPart(f"{stem}{suffix}", f"{stem}.json", number, seconds, length, part.start, words, digest)
        )
        seconds += length
        if kept is None:
            reached = {each.digest for each in written}
            _write_index(target, found, written, [each for each in done.values() if each.digest not in reached])
    _write_index(target, found, written, [])
    remove_leftovers(target)
    return Narration(target, tuple(chapter.title for chapter in found), tuple(written))


def _spoken(speak: Callable[[str], Speech], part: Part, whole: str) -> Speech:
    try:
        return speak(part.text)
    except TextError as error:
        if error.position is None:
            raise
        place = part.start + error.position
        line = whole.count("\n", 0, place) + 1
        message = re.sub(r"position \d+", f"position {place} (line {line})", str(error), count=1)
        raise TextError(f"{message}; what was finished before it is kept", place) from error


def give_back_memory() -> None:
    """Return freed memory to the system where glibc keeps it: in fragments, it would grow from part to part."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def _whole(text: str | os.PathLike[str]) -> str:
    """The book's text.

    Raises:
        TextError: It is neither a text nor a path, is a path's name, or the file cannot be read.
    """
    if isinstance(text, os.PathLike):
        return read_text(Path(text), TextError)
    if not isinstance(text, str):
        raise TextError(f"a book is a text, or the path of its file; this is {type(text).__name__}")
    if _FILE_NAME.fullmatch(text):
        raise TextError(f"{text!r} is the name of a file; to read it, give pathlib.Path({text!r})")
    return text


def _stem(number: int, index: int, chapter: Chapter) -> str:
    title = re.sub(r"[^\w]+", "-", chapter.title.lower()).strip("-")[:40]
    return f"{number:03d}-{index:02d}" + (f"-{title}" if title else "")


def _write_times(path: Path, speech: Speech) -> None:
    words = [[word.text, round(word.start_seconds, 4), round(word.end_seconds, 4)] for word in speech.words]
    replace_file(path, json.dumps({"words": words}, ensure_ascii=False).encode())


def _write_index(
    folder: Path, found: Iterable[Chapter], written: list[NarratedPart], earlier: list[NarratedPart]
) -> None:
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "chapters": [chapter.title for chapter in found],
        "duration_seconds": sum(part.duration_seconds for part in written),
        "parts": [asdict(part) for part in written],
        "earlier": [asdict(part) for part in earlier],  # finished by an earlier call, not reached yet by this one
    }
    replace_file(folder / INDEX, json.dumps(content, indent=1, ensure_ascii=False).encode())


def _read_index(folder: Path) -> list[NarratedPart]:
    path = folder / INDEX
    if not path.exists():
        return []
    try:
        content: Any = read_json(path, MAX_INDEX_BYTES)
        known = (content["format"], content["format_version"]) == (FORMAT, FORMAT_VERSION)
        found = [_known(part) for part in [*content["parts"], *content["earlier"]]] if known else []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no narration's index ({error!r}); choose another folder") from error
    if not known:
        raise ConfigError(f"{path} is no narration of this voxclone; choose another folder")
    return found


def _known(values: dict[str, Any]) -> NarratedPart:
    """A part of an index, which may be anybody's.

    Raises:
        ValueError, TypeError: It is none.
    """
    part = NarratedPart(**values)
    names, numbers = (part.file, part.timestamps, part.digest), (part.chapter, part.start_char, part.words)
    if not all(isinstance(name, str) and _PART_NAME.fullmatch(name) for name in names):
        raise ValueError("a file or a digest has a name that narrations do not give")
    if not all(isinstance(number, int) for number in numbers):
        raise ValueError("a chapter, a place or a number of words is no whole number")
    if not all(0 <= seconds <= MAX_SECONDS for seconds in (part.start_seconds, part.duration_seconds)):
        raise ValueError("a time is out of range")
    return part
