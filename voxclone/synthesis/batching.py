"""Which chunks one pass of the acoustic model speaks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

BATCH_SIZE = 16  # chunks in one pass, where there is a GPU


def buckets(kinds: Sequence[Hashable], lengths: Sequence[int], device_type: str) -> list[list[int]]:
    """Indices of chunks in batches of one kind and of like lengths, so that little of a batch is padding.

    On a CPU each chunk is a batch of its own: it is spoken bit for bit as if it were alone, and in a chunk of a stream.
    Another shape of a matrix is another rounding, which the phase of the pulses sums up over a sentence. Batches of 16
    would save a CPU a tenth of the time (docs/decisions.md).

    Args:
        kinds: Of each chunk what one pass must share: the voice, and whether its pauses are given.
        lengths: Each chunk's, in phonemes.
        device_type: "cpu", "cuda" …
    """
    size = BATCH_SIZE if device_type != "cpu" else 1
    seen = {kind: place for place, kind in enumerate(dict.fromkeys(kinds))}
    order = sorted(range(len(kinds)), key=lambda index: (seen[kinds[index]], lengths[index]))
    found: list[list[int]] = []
    for index in order:
        if not found or len(found[-1]) == size or kinds[found[-1][0]] != kinds[index]:
            found.append([])
        found[-1].append(index)
    return found
