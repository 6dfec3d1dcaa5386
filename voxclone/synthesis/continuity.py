"""One sentence after another: what a chunk of a text takes over from the one before it, so that no seam is heard.

The acoustic model speaks a chunk as if it stood alone, and so begins higher and louder than a speaker who goes on. How
much so is asked of the model itself: it reads the chunk's beginning once more, after the end of the chunk before it.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from voxclone.prosody import Prosody
from voxclone.text.phonemes import Phonemes
from voxclone.text.symbols import PUNCTUATION, SILENCES, SPACE, START

EARLIER_SYMBOLS = 32  # of the chunk before, how many are read again
FIRST_SYMBOLS = 40  # of a chunk, how many are read after them; more than fit into what follows
HELD_SECONDS = 0.6  # from a chunk's first sound, as it is after another sentence
FADED_SECONDS = 1.6  # from here on, as it is by itself


class Link:
    """Gives each chunk of a text, one after another, the end of the one before it; not across paragraphs or voices.

    Args:
        paragraph_pause: Seconds after a chunk from which on a paragraph ends there.
    """

    def __init__(self, paragraph_pause: float) -> None:
        self._paragraph_pause = paragraph_pause
        self._earlier: Phonemes | None = None

    def __call__(self, chunk: Phonemes) -> Phonemes:
        earlier, self._earlier = self._earlier, chunk
        if earlier is None or earlier.pause_seconds >= self._paragraph_pause:
            return chunk
        if earlier.direction.voice != chunk.direction.voice:
            return chunk
        return dataclasses.replace(chunk, earlier=earlier.symbols[1:-1][-EARLIER_SYMBOLS:])


def after_the_earlier(chunk: Phonemes) -> tuple[Phonemes, int]:
    """A chunk's beginning after the end of the one before it, as one sentence after another is read.

    Returns:
        Phonemes for the acoustic model, and how many of them stand before the chunk's second symbol.
    """
    link = () if chunk.earlier[-1] in PUNCTUATION else (SPACE,)
    symbols = (START, *chunk.earlier, *link, *chunk.symbols[1 : 1 + FIRST_SYMBOLS])
    return Phonemes(symbols, ()), len(symbols) - len(chunk.symbols[1 : 1 + FIRST_SYMBOLS])


def continued(chunk: Phonemes, alone: Prosody, heard: Prosody, spoken: Prosody) -> Prosody:
    """How a chunk is spoken where it goes on from an earlier one.

    Args:
        chunk: With its `earlier`.
        alone: The model's plain reading of it.
        heard: The model's plain reading of what `after_the_earlier` gives.
        spoken: The reading that is to go on: `alone`, or a variation of it.

    Returns:
        `spoken` with the f0 and energy of its beginning moved by what the earlier chunk makes of them.
    """
    _, offset = after_the_earlier(chunk)
    count = len(heard.symbols) - offset
    own = slice(1, 1 + count)
    sounds = np.array([symbol not in SILENCES for symbol in chunk.symbols[own]])
    starts = np.cumsum(alone.durations[own]) - alone.durations[own]
    first = starts[np.argmax(sounds)]
    seconds = (starts - first) * alone.frame_seconds
    weight = np.clip((FADED_SECONDS - seconds) / (FADED_SECONDS - HELD_SECONDS), 0, 1) * sounds
    both = (alone.f0[own] > 0) & (heard.f0[offset:] > 0)
    ratio = np.where(both, heard.f0[offset:], 1) / np.where(both, alone.f0[own], 1)
    f0, energy = spoken.f0.copy(), spoken.energy.copy()
    f0[own] *= (ratio**weight).astype(np.float32)
    energy[own] += (weight * (heard.energy[offset:] - alone.energy[own])).astype(np.float32)
    return dataclasses.replace(spoken, f0=f0, energy=energy)
