"""Which speaker of a corpus is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from voxclone.errors import VoxcloneError


def choose_speaker(found: Iterable[str], wanted: str | None, place: object) -> str | None:
    """The one speaker to take; None where the corpus names none.

    Args:
        found: The speaker of every recording; empty strings where it has no name.
        wanted: As the caller named it, or None.
        place: For messages.

    Raises:
        VoxcloneError: Nobody is called so, or there are several and none was named.
    """
    counts = Counter(name for name in found if name)
    most = ", ".join(f"{name} ({count})" for name, count in counts.most_common(8))
    if wanted is not None:
        if wanted not in counts:
            raise VoxcloneError(f"{place} has no speaker {wanted!r}; it has {most or 'none with a name'}")
        return wanted
    if len(counts) > 1:
        raise VoxcloneError(f"{place} has {len(counts)} speakers; name one of them (--speaker): {most}")
    return next(iter(counts), None)
