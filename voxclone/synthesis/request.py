"""What one text of a call asks for, once it has been read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from voxclone.errors import ConfigError
from voxclone.prosody import Prosody
from voxclone.synthesis.controls import Controls
from voxclone.synthesis.shaping import Draft, shape, with_pauses
from voxclone.text.phonemes import Phonemes
from voxclone.text.symbols import PAUSE, SPACE

Value = TypeVar("Value")
ONE_EACH = "give a list of one for each, None where free"


@dataclass(frozen=True)
class Request:
    """One text to speak.

    Attributes:
        chunks: What one pass of the acoustic model speaks, in order.
        controls: How to speak.
        prosody: Every phoneme's, to be taken instead of what the model would do; None leaves it to the model. The
            chunks pause where it does, see `paused_as`.
    """

    chunks: Sequence[Phonemes]
    controls: Controls
    prosody: Prosody | None = None

    def shape(self, drafts: Sequence[Draft]) -> list[Prosody]:
        """The chunks' prosody as asked for, from what the model would do.

        Raises:
            ConfigError: The given prosody has other frames or cannot be spoken, or the time that is asked for is too
                short or too long.
        """
        if self.prosody is None:
            return shape(with_pauses(drafts, [chunk.pause_seconds for chunk in self.chunks]), self.controls)
        if self.prosody.frame_seconds != drafts[0].prosody.frame_seconds:
            raise ConfigError("the prosody is of a model with other frames; take it from speech of this model")
        self.prosody.check()
        parts = self.prosody.copy().split(len(chunk.symbols) for chunk in self.chunks)
        parts = [dataclasses.replace(part, words=chunk.words) for part, chunk in zip(parts, self.chunks, strict=True)]
        return shape([Draft(part, part.durations.astype(float)) for part in parts], self.controls)


def paused_as(chunks: Sequence[Phonemes], prosody: Prosody | None) -> Sequence[Phonemes]:
    """A text's chunks with the pauses of a given prosody between words, which are commas, in place of the voice's own.

    Raises:
        ConfigError: The prosody is none, or that of another text.
    """
    if prosody is None:
        return chunks
    if not isinstance(prosody, Prosody):
        raise ConfigError(
            f"prosody is {type(prosody).__name__}; it must be a voxclone.Prosody, as Speech.prosody is and "
            "Prosody.load reads from a file"
        )
    own = [symbol for chunk in chunks for symbol in chunk.symbols]
    for at, (given, read) in enumerate(zip(prosody.symbols, own, strict=False)):
        if given != read and {given, read} != {SPACE, PAUSE}:
            raise _of_another_text(f"phoneme {at} is {given!r} there and {read!r} here")
    if len(prosody.symbols) != len(own):
        raise _of_another_text(f"their lengths are {len(prosody.symbols)} and {len(own)}")
    symbols = iter(prosody.symbols)
    return [dataclasses.replace(chunk, symbols=tuple(islice(symbols, len(chunk.symbols)))) for chunk in chunks]


def _of_another_text(where: str) -> ConfigError:
    return ConfigError(f"the prosody is that of another text: {where}; take it from this text, read in this way")


def one_for_each(text: str | list[str], value: Value | Sequence[Value | None] | None, name: str) -> list[Value | None]:
    """An option's value for each text.

    Raises:
        ConfigError: A list of texts needs a list of as many values.
    """
    if isinstance(text, str):
        if isinstance(value, Sequence) and not isinstance(value, str):
            raise ConfigError(f"{name} is a list of {len(value)} for one text; give one value")
        return [value]
    if value is None:
        return [None] * len(text)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigError(f"{name} is {type(value).__name__} for {len(text)} texts; {ONE_EACH}")
    if len(value) != len(text):
        raise ConfigError(f"{name} is {len(value)} values for {len(text)} texts; {ONE_EACH}")
    return list(value)
