"""A text and what is to be done in it: what inline markup and SSML both become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from voxclone.errors import TextError
from voxclone.text.symbols import parse_ipa

MAX_PAUSE_SECONDS = 60.0
MAX_PAUSES_SECONDS = 3600.0  # for each begun chapter: a short text must not become days of silence
CHAPTER_CHARS = 50_000  # about an hour of speech
SPEED, PITCH, PITCH_RANGE, ENERGY = (0.25, 4.0), (-24.0, 24.0), (0.0, 4.0), (0.25, 4.0)


class Manner(NamedTuple):
    """How to speak, on top of what the call asks for; the units are those of `VoxClone.generate`."""

    speed: float = 1.0
    pitch: float = 0.0
    pitch_range: float = 1.0
    energy: float = 1.0

    def within(self, outer: Manner) -> Manner:
        """This manner inside another one, however deep: together they stay within the bounds of one."""
        return Manner(
            _bounded(self.speed * outer.speed, SPEED),
            _bounded(self.pitch + outer.pitch, PITCH),
            _bounded(self.pitch_range * outer.pitch_range, PITCH_RANGE),
            _bounded(self.energy * outer.energy, ENERGY),
        )


def _bounded(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])


PLAIN = Manner()
EMPHASIS = {  # by how slowly, highly, lively and loudly a word stands out
    "strong": Manner(0.8, 2.5, 1.3, 1.5),
    "moderate": Manner(0.87, 1.5, 1.15, 1.25),
    "none": PLAIN,
    "reduced": Manner(1.1, -0.75, 0.8, 0.8),
}


class Run(NamedTuple):
    """From `start` on, until the next run: how, and as whom; None is the call's voice."""

    start: int
    manner: Manner
    voice: str | None


class Stretch(NamedTuple):
    """Characters [start, end) that are to last so long, or to be said so (IPA)."""

    start: int
    end: int
    value: float | str


class Point(NamedTuple):
    """Something between two characters: a pause in seconds, a mark's name, or what ends there."""

    position: int
    value: float | str


@dataclass(frozen=True)
class Script:
    """A text without markup, and its instructions, each by position in that text.

    Attributes:
        text: What is said, as written.
        sources: For each character and for the end, its index in what was given; never falling.
        runs: Manner and voice; the first starts at 0.
        pronunciations: Stretches and their IPA.
        durations: Stretches and their seconds; nested ones come first.
        pauses: Seconds of silence at a position.
        marks: Names whose time is wanted.
        boundaries: Where something ends, whatever the text is: a "sentence" or a "paragraph".
    """

    text: str
    sources: Sequence[int]
    runs: tuple[Run, ...] = (Run(0, PLAIN, None),)
    pronunciations: tuple[Stretch, ...] = ()
    durations: tuple[Stretch, ...] = ()
    pauses: tuple[Point, ...] = ()
    marks: tuple[Point, ...] = ()
    boundaries: tuple[Point, ...] = ()

    @classmethod
    def plain(cls, text: str) -> Script:
        """A text with no instructions."""
        return cls(text, range(len(text) + 1))


