"""Text that arrives in pieces, as from a language model, in passages that can be spoken before the rest is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from voxclone.text.markup import Markup, is_ssml, may_be_ssml, parse_inline, unfinished
from voxclone.text.script import Script
from voxclone.text.sentences import Passage, PassageEnd, passages, sentences
from voxclone.text.ssml import parse_ssml

MIN_CLAUSE_CHARS = 25  # a shorter clause waits for what follows
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_WORD = re.compile(r"[^\s.,?!;:]+")  # normalisation drops a mark at the very end
_WHOLE_WORDS = re.compile(r".*\s", re.DOTALL)
_SENTENCE_MARK = re.compile(r"[.?!…][^\w\s]*\s|\n")
_CLAUSE_END = re.compile(r"[,;:—–][^\w\s]*\s+|\s[—–-]+\s+")


class Arrived(NamedTuple):
    """A passage that can be spoken.

    Attributes:
        text: As it was given, markup and all.
        start: Its place in the whole text, characters.
        end: What its last character ends; None where its script has several passages, as an SSML document's.
        followed: Whether it is known that something to speak follows.
    """

    text: str
    start: int
    end: PassageEnd | None
    followed: bool


class ArrivingText:
    """Takes text as it comes and gives passages as soon as they can be told.

    A passage ends with a sentence, or, where the sentence's end is not there yet, with a clause. The word after it must
    be there whole, and change neither the sentence ("Dr. Lee") nor how numbers are read ("May 1, 2024"). A piece of
    inline markup is in one passage; what may yet become one counts as not there. SSML is one passage, told at its end.

    Args:
        max_chars: A sentence longer than this is cut between words.
        normalize: The reading of numbers and the like, which no cut may change.
        markup: As for `voxclone.text.markup.parse`.
    """

    def __init__(self, max_chars: int, normalize: Callable[[str], str], markup: Markup) -> None:
        self._max_chars, self._normalize, self._markup = max_chars, normalize, markup
        self._form: Markup | None = None if markup == "auto" else markup  # not known yet
        self._text = ""
        self._start = 0

    def add(self, text: str) -> Iterator[Arrived]:
        """The passages that are whole now that this text has come.

        Raises:
            TextError: The markup is wrong: what, and where.
        """
        self._text += text
        if self._form is None and not may_be_ssml(self._text):
            self._form = "inline"
        while self._form in ("plain", "inline") and (found := self._next()) is not None:
            yield found

    def finish(self) -> Iterator[Arrived]:
        """What is left, as no more text comes; after something spoken, a rest that cannot be spoken is dropped.

        Raises:
            TextError: The markup is wrong: what, and where.
        """
        rest, start = self._text, self._start
        if self._form is None:
            self._form = "ssml" if is_ssml(rest) else "inline"
        self._text, self._start = "", start + len(rest)
        if self._form == "ssml":
            yield Arrived(rest, start, None, False)
            return
        spoken = self._read(rest, start).text
        if start and not _spoken(spoken):
            return
        done = 0
        for passage in passages(spoken, self._max_chars) if spoken else [Passage("", 0, "paragraph")]:
            cut = self._cut(rest, passage.start + len(passage.text))
            if cut is not None:
                yield Arrived(rest[done:cut], start + done, passage.end, cut < len(rest))
                done = cut

    def script(self, arrived: Arrived) -> Script:
        """A passage without its markup, and with its instructions.

        Raises:
            TextError: The markup is wrong: what, and where.
        """
        return parse_ssml(arrived.text) if self._form == "ssml" else self._read(arrived.text, arrived.start)

    def _read(self, text: str, start: int) -> Script:
        if self._form == "plain":
            return Script(text, range(start, start + len(text) + 1))
        return parse_inline(text, self._markup == "inline", start)

    def _cut(self, text: str, end: int) -> int | None:
        """Where to cut a text behind `end` characters of what it says; None within a piece of markup."""
        if self._form == "plain":
            return end
        script = parse_inline(text, strict=False)
        if end == len(script.text):
            return len(text)
        cut = script.sources[end - 1] + 1 if end else 0
        apart = parse_inline(text[:cut], strict=False).text, parse_inline(text[cut:], strict=False).text
        return cut if apart == (script.text[:end], script.text[end:]) else None

    def _next(self) -> Arrived | None:
        there = self._text if self._form == "plain" else self._text[: unfinished(self._text)]
        text = self._read(there, self._start).text

        def taken(ends: Iterator[int], end: PassageEnd) -> Arrived | None:
            return next((self._take(cut, end) for at in ends if (cut := self._cut(there, at))), None)

        for match in _PARAGRAPH_END.finditer(text):
            if _spoken(text[: match.end()]):
                found = taken(_sentence_ends(text[: match.start()]), "sentence")
                if found := found or taken(iter([match.end()]), "paragraph"):
                    return found
        whole = _WHOLE_WORDS.match(text)
        if whole is None:
            return None
        if _SENTENCE_MARK.search(whole[0].rstrip()) and (found := taken(_sentence_ends(whole[0]), "sentence")):
            return found
        return taken(self._clause_ends(whole[0]), "clause")

    def _clause_ends(self, whole: str) -> Iterator[int]:
        """Where clauses of some whole words end, the last first; of too many words, where they may be cut."""
        for match in reversed(list(_CLAUSE_END.finditer(whole))):
            if match.end() >= MIN_CLAUSE_CHARS and self._may_cut(whole, match.end()):
                yield match.end()
        if len(whole) <= self._max_chars:
            return
        spaces = [match.end() for match in re.finditer(r"\s+", whole[: self._max_chars])]
        yield from (end for end in reversed(spaces) if self._may_cut(whole, end))
        yield self._max_chars

    def _may_cut(self, whole: str, end: int) -> bool:
        before, after = whole[:end], whole[end:]
        if not (_spoken(before) and _spoken(after)):
            return False
        apart = _WORD.findall(self._normalize(before)) + _WORD.findall(self._normalize(after))
        return apart == _WORD.findall(self._normalize(whole))

    def _take(self, length: int, end: PassageEnd) -> Arrived:
        passage = Arrived(self._text[:length], self._start, end, end != "paragraph")
        self._text = self._text[length:]
        self._start += length
        return passage


def _sentence_ends(text: str) -> Iterator[int]:
    """Where the sentences end that another follows."""
    end = 0
    for sentence in sentences(text)[:-1]:
        end += len(sentence)
        if _spoken(text[:end]) and _spoken(text[end:]):
            yield end


def _spoken(text: str) -> bool:
    return any(map(str.isalnum, text))
