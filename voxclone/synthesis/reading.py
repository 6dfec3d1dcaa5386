"""A text of any length to the phonemes of chunks that the acoustic model can speak in one pass."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping

from voxclone.errors import TextError
from voxclone.synthesis.continuity import Link
from voxclone.synthesis.directing import Director, pronounced_in
from voxclone.text.chunks import split_sentences
from voxclone.text.markup import Markup, parse
from voxclone.text.phonemes import Phonemes, phonemize
from voxclone.text.script import Script
from voxclone.text.sentences import Passage, PassageEnd, passages
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
    director = Director(script)
    for passage in _passages(script):
        yield from _read(passage, script, director, language, lexicon, normalize)


def read_passage(
    passage: Passage, language: str, lexicon: Mapping[str, str] | None, normalize: bool
) -> Iterator[Phonemes]:
    """The chunks of one passage of a text that has no markup.

    Raises:
        TextError: As `read`'s; the position is that in the text that the passage is from.
    """
    script = Script(passage.text, range(passage.start, passage.start + len(passage.text) + 1))
    yield from _read(passage._replace(start=0), script, Director(script), language, lexicon, normalize)


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
        if not any(map(str.isalnum, section)):
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
        yield director.direct(dataclasses.replace(phonemes, pause_seconds=PAUSE_SECONDS[end]), piece)


def _placed(error: TextError, piece: TrackedText, script: Script) -> TextError:
    """The error with its position in the text as it was given."""
    if error.position is None:
        return error
    position = script.sources[piece.origins[error.position]]
    return TextError(str(error).replace(f"position {error.position}:", f"position {position}:"), position)
