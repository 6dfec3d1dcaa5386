"""A text of any length to the phonemes of chunks that the acoustic model can speak in one pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from voxclone.errors import TextError
from voxclone.text.chunks import split_sentences
from voxclone.text.normalize import normalize as to_spoken_form
from voxclone.text.phonemes import Phonemes, phonemize
from voxclone.text.sentences import Passage, PassageEnd, passages

MAX_CHUNK_CHARS = 200
PAUSE_SECONDS: dict[PassageEnd, float] = {"clause": 0.0, "sentence": 0.25, "paragraph": 0.6}  # beside the chunks' own


def read(text: str, language: str, lexicon: Mapping[str, str] | None, normalize: bool) -> list[Phonemes]:
    """Phonemes of a text, chunk by chunk.

    Raises:
        TextError: The text is empty, has nothing to speak, or a character that cannot be spoken; its position is that
            in `text`.
    """
    return list(read_through(text, language, lexicon, normalize))


def read_through(text: str, language: str, lexicon: Mapping[str, str] | None, normalize: bool) -> Iterator[Phonemes]:
    """As `read`, lazily: a chunk is read when it is asked for."""
    for passage in passages(text, MAX_CHUNK_CHARS) if text else [Passage(text, 0, "paragraph")]:
        yield from read_passage(passage, language, lexicon, normalize)


def read_passage(
    passage: Passage, language: str, lexicon: Mapping[str, str] | None, normalize: bool
) -> Iterator[Phonemes]:
    """The chunks of one passage, each with the pause that belongs after it.

    Raises:
        TextError: As `read`'s; the position is that in the text that the passage is from.
    """
    spoken = to_spoken_form(passage.text) if normalize else passage.text
    if passage.end == "clause" and spoken.rstrip()[-1:].isalnum():
        spoken += ","  # which normalisation takes off a text's end
    pieces = split_sentences(spoken, MAX_CHUNK_CHARS) or [spoken]
    start = 0
    for index, piece in enumerate(pieces):
        try:
            phonemes = phonemize(piece, language, lexicon)
        except TextError as error:
            raise _placed(error, passage, spoken, start) from error
        start += len(piece)
        inside: PassageEnd = "sentence" if piece.rstrip().endswith((".", "?", "!", ";")) else "clause"
        end = passage.end if index == len(pieces) - 1 else inside
        yield dataclasses.replace(phonemes, pause_seconds=PAUSE_SECONDS[end])


def _placed(error: TextError, passage: Passage, spoken: str, start: int) -> TextError:
    """The error of the piece at `start` of the passage's spoken form, with its position in the text as it was given.

    Normalisation leaves a character that cannot be spoken as it is, so that its first occurrence is the fault.
    """
    if error.position is None:
        return error
    at = start + error.position
    position = at if spoken == passage.text else passage.text.find(spoken[at : at + 1])
    if position < 0:
        return TextError(str(error))
    position += passage.start
    return TextError(str(error).replace(f"position {error.position}:", f"position {position}:"), position)
