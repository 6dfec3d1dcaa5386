"""A book's text in chapters, and these in parts of some minutes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from voxclone.text.chunks import cut_after
from voxclone.text.markdown import says_something
from voxclone.text.sentences import passages

WRAPPED_CHARS = 45  # a line of so many characters or more, and a line after it, are one paragraph's
MAX_TITLE_CHARS = 80
_NUMBER = (
    r"[ivxlcdm]+|\d+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teen|the"
)
_HEADING = re.compile(
    rf"""^[^\S\n]*(?:
        \#{{1,6}}[^\S\n]+(?P<marked>\S.*?)\#*
        |(?P<named>(?:chapter|book|part|canto|act|section|letter)[^\S\n]+(?:{_NUMBER})\b.*?
        |(?:prologue|epilogue|preface|introduction|foreword|afterword|conclusion)\b.{{0,2}})
    )[^\S\n]*$""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


class Chapter(NamedTuple):
    """A chapter.

    Attributes:
        title: As its heading says; "" for what comes before the first heading.
        text: Heading and all, its lines unwrapped; as long as it was, so that places in it are places in the book.
        start: Its place in the book, characters.
    """

    title: str
    text: str
    start: int


class Part(NamedTuple):
    """Some paragraphs or sentences of a chapter, and their place in the book, characters."""

    text: str
    start: int


def chapters(text: str) -> list[Chapter]:
    """Find the chapters of a book.

    A heading is a Markdown heading ("# The storm"), or a line by itself that begins as headings do ("Chapter IV",
    "PART TWO: The sea", "Epilogue"). A text without one is one chapter. What holds nothing to speak belongs to the
    chapter before it.
    """
    headings = [match for match in _HEADING.finditer(text) if match["marked"] or _stands_alone(text, match)]
    edges = [0, *(match.start() for match in headings), len(text)]
    titles = ["", *((match["marked"] or match["named"]).strip()[:MAX_TITLE_CHARS] for match in headings)]
    found: list[Chapter] = []
    for title, start, end in zip(titles, edges[:-1], edges[1:], strict=True):
        body = unwrap(re.sub(r"^([^\S\n]*)(#+)", lambda m: m[1] + " " * len(m[2]), text[start:end], flags=re.MULTILINE))
        if says_something(body):
            found.append(Chapter(title, body, start))
    return found


def _stands_alone(text: str, heading: re.Match[str]) -> bool:
    before, after = text[: heading.start()].rstrip(" \t"), text[heading.end() :].lstrip(" \t")
    opened = not before or before.endswith(("\n\n", "\n \n"))
    return opened and (not after or after.startswith("\n\n"))


def unwrap(text: str) -> str:
    """The text with the line ends inside its paragraphs as spaces; of the same length.

    A line of `WRAPPED_CHARS` or more was wrapped; the end of a shorter one (verse, lists, headings) stays.
    """
    return re.sub(rf"(?<=[^\n]{{{WRAPPED_CHARS}}})\n(?=[^\S\n]*[^\s])", " ", text)


def parts(chapter: Chapter, max_chars: int) -> Iterator[Part]:
    """A chapter in parts of at most max_chars that end with a paragraph where one ends in their second half."""
    pieces: list[tuple[str, bool]] = []
    start, length = chapter.start, 0
    for passage in passages(chapter.text, min(max_chars, 1000)):
        if pieces and length + len(passage.text) > max_chars:
            kept = cut_after([len(text) for text, _ in pieces], [ends for _, ends in pieces])
            yield Part("".join(text for text, _ in pieces[:kept]), start)
            start += sum(len(text) for text, _ in pieces[:kept])
            pieces = pieces[kept:]
            length = sum(len(text) for text, _ in pieces)
        pieces.append((passage.text, passage.end == "paragraph"))
        length += len(passage.text)
    if pieces:
        yield Part("".join(text for text, _ in pieces), start)
