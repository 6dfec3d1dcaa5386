"""Text that arrives in pieces, as from a language model, in passages that can be spoken before the rest is there."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import NamedTuple

from voxclone.text.markdown import says_something
from voxclone.text.markup import (
    Markup,
    inline_pieces,
    is_ssml,
    may_be_ssml,
    parse_inline,
    require_markup,
    unfinished,
    whole_characters,
)
from voxclone.text.script import Script
from voxclone.text.sentences import Passage, PassageEnd, passages, sentences
from voxclone.text.ssml import parse_ssml

MIN_CLAUSE_CHARS = 25  # a shorter clause waits for what follows
LOOKED_AT_CHARS = 1000  # of a longer piece at a time, so that time is linear in its length
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
        require_markup(markup)
        self._max_chars, self._normalize, self._markup = max_chars, normalize, markup
        self._form: Markup | None = None if markup == "auto" else markup  # not known yet
        self._text = ""
        self._document: list[str] = []  # what came of SSML since
        self._start = 0
        self._tried = ""  # whole words in which nothing could be told

    def add(self, text: str) -> Iterator[Arrived]:
        """The passages that are whole now that this text has come.

        Raises:
            TextError: The markup is wrong: what, and where.
        """
        text = whole_characters(text)
        if self._form == "ssml":
            self._document.append(text)
            return
        for at in range(0, len(text), LOOKED_AT_CHARS):
            self._text += text[at : at + LOOKED_AT_CHARS]
            if self._form is None and not may_be_ssml(self._text):
                self._form = "inline"
            if self._form is None and is_ssml(self._text):
                self._form = "ssml"
                self._document.append(text[at + LOOKED_AT_CHARS :])
                return
            more = at + LOOKED_AT_CHARS < len(text)
            while self._form is not None and (found := self._next(more)) is not None:
                yield found

    def finish(self) -> Iterator[Arrived]:
        """What is left, as no more text comes; after something spoken, a rest that cannot be spoken is dropped.

        Raises:
            TextError: The markup is wrong: what, and where.
        """
        rest, start = self._text + "".join(self._document), self._start
        if self._form is None:
            self._form = "inline"
        self._text, self._document, self._start = "", [], start + len(rest)
        if self._form == "ssml":
            yield Arrived(rest, start, None, False)
            return
        spoken = self._read(rest, start).text
        if start and not says_something(spoken):
            return
        done = 0
        cutter = self._cutter(rest)
        for passage in passages(spoken, self._max_chars) if spoken else [Passage("", 0, "paragraph")]:
            cut = cutter(passage.start + len(passage.text))
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

    def _cutter(self, text: str) -> Callable[[int], int | None]:
        """Tells where to cut a text behind so many characters of what it says; None within a piece of markup."""
        if self._form == "plain":
            return lambda end: end
        script, pieces = parse_inline(text, strict=False), inline_pieces(text)

        def cut(end: int) -> int | None:
            if end == len(script.text):
                return len(text)
            at = script.sources[end - 1] + 1 if end else 0
            before = bisect_left(pieces, (at, 0)) - 1
            if before >= 0 and at < pieces[before][1]:
                return None
            apart = parse_inline(text[:at], strict=False).text, parse_inline(text[at:], strict=False).text
            return at if apart == (script.text[:end], script.text[end:]) else None

        return cut

    def _next(self, more: bool) -> Arrived | None:
        """The next passage, if it can be told; if it is known that more comes at once, no clause of a sentence."""
        there = self._text if self._form == "plain" else self._text[: unfinished(self._text)]
        text = self._read(there, self._start).text
        whole = _WHOLE_WORDS.match(text)
        if whole is None or whole[0] == self._tried:
            return None
        found = self._told(text, whole[0], self._cutter(there), more)
        self._tried = "" if found else whole[0]
        return found

    def _told(self, text: str, whole: str, cutter: Callable[[int], int | None], more: bool) -> Arrived | None:
        def taken(ends: Iterator[int], end: PassageEnd) -> Arrived | None:
            return next((self._take(cut, end) for at in ends if (cut := cutter(at))), None)

        for match in _PARAGRAPH_END.finditer(text):
            if says_something(text[: match.end()]):
                found = taken(_sentence_ends(text[: match.start()]), "sentence")
                if found := found or taken(iter([match.end()]), "paragraph"):
                    return found
        if _SENTENCE_MARK.search(whole.rstrip()) and (found := taken(_sentence_ends(whole), "sentence")):
            return found
        if more and len(whole) <= LOOKED_AT_CHARS:
            return None
        return taken(self._clause_ends(whole, cutter), "clause")

    def _clause_ends(self, whole: str, cutter: Callable[[int], int | None]) -> Iterator[int]:
        """Where clauses of some whole words end, the last first; of too many words, where they may be cut."""
        for match in reversed(list(_CLAUSE_END.finditer(whole))):
            if match.end() >= MIN_CLAUSE_CHARS and cutter(match.end()) and self._may_cut(whole, match.end()):
                yield match.end()
        if len(whole) <= self._max_chars:
            return
        spaces = [match.end() for match in re.finditer(r"\s+", whole[: self._max_chars])]
        yield from (end for end in reversed(spaces) if cutter(end) and self._may_cut(whole, end))
        yield self._max_chars

    def _may_cut(self, whole: str, end: int) -> bool:
        before, after = whole[:end], whole[end:]
        if not (says_something(before) and says_something(after)):
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
        if says_something(text[:end]) and says_something(text[end:]):
            yield end
