"""What markup asks of one chunk's phonemes; indices are into its symbols, as those of its words are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from voxclone.text.script import Manner


class Gap(NamedTuple):
    """How long the silence of symbols [start, end) lasts, with the pause after the chunk where `end` is its last.

    Attributes:
        seconds: In all, with the frames that come on top.
        frames: On top of the seconds.
        natural: Whether nobody asked for it: it then goes with the speed, and is stretched like the model's own pauses
            where speech must fit a duration. Others keep their length.
    """

    start: int
    end: int
    seconds: float
    frames: int = 0
    natural: bool = False


class Span(NamedTuple):
    """Symbols [start, end) that last so many seconds.

    A stretch of speech that goes through several chunks has a span in each, with the same `key`.
    """

    start: int
    end: int
    seconds: float
    key: int
    begins: bool
    ends: bool


class Place(NamedTuple):
    """A mark's name, and the symbol that begins there."""

    name: str
    symbol: int


class Written(NamedTuple):
    """A piece of the text as it was written, and the words [first, last] that it is spoken as."""

    text: str
    first: int
    last: int


@dataclass(frozen=True)
class Direction:
    """How to speak one chunk.

    Attributes:
        manners: For each symbol; empty where all are spoken as the call asks.
        gaps: Pauses.
        spans: What must last how long, nested ones first.
        marks: Names whose time is wanted.
        written: The text's pieces, in order.
        voice: Whose voice; None is the call's.
    """

    manners: tuple[Manner, ...] = ()
    gaps: tuple[Gap, ...] = ()
    spans: tuple[Span, ...] = ()
    marks: tuple[Place, ...] = ()
    written: tuple[Written, ...] = ()
    voice: str | None = None


UNDIRECTED = Direction()
