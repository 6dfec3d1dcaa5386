"""A script's instructions, brought to the phonemes of a chunk of it."""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Literal

from voxclone.text.direction import Direction, Gap, Place, Span, Written
from voxclone.text.markdown import says_something
from voxclone.text.phonemes import Phonemes
from voxclone.text.script import PLAIN, Manner, Point, Script
from voxclone.text.symbols import SPACE
from voxclone.text.tracking import TrackedText

HEAD_FRAMES = 2  # of silence before a chunk that follows a pause which is given
CLAUSE_SECONDS = 0.22  # of silence where a sentence is cut, as the model makes it at a comma within a chunk
_WRITTEN = re.compile(r"\S+")


def pronounced_in(script: Script, piece: TrackedText) -> list[tuple[int, int, str]]:
    """The stretches of a normalised piece of the script that sound as told: (start, end, IPA) in its own characters."""
    first, last = piece.origins[0], piece.origins[-1]
    inside = [p for p in script.pronunciations if first <= p.start < last]
    return [(piece.find(p.start), piece.find(p.end), str(p.value)) for p in inside]


class Director:
    """Gives the chunks of one script their directions, one after another.

    Args:
        script: What the chunks are read from.
        paused: Whether the speech before it ended with a pause that was asked for, or within a sentence.
        followed: Whether more is spoken behind it.

    Attributes:
        paused: Whether the last chunk ended with such a pause, and more is spoken behind it.
    """

    def __init__(self, script: Script, *, paused: bool = False, followed: bool = False) -> None:
        self.script, self.paused, self._followed = script, paused, followed
        self._run_starts = [run.start for run in script.runs]
        self._begun: set[int] = set()  # stretches
        self._done = -1  # position up to which pauses and marks have their place

    def direct(self, phonemes: Phonemes, piece: TrackedText, *, cut: bool = False) -> Phonemes:
        """A chunk with its direction.

        Args:
            phonemes: Of the piece.
            piece: A normalised piece of the script's text, after the last one; its origins are the script's characters.
            cut: Whether its sentence goes on behind it: the silences of two chunks would make a long pause there.
        """
        origins = [piece.origins[at] for at in phonemes.positions]  # of each word's first character
        end = piece.origins[-1]
        symbols = list(phonemes.symbols)
        gaps = self._gaps(phonemes, symbols, origins, end)
        if cut and gaps[-1:] and gaps[-1].end == len(symbols):
            cut = False  # another pause is asked for there
        if cut:
            self.paused = True
            gaps.append(Gap(phonemes.words[-1].end, len(symbols), CLAUSE_SECONDS, -HEAD_FRAMES, natural=True))
        starts = [*(word.start for word in phonemes.words), len(symbols)]
        marks = [
            Place(str(mark.value), starts[bisect_left(origins, mark.position)]) for mark in self._due("marks", end)
        ]
        self._done = end
        direction = Direction(
            self._manners(phonemes, origins),
            tuple(gaps),
            self._spans(phonemes, origins, end),
            tuple(marks),
            self._written(piece, origins),
            self.script.runs[self._run_at(origins[0])].voice,
        )
        return dataclasses.replace(phonemes, symbols=tuple(symbols), direction=direction)

    def _run_at(self, position: int) -> int:
        return bisect_right(self._run_starts, position) - 1

    def _due(self, kind: Literal["pauses", "marks"], end: int) -> Iterator[Point]:
        """Those after the last chunk's end, up to this one's."""
        points: tuple[Point, ...] = getattr(self.script, kind)
        first = bisect_right(points, self._done, key=lambda point: point.position)
        for point in points[first:]:
            if point.position > end:
                break
            yield point

    def _manners(self, phonemes: Phonemes, origins: Sequence[int]) -> tuple[Manner, ...]:
        """Each word's own; what stands between two words goes with the one before."""
        if len(self.script.runs) == 1:
            return ()
        manners: list[Manner] = []
        for word, origin in zip(phonemes.words, origins, strict=True):
            manner = self.script.runs[self._run_at(origin)].manner
            before = manners[-1] if manners else manner
            manners += [before] * (word.start - len(manners)) + [manner] * (word.end - word.start)
        manners += manners[-1:] * (len(phonemes.symbols) - len(manners))
        return tuple(manners) if any(manner != PLAIN for manner in manners) else ()

    def _gaps(self, phonemes: Phonemes, symbols: list[str], origins: Sequence[int], end: int) -> list[Gap]:
        """Pauses at the edges of words; a space becomes a comma there, since the model is not silent at a space."""
        words = phonemes.words
        gaps = [Gap(0, words[0].start, 0.0, HEAD_FRAMES)] if self.paused else []
        self.paused = False
        seconds: dict[int, float] = {}  # before which word
        for pause in self._due("pauses", end):
            at = bisect_left(origins, pause.position)
            seconds[at] = seconds.get(at, 0.0) + float(pause.value)
        for at, wanted in sorted(seconds.items()):
            if at == len(words):
                self.paused = self._followed or says_something(self.script.text[end:])
                gaps.append(Gap(words[-1].end, len(symbols), wanted, -HEAD_FRAMES if self.paused else 0))
                continue
            start = words[at - 1].end if at else 0
            if symbols[start] == SPACE:
                symbols[start] = ","
            gaps = [gap for gap in gaps if gap.start != start]
            gaps.append(Gap(start, words[at].start, wanted))
        return gaps

    def _spans(self, phonemes: Phonemes, origins: Sequence[int], end: int) -> tuple[Span, ...]:
        spans = []
        for key, stretch in enumerate(self.script.durations):
            first, last = bisect_left(origins, stretch.start), bisect_left(origins, stretch.end)
            if first == last:
                continue
            begins = key not in self._begun
            self._begun.add(key)
            ends = not says_something(self.script.text[end : stretch.end])
            start = phonemes.words[first].start if begins else 0
            stop = phonemes.words[last - 1].end if ends else len(phonemes.symbols)
            spans.append(Span(start, stop, float(stretch.value), key, begins, ends))
        return tuple(spans)

    def _written(self, piece: TrackedText, origins: Sequence[int]) -> tuple[Written, ...]:
        """What stands between white space in the text, as spoken words; what is spoken as one word stays together."""
        tokens = list(_WRITTEN.finditer(self.script.text, piece.origins[0], piece.origins[-1]))
        if not tokens:  # a chunk out of the middle of something long that is written as one word, such as an address
            whole = _WRITTEN.search(self.script.text, piece.origins[0])
            if whole is None:
                return ()
            tokens = [whole]
        starts = [token.start() for token in tokens]
        owners = [max(bisect_right(starts, origin) - 1, 0) for origin in origins]
        written: list[Written] = []
        for index, owner in enumerate(owners):
            if written and owner == owners[index - 1]:
                written[-1] = written[-1]._replace(last=index)
                continue
            following = next((other for other in owners[index:] if other > owner), len(tokens))
            shown = self.script.text[starts[owner] : tokens[following - 1].end()]
            written.append(Written(" ".join(shown.split()), index, index))
        return tuple(written)