@dataclass
class ScriptBuilder:
    """Grows a script from left to right; `start` is where in the text that was given it begins."""

    start: int = 0
    parts: list[str] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    runs: list[Run] = field(default_factory=lambda: [Run(0, PLAIN, None)])
    pronunciations: list[Stretch] = field(default_factory=list)
    durations: list[Stretch] = field(default_factory=list)
    pauses: list[Point] = field(default_factory=list)
    marks: list[Point] = field(default_factory=list)
    boundaries: list[Point] = field(default_factory=list)
    silence_seconds: float = 0.0

    @property
    def position(self) -> int:
        return len(self.sources)

    def add(self, text: str, source: int, *, literal: bool = True) -> None:
        """Say a text whose characters were given from `source` on, or all of it there if it is not `literal`.

        A pause parts words, also where no space does: "Hello<break/>world".
        """
        if not text:
            return
        source += self.start
        paused = bool(self.pauses) and self.pauses[-1].position == self.position > 0
        if paused and text[0].isalnum() and self.parts[-1][-1].isalnum():
            self.parts.append(" ")
            self.sources.append(source)
        self.parts.append(text)
        self.sources += range(source, source + len(text)) if literal else [source] * len(text)

    def pause(self, seconds: float) -> None:
        """Be silent for so long.

        Raises:
            TextError: All pauses together are too long.
        """
        self.silence_seconds += seconds
        longest = MAX_PAUSES_SECONDS * (1 + self.position // CHAPTER_CHARS)
        if self.silence_seconds > longest:
            raise TextError(f"the pauses up to here are longer than {longest:g} s together; speak the text in parts")
        self.pauses.append(Point(self.position, seconds))

    def mark(self, name: str) -> None:
        self.marks.append(Point(self.position, name))

    def boundary(self, kind: Literal["sentence", "paragraph"] = "sentence") -> None:
        """End the sentence or paragraph here, if it has begun."""
        self.boundaries.append(Point(self.position, kind))

    @contextmanager
    def manner(self, manner: Manner) -> Iterator[None]:
        """What is said within is spoken so, on top of what holds around."""
        outer = self.runs[-1]
        self._run(manner.within(outer.manner), outer.voice)
        yield
        self._run(outer.manner, outer.voice)

    @contextmanager
    def voice(self, name: str) -> Iterator[None]:
        """What is said within is spoken by another voice."""
        outer = self.runs[-1]
        self.boundary()
        self._run(outer.manner, name)
        yield
        self.boundary()
        self._run(outer.manner, outer.voice)

    @contextmanager
    def lasting(self, seconds: float | None) -> Iterator[None]:
        """What is said within lasts so long; None lets it."""
        start = self.position
        yield
        if seconds is not None and self.position > start:
            self.durations.append(Stretch(start, self.position, seconds))

    def since(self, start: int) -> str:
        """What was said since `start`."""
        parts: list[str] = []
        missing = self.position - start
        for part in reversed(self.parts):
            if missing <= 0:
                break
            parts.append(part)
            missing -= len(part)
        return "".join(reversed(parts))[-missing if missing < 0 else 0 :]

    def replace(self, start: int, text: str, source: int) -> None:
        """Say a text that is given at `source` instead of what was said since `start`."""
        kept = self.position - start
        while kept > 0:
            part = self.parts.pop()
            kept -= len(part)
            if kept < 0:
                self.parts.append(part[:-kept])
        del self.sources[start:]
        self.add(text, source, literal=False)

    def pronounced(self, ipa: str, start: int) -> None:
        """What was said since `start` sounds like that.

        Raises:
            TextError: It is not IPA, or has no sound.
        """
        said = self.since(start)
        start += len(said) - len(said.lstrip())
        if not any(map(str.isalnum, said)):
            raise TextError(f"there is no word that could be pronounced {ipa!r}")
        for word in ipa.split() or [""]:
            try:
                sounds = parse_ipa(word)
            except TextError as error:
                raise TextError(str(error)) from error
            if not sounds:
                raise TextError(f"the pronunciation {ipa!r} has no sound; give it in IPA")
        self.pronunciations.append(Stretch(start, self.position, ipa))

    def build(self, end: int) -> Script:
        """The script; `end` is the length of what was given."""
        return Script(
            "".join(self.parts),
            [*self.sources, self.start + end],
            tuple(self.runs),
            tuple(self.pronunciations),
            tuple(self.durations),
            tuple(self.pauses),
            tuple(self.marks),
            tuple(self.boundaries),
        )

    def _run(self, manner: Manner, voice: str | None) -> None:
        if self.runs[-1].start == self.position:
            self.runs.pop()
        self.runs.append(Run(self.position, manner, voice))


def number_within(written: str, name: str, bounds: tuple[float, float]) -> float:
    """A written number that must be within bounds.

    Raises:
        TextError: It is not.
    """
    try:
        value = float(written)
    except ValueError:
        value = float("nan")
    if not bounds[0] <= value <= bounds[1]:
        raise TextError(f"{name} is {written!r}; it must be a number from {bounds[0]:g} to {bounds[1]:g}")
    return value


def seconds_of(written: str, name: str, longest: float) -> float:
    """A time as "300ms" or "1.5s", in seconds.

    Raises:
        TextError: It is no such time, or longer than `longest`.
    """
    number, scale = (written[:-2], 1e-3) if written.endswith("ms") else (written.removesuffix("s"), 1.0)
    digits = number.removeprefix("+").replace(".", "", 1)
    if number == written or not (digits.isascii() and digits.isdecimal()):
        raise TextError(f"{name} is {written!r}; give it as 300ms or 1.5s")
    seconds = float(number) * scale
    if seconds > longest:
        raise TextError(f"{name} is {written!r}; it can be {longest:g}s at most")
    return seconds
