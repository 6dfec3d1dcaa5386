"""Written text in paragraphs, sentences, and passages of a few sentences, before it is normalised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

from voxclone.text.chunks import join_parts

PassageEnd = Literal["clause", "sentence", "paragraph"]

_PARAGRAPH = re.compile(r".+?(?:\n[^\S\n]*(?=\n)\s*|\Z)", re.DOTALL)


class Passage(NamedTuple):
    """A part of a text.

    Attributes:
        text: As it is written, with the white space that follows.
        start: Its place in the text, characters.
        end: What its last character ends.
    """

    text: str
    start: int
    end: PassageEnd


def passages(text: str, max_chars: int) -> Iterator[Passage]:
    """Sentences of a text, short ones together, none across paragraphs; lazily, and the same however long the text.

    Args:
        text: Of any length.
        max_chars: Longest passage in characters; only a sentence that is longer by itself exceeds it.

    Yields:
        Passages that concatenate to the text and that each have a letter or digit, where the text has one.
    """
    start = 0
    for paragraph in join_parts((match[0] for match in _PARAGRAPH.finditer(text)), 0):
        parts = list(join_parts(sentences(paragraph) if len(paragraph) > max_chars else [paragraph], max_chars))
        for index, part in enumerate(parts):
            yield Passage(part, start, "paragraph" if index == len(parts) - 1 else "sentence")
            start += len(part)


def sentences(text: str) -> list[str]:
    """Sentences by pySBD's rules for English (arXiv:2010.09657): abbreviations and quotations end none.

    Returns:
        Parts that concatenate to the text; [] for "".
    """
    from pysbd import Segmenter  # its tables take a tenth of a second to load

    starts: list[int] = []
    end = 0
    for segment in Segmenter(language="en", clean=False).segment(text):
        found = text.find(segment.strip(), end)
        if found < 0:  # it rewrote something: what is left stays with the sentence before
            break
        starts.append(found)
        end = found + len(segment.strip())
    if not starts:
        return [text] if text else []
    edges = [0, *starts[1:], len(text)]
    return [text[low:high] for low, high in pairwise(edges)]
