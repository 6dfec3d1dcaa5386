"""Which chunks one pass of the acoustic model speaks."""

from __future__ import annotations

from collections.abc import Sequence

from voxclone.voice import Voice

BATCH_SIZE = 16  # chunks in one pass


def buckets(voices: Sequence[Voice], lengths: Sequence[int]) -> list[list[int]]:
    """Indices of chunks in batches of one voice and of like lengths, so that little of a batch is padding.

    Args:
        voices: Each chunk's.
        lengths: Each chunk's, in phonemes.
    """
    seen = {voice: place for place, voice in enumerate(dict.fromkeys(voices))}
    order = sorted(range(len(voices)), key=lambda index: (seen[voices[index]], lengths[index]))
    found: list[list[int]] = []
    for index in order:
        if not found or len(found[-1]) == BATCH_SIZE or voices[found[-1][0]] != voices[index]:
            found.append([])
        found[-1].append(index)
    return found
