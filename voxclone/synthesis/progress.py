"""Progress bars for long work, where somebody watches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def progress_bar(items: Sequence[Item], unit: str, wanted: bool) -> Iterable[Item]:
    """The items, under a progress bar if one is wanted, there are several, and standard error is a terminal."""
    if not wanted or len(items) < 2:
        return items
    from tqdm import tqdm

    bar: Iterable[Item] = tqdm(items, unit=f" {unit}", disable=None, leave=False)
    return bar
