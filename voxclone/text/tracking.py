"""Normalisation that remembers which written characters each spoken one comes from."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from dataclasses import dataclass

from voxclone.text.normalize import PASSES, RULES
from voxclone.text.rule import Rule

_TOKEN = re.compile(r"\w+|\W")
_COMPARED_CHARS = 2000  # longer matches are not compared word by word, since that takes time quadratic in them


@dataclass(frozen=True)
class TrackedText:
    """A text and where each of its characters comes from.

    Attributes:
        text: As it is now.
        origins: For each character the index, in the first text, of the character that it comes from, and at last the
            first text's length; never falling. What replaced several characters is spread over them.
    """

    text: str
    origins: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> TrackedText:
        """A text that comes from itself."""
        return cls(text, tuple(range(len(text) + 1)))

    def find(self, origin: int) -> int:
        """Index of the first character that comes from `origin` or later."""
        return bisect_left(self.origins, origin)

    def with_end(self, text: str) -> TrackedText:
        """With more, which comes from the end."""
        return TrackedText(self.text + text, self.origins[:-1] + self.origins[-1:] * (len(text) + 1))

    def __getitem__(self, part: slice) -> TrackedText:
        start, end, _ = part.indices(len(self.text))
        return TrackedText(self.text[start:end], self.origins[start : end + 1])


def normalize_tracked(text: TrackedText) -> TrackedText:
    """As `normalize`; the origins stay those of the first text."""
    for _ in range(PASSES):
        before = text.text
        for rule in RULES:
            text = _apply(rule, text)
        if text.text == before:
            break
    return text


def _apply(rule: Rule, text: TrackedText) -> TrackedText:
    parts: list[str] = []
    origins: list[int] = []
    done = 0
    for match, after in rule.changes(text.text):
        parts += [text.text[done : match.start()], after]
        origins += text.origins[done : match.start()]
        for old, new in _pieces(match[0], after):
            start = match.start() + old.start
            sources = text.origins[start : max(start + 1, match.start() + old.stop)]
            size = new.stop - new.start
            origins += [sources[index * len(sources) // size] for index in range(size)]
        done = match.end()
    if not parts:
        return text
    return TrackedText("".join(parts) + text.text[done:], (*origins, *text.origins[done:]))


def _pieces(before: str, after: str) -> list[tuple[slice, slice]]:
    """Cut a replacement into pieces that replace one another, so that what was kept keeps its place."""
    if len(before) + len(after) > _COMPARED_CHARS:
        return [(slice(0, len(before)), slice(0, len(after)))]
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    old_starts, new_starts = _starts(old), _starts(new)
    matcher = difflib.SequenceMatcher(None, _lowered(old), _lowered(new), autojunk=False)
    pieces = []
    for _, a, b, c, d in matcher.get_opcodes():
        start, stop = old_starts[a], old_starts[b]
        pieces.append((slice(min(start, len(before) - 1) if before else 0, stop), slice(new_starts[c], new_starts[d])))
    return pieces


def _lowered(tokens: list[str]) -> list[str]:
    return [token.lower() for token in tokens]


def _starts(tokens: list[str]) -> list[int]:
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token))
    return starts
