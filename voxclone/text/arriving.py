"""Text that arrives in pieces, as from a language model, in passages that can be spoken before the rest is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from voxclone.text.sentences import Passage, PassageEnd, passages, sentences

MIN_CLAUSE_CHARS = 25  # a shorter clause waits for what follows
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_WORD = re.compile(r"[^\s.,?!;:]+")  # normalisation drops a mark at the very end
_WHOLE_WORDS = re.compile(r".*\s", re.DOTALL)
_SENTENCE_MARK = re.compile(r"[.?!…][^\w\s]*\s|\n")
_CLAUSE_END = re.compile(r"[,;:—–][^\w\s]*\s+|\s[—–-]+\s+")


class ArrivingText:
    """Takes text as it comes and gives passages as soon as they can be told.

    A passage ends with a sentence, or, where the sentence's end is not there yet, with a clause. The word after it must
    be there whole, and change neither the sentence ("Dr. Lee") nor how numbers are read ("May 1, 2024").

    Args:
        max_chars: A sentence longer than this is cut between words.
        normalize: The reading of numbers and the like, which no cut may change.
    """

    def __init__(self, max_chars: int, normalize: Callable[[str], str]) -> None:
        self._max_chars, self._normalize = max_chars, normalize
        self._text = ""
        self._start = 0

    def add(self, text: str) -> Iterator[Passage]:
        """The passages that are whole now that this text has come."""
        self._text += text
        while (found := self._next()) is not None:
            yield found

    def finish(self) -> Iterator[Passage]:
        """What is left, as no more text comes; after something spoken, a rest that cannot be spoken is dropped."""
        rest, start = self._text, self._start
        self._text, self._start = "", start + len(rest)
        if start and not _spoken(rest):
            return
        for passage in passages(rest, self._max_chars) if rest else [Passage("", 0, "paragraph")]:
            yield passage._replace(start=start + passage.start)

    def _next(self) -> Passage | None:
        for match in _PARAGRAPH_END.finditer(self._text):
            if _spoken(self._text[: match.end()]):
                end = _first_sentence(self._text[: match.start()])
                return self._take(end, "sentence") if end else self._take(match.end(), "paragraph")
        whole = _WHOLE_WORDS.match(self._text)
        if whole is None:
            return None
        if _SENTENCE_MARK.search(whole[0].rstrip()) and (end := _first_sentence(whole[0])):
            return self._take(end, "sentence")
        end = self._clause(whole[0])
        return self._take(end, "clause") if end else None

    def _clause(self, whole: str) -> int:
        """Where the last clause of some whole words ends, or 0."""
        for match in reversed(list(_CLAUSE_END.finditer(whole))):
            if match.end() >= MIN_CLAUSE_CHARS and self._may_cut(whole, match.end()):
                return match.end()
        if len(whole) <= self._max_chars:
            return 0
        spaces = [match.end() for match in re.finditer(r"\s+", whole[: self._max_chars])]
        return next((end for end in reversed(spaces) if self._may_cut(whole, end)), self._max_chars)

    def _may_cut(self, whole: str, end: int) -> bool:
        before, after = whole[:end], whole[end:]
        if not (_spoken(before) and _spoken(after)):
            return False
        apart = _WORD.findall(self._normalize(before)) + _WORD.findall(self._normalize(after))
        return apart == _WORD.findall(self._normalize(whole))

    def _take(self, length: int, end: PassageEnd) -> Passage:
        passage = Passage(self._text[:length], self._start, end)
        self._text = self._text[length:]
        self._start += length
        return passage


def _first_sentence(text: str) -> int:
    """Where the first sentence ends that another follows, or 0."""
    end = 0
    for sentence in sentences(text)[:-1]:
        end += len(sentence)
        if _spoken(text[:end]) and _spoken(text[end:]):
            return end
    return 0


def _spoken(text: str) -> bool:
    return any(map(str.isalnum, text))
