"""Long text in pieces that one pass of the acoustic model can speak."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from voxclone.text.markdown import says_something

_WORD = re.compile(r"\S+\s*|\s+")
_CLOSERS = "\"')]}\u201d\u2019\u00bb"


def split_sentences(text: str, max_chars: int) -> list[str]:
    """Split at sentence ends (. ? ! ; before white space, and line ends), joining short sentences.

    A sentence longer than max_chars is cut after a comma or colon of its second half, else between words, and a word
    longer than that is cut anywhere. A piece with no letter or digit stays with its neighbour. Linear in the length.

    Args:
        text: Normalised text, so that no full stop is an abbreviation's or a number's.
        max_chars: Longest piece in characters, positive; unspoken symbols may exceed it.

    Returns:
        Pieces that concatenate to the text; [] for "".
    """
    return list(join_parts(_sentence_parts(text, max_chars), max_chars))


def join_parts(parts: Iterable[str], max_chars: int) -> Iterator[str]:
    """Join short parts of a text to pieces of at most max_chars; a part with no letter or digit stays with another."""
    current: list[str] = []
    length = 0
    spoken = False
    for part in parts:
        part_spoken = says_something(part)
        if spoken and part_spoken and length + len(part.rstrip()) > max_chars:
            yield "".join(current)
            current, length, spoken = [], 0, False
        current.append(part)
        length += len(part)
        spoken |= part_spoken
    if current:
        yield "".join(current)


def _sentence_parts(text: str, max_chars: int) -> Iterator[str]:
    """Sentences, those that are too long in several parts."""
    words: list[str] = []
    length = 0
    for match in _WORD.finditer(text):
        for start in range(match.start(), match.end(), max_chars):
            word = text[start : min(start + max_chars, match.end())]
            while words and length + len(word.rstrip()) > max_chars:
                ends = [each.rstrip().endswith((",", ":")) for each in words]
                cut = cut_after([*map(len, words)], ends)
                yield "".join(words[:cut])
                words = words[cut:]
                length = sum(map(len, words))
            words.append(word)
            length += len(word)
        if "\n" in match[0] or match[0].rstrip().rstrip(_CLOSERS).endswith((".", "?", "!", ";")):
            yield "".join(words)
            words, length = [], 0
    if words:
        yield "".join(words)


def cut_after(lengths: Sequence[int], ends: Sequence[bool]) -> int:
    """How many parts to keep together of those that are too long together: the last good end in the second half.

    Args:
        lengths: Of the parts, in characters.
        ends: Whether a cut after each is a good one.

    Returns:
        All of them where no good end lies in the second half.
    """
    total = kept = sum(lengths)
    for index in range(len(lengths), 0, -1):
        if 2 * kept < total:
            break
        if ends[index - 1]:
            return index
        kept -= lengths[index - 1]
    return len(lengths)
