"""A text of any length to the phonemes of chunks that the acoustic model can speak in one pass."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping

from voxclone.errors import TextError
from voxclone.synthesis.continuity import Link
from voxclone.synthesis.directing import Director, pronounced_in
from voxclone.text.arriving import Arrived, ArrivingText
from voxclone.text.chunks import split_sentences
from voxclone.text.markdown import says_something
from voxclone.text.markup import Markup, is_ssml, parse
from voxclone.text.normalize import normalize as to_spoken_form
from voxclone.text.phonemes import Phonemes, phonemize
from voxclone.text.script import Script
from voxclone.text.sentences import Passage, PassageEnd, passages
from voxclone.text.tags import stray_ssml
from voxclone.text.tracking import TrackedText, normalize_tracked

MAX_CHUNK_CHARS = 200
PAUSE_SECONDS: dict[PassageEnd, float] = {"clause": 0.0, "sentence": 0.25, "paragraph": 0.6}  # beside the chunks' own


def read(
    text: str, language: str, lexicon: Mapping[str, str] | None, normalize: bool, markup: Markup = "auto"
) -> list[Phonemes]:
    """Phonemes of a text, chunk by chunk, each with what the markup asks of it and the pause that belongs after it.

    Raises:
        TextError: The text is empty, has nothing to speak, a character that cannot be spoken, or wrong markup; its
            position is that in `text`.
    """
    return list(map(new_link(), read_through(text, language, lexicon, normalize, markup)))


def new_link() -> Link:
    """What links the chunks of a text that is read lazily, as those of `read` are linked."""
    return Link(PAUSE_SECONDS["paragraph"])


def read_through(
    text: str, language: str, lexicon: Mapping[str, str] | None, normalize: bool, markup: Markup = "auto"
) -> Iterator[Phonemes]:
    """As `read`, lazily, and not linked: a chunk is read when it is asked for."""
    script = parse(text, markup)
    if markup != "ssml" and not (markup == "auto" and is_ssml(text)):
        _warn_of_ssml(text, 0)
    director = Director(script)
    for passage in _passages(script):
        yield from _read(passage, script, director, language, lexicon, normalize)


class ArrivingReader:
    """As `read_through`, of a text that comes in pieces: its chunks as soon as they can be told.

    Raises:
        TextError: As `read`'s, when the iteration reaches the fault; the position is that in the whole text.
    """

    def __init__(self, language: str, lexicon: Mapping[str, str] | None, normalize: bool, markup: Markup) -> None:
        self._settings = language, lexicon, normalize
        self._arriving = ArrivingText(MAX_CHUNK_CHARS, to_spoken_form if normalize else str, markup)
        self._paused = False
        self._warned = False

    def add(self, piece: str) -> Iterator[Phonemes]:
        """The chunks that are whole now that this piece has come."""
        return self._chunks(self._arriving.add(piece))

    def finish(self) -> Iterator[Phonemes]:
        """The rest, as no more text comes."""
        return self._chunks(self._arriving.finish())

    def _chunks(self, found: Iterable[Arrived]) -> Iterator[Phonemes]:
        for arrived in found:
            script = self._arriving.script(arrived)
            if arrived.end is not None and not self._warned:
                self._warned = _warn_of_ssml(arrived.text, arrived.start)
            director = Director(script, paused=self._paused, followed=arrived.followed)
            whole = _passages(script) if arrived.end is None else [Passage(script.text, 0, arrived.end)]
            for passage in whole:
                yield from _read(passage, script, director, *self._settings)
            self._paused = director.paused


def _warn_of_ssml(text: str, start: int) -> bool:
    """Tell of SSML in a text that is no such document, where it does nothing; `start` is the text's place in all."""
    stray = stray_ssml(text)
    if stray is None:
        return False
    warnings.warn(
        f"{stray[0]}> at position {start + stray.start()} is SSML, and does nothing here: SSML is a text that begins "
        "with <speak> and ends with </speak>; inline markup, such as [pause 1s], needs neither",
        UserWarning,
        stacklevel=2,
    )
    return True


def _passages(script: Script) -> Iterator[Passage]:
    """The script's text in passages, none across a boundary; what has nothing to speak is left out beside what has."""
    if not script.boundaries:
        yield from passages(script.text, MAX_CHUNK_CHARS) if script.text else [Passage("", 0, "paragraph")]
        return
    ends = {point.position: point.value for point in script.boundaries if point.value == "sentence"}
    ends |= {point.position: point.value for point in script.boundaries if point.value == "paragraph"}
    spoken = False
    edges = sorted({0, *ends, len(script.text)})
    for start, end in itertools.pairwise(edges):
        section = script.text[start:end]
        if not says_something(section):
            continue
        spoken = True
        parts = list(passages(section, MAX_CHUNK_CHARS))
        last: PassageEnd = "paragraph" if ends.get(end, "paragraph") == "paragraph" else "sentence"
        parts[-1] = parts[-1]._replace(end=last)
        for part in parts:
            yield part._replace(start=start + part.start)
    if not spoken:
        yield Passage(script.text, 0, "paragraph")


def _read(
    passage: Passage,
    script: Script,
    director: Director,
    language: str,
    lexicon: Mapping[str, str] | None,
    normalize: bool,
) -> Iterator[Phonemes]:
    """The chunks of one passage of a script."""
    spoken = TrackedText(passage.text, tuple(range(passage.start, passage.start + len(passage.text) + 1)))
    if normalize:
        spoken = normalize_tracked(spoken)
    if passage.end == "clause" and spoken.text.rstrip()[-1:].isalnum():
        spoken = spoken.with_end(",")  # which normalisation takes off a text's end
    pieces = split_sentences(spoken.text, MAX_CHUNK_CHARS) or [spoken.text]
    start = 0
    for index, text in enumerate(pieces):
        piece = spoken[start : start + len(text)]
        start += len(text)
        try:
            phonemes = phonemize(piece.text, language, lexicon, pronounced_in(script, piece))
        except TextError as error:
            raise _placed(error, piece, script) from error
        inside: PassageEnd = "sentence" if text.rstrip().endswith((".", "?", "!", ";")) else "clause"
        end = passage.end if index == len(pieces) - 1 else inside
        yield director.direct(
            dataclasses.replace(phonemes, pause_seconds=PAUSE_SECONDS[end]), piece, cut=end == "clause"
        )


def _placed(error: TextError, piece: TrackedText, script: Script) -> TextError:
    """The error with its position in the text as it was given."""
    if error.position is None:
        return error
    position = script.sources[piece.origins[error.position]]
    return TextError(str(error).replace(f"position {error.position}:", f"position {position}:"), position)
