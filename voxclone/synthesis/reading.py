"""A text of any length to the phonemes of chunks that the acoustic model can speak in one pass."""

from __future__ import annotations

from collections.abc import Mapping

from voxclone.errors import TextError
from voxclone.text.chunks import split_sentences
from voxclone.text.normalize import normalize as to_spoken_form
from voxclone.text.phonemes import Phonemes, phonemize

MAX_CHUNK_CHARS = 200


def read(text: str, language: str, lexicon: Mapping[str, str] | None, normalize: bool) -> list[Phonemes]:
    """Phonemes of a text, chunk by chunk.

    Raises:
        TextError: The text is empty, has nothing to speak, or a character that cannot be spoken; its position is that
            in `text`.
    """
    spoken = to_spoken_form(text) if normalize else text
    chunks: list[Phonemes] = []
    start = 0
    for piece in split_sentences(spoken, MAX_CHUNK_CHARS) or [spoken]:
        try:
            chunks.append(phonemize(piece, language, lexicon))
        except TextError as error:
            raise _placed(error, text, spoken, start) from error
        start += len(piece)
    return chunks


def _placed(error: TextError, text: str, spoken: str, start: int) -> TextError:
    """The error of the piece at `start` with its position in the text as it was given.

    Normalisation leaves a character that cannot be spoken as it is, so that its first occurrence is the fault.
    """
    if error.position is None:
        return error
    at = start + error.position
    position = at if spoken == text else text.find(spoken[at : at + 1])
    if position < 0:
        return TextError(str(error))
    return TextError(str(error).replace(f"position {error.position}:", f"position {position}:"), position)
