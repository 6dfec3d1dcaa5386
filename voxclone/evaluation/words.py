"""Counting word and character errors."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, NamedTuple

from voxclone.evaluation.judges.opening import library
from voxclone.text.normalize import normalize

TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor"}  # as recognisers write them, without a stop


class Errors(NamedTuple):
    """Edit operations between what was to be said and what was heard, and the length of the former."""

    word_errors: int
    words: int
    char_errors: int
    chars: int


def comparable(text: str) -> str:
    """A text as it is compared: numbers and signs spoken, lower case, no punctuation but apostrophes within words."""
    spoken = unicodedata.normalize("NFKC", normalize(text)).lower().replace("’", "'")
    spoken = re.sub(r"[-–—/]", " ", spoken)
    kept = "".join(char if char.isalnum() or char == "'" or unicodedata.combining(char) else " " for char in spoken)
    words = (word.strip("'") for word in kept.split())
    return " ".join(TITLES.get(word, word) for word in words if word)


def counting() -> Any:
    """jiwer, which counts.

    Raises:
        Absent: It is not installed.
    """
    return library("jiwer", "'voxclone[evaluate]'")


def count_errors(text: str, heard: str) -> Errors:
    """Compare a text with a transcript of it; both are made `comparable` first.

    Raises:
        Absent: jiwer is not installed.
    """
    jiwer = counting()
    wanted, got = comparable(text), comparable(heard)
    words = jiwer.process_words(wanted, got)
    chars = jiwer.process_characters(wanted, got)
    return Errors(
        words.substitutions + words.deletions + words.insertions,
        len(wanted.split()),
        chars.substitutions + chars.deletions + chars.insertions,
        len(wanted),
    )
