"""Spoken-form text to words, and the prosody marks between them."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from voxclone.errors import TextError
from voxclone.text.letters import is_letter

_TOKEN = re.compile(r"(?P<word>[^\W_]+(?:['’][^\W_]+)*['’]?)|(?P<mark>[.,?!;:])|(?P<skip>[\s\-'\"‘’“”()\[\]*_–—…]+)")


class Token(NamedTuple):
    """A word of a text.

    Attributes:
        word: With straight apostrophes.
        mark: The strongest of the prosody marks , ; : . ! ? that follow it; "" for none.
        position: Of its first character in the text.
    """

    word: str
    mark: str
    position: int


def is_word(text: str) -> bool:
    """Whether a text is one word, and nothing else."""
    token = _TOKEN.fullmatch(text)
    return token is not None and bool(token["word"])


def tokenize(text: str) -> list[Token]:
    """The words of a text, at least one.

    Raises:
        TextError: There is no word, or a character that cannot be spoken: with its position.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        word = (match["word"] or "") if match else ""
        strange = None if match is None else next((i for i, c in enumerate(word) if not is_letter(c)), None)
        if match is None or strange is not None:
            at = position + (strange or 0)
            name = unicodedata.name(text[at], "unnamed character")
            remedy = "remove it or spell it out" + " in Latin letters; only English is spoken" * text[at].isalpha()
            raise TextError(f"cannot speak {text[at]!r} ({name}) at position {at}: {remedy}", at)
        if word:
            tokens.append(Token(word.replace("’", "'"), "", position))
        elif match["mark"] and tokens:
            strongest = max(tokens[-1].mark, match["mark"], key=lambda mark: ("", *",;:.!?").index(mark))
            tokens[-1] = tokens[-1]._replace(mark=strongest)
        position = match.end()
    if not tokens:
        what = "the text is empty" if not text.strip() else f"there is nothing to speak in {text[:40]!r}"
        raise TextError(f"{what}: give at least one word", 0)
    return tokens
