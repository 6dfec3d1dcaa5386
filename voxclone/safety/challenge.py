"""A phrase to be spoken by someone who agrees to the cloning of their voice: words that nobody could know before."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Self

from voxclone.errors import ConsentError
from voxclone.files import replace_file
from voxclone.json_limits import read_json

DRAWN = 8  # words of a phrase that are drawn: 64 bits of 256 words
LIFETIME = timedelta(minutes=10)
CLOCK_TOLERANCE = timedelta(minutes=1)
STATEMENT = "I agree that my voice is cloned."
MAX_FILE_BYTES = 10_000

_used: set[str] = set()
_used_lock = threading.Lock()


def vocabulary() -> tuple[str, ...]:
    """The 256 words that phrases draw from: common ones, mostly of two syllables."""
    return tuple(resources.files("voxclone.safety").joinpath("words.txt").read_text(encoding="utf-8").split())


@dataclass(frozen=True)
class Challenge:
    """A fresh phrase.

    Attributes:
        words: `DRAWN` words of `vocabulary`, no word twice.
        created: When it was drawn, UTC, ISO 8601.
    """

    words: tuple[str, ...]
    created: str

    def __post_init__(self) -> None:
        known = set(vocabulary())
        if (
            not isinstance(self.words, tuple)
            or len(self.words) != DRAWN
            or len(set(self.words)) != DRAWN
            or any(not isinstance(word, str) or word not in known for word in self.words)
        ):
            raise ConsentError(f"a challenge has {DRAWN} different words of voxclone's list")
        try:
            zone = datetime.fromisoformat(self.created).tzinfo
        except (TypeError, ValueError) as error:
            raise ConsentError(f"a challenge's time is {self.created!r:.80}; it must be ISO 8601") from error
        if zone is None:
            raise ConsentError("a challenge's time must carry its time zone")

    @classmethod
    def draw(cls) -> Self:
        """A new one, by the operating system's randomness."""
        words = secrets.SystemRandom().sample(vocabulary(), DRAWN)
        return cls(tuple(words), datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def phrase(self) -> str:
        """What is to be said."""
        return phrase_of(self.words)

    @property
    def sha256(self) -> str:
        """SHA-256 of the phrase and its time, 64 hex digits."""
        return hashlib.sha256(f"{self.created}\n{self.phrase}".encode()).hexdigest()

    def use(self) -> None:
        """Take it, once within a process.

        Raises:
            ConsentError: It was used before, or is not of the last ten minutes.
        """
        age = datetime.now(UTC) - datetime.fromisoformat(self.created)
        if not -CLOCK_TOLERANCE <= age <= LIFETIME:
            raise ConsentError(
                f"the challenge is of {self.created}; one holds for {LIFETIME.seconds // 60} minutes. Draw a new one "
                "and record it"
            )
        with _used_lock:
            if self.sha256 in _used:
                raise ConsentError("the challenge was used before; draw a new one and record it")
            _used.add(self.sha256)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON, for a recording that another process checks."""
        replace_file(Path(path), (json.dumps({"words": self.words, "created": self.created}) + "\n").encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            ConsentError: It is missing or no challenge.
        """
        try:
            values = read_json(path, MAX_FILE_BYTES)
            return cls(tuple(values["words"]), values["created"])
        except ConsentError:
            raise
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConsentError(f"{path} is not a challenge that `voxclone consent challenge` wrote: {error}") from error


def phrase_of(words: tuple[str, ...]) -> str:
    """The statement and the words, in two groups."""
    half = len(words) // 2
    return f"{STATEMENT} {' '.join(words[:half]).capitalize()}, {' '.join(words[half:])}."


def heard_words(transcript: str, words: tuple[str, ...]) -> float:
    """Share of the words that a transcript has, in their order: the longest common subsequence."""
    plain = "".join(char if char.isalpha() else " " for char in unicodedata.normalize("NFKC", transcript).lower())
    lengths = [0] * (len(words) + 1)
    for heard in plain.split():
        previous = 0
        for at, word in enumerate(words, start=1):
            kept = lengths[at]
            lengths[at] = previous + 1 if heard == word else max(lengths[at], lengths[at - 1])
            previous = kept
    return lengths[-1] / len(words)
