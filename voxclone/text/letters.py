"""Which letters a word may have, and the nearest that espeak-ng's English knows to each."""

from __future__ import annotations

import unicodedata

# The letters beyond ASCII that espeak-ng's English knows; it reads others out as hexadecimal numbers, or not at all.
_ACCENTED = frozenset(map(chr, range(0xC0, 0x180))) - set("×÷ıŉſ")


def is_letter(character: str) -> bool:
    """Whether a word may have it: apostrophes, digits 0-9, and letters that `plain` makes known ones of."""
    if character in "'’":
        return True
    known = plain(character)
    return known.isalnum() and all(c.isascii() or c in _ACCENTED for c in known)


def plain(text: str) -> str:
    """The text with letters that espeak-ng does not know as the nearest that it does: "Nguyễn" as "Nguyen"."""
    return "".join(c if c in _ACCENTED else _unaccented(c) for c in text)


def _unaccented(character: str) -> str:
    if not character.isalpha():
        return character
    parts = unicodedata.normalize("NFKD", character)
    return {"ı": "i", "ə": "e", "Ə": "E"}.get(character) or "".join(c for c in parts if not unicodedata.combining(c))
