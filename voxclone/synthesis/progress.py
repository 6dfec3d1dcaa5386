"""What long work is at: progress bars where somebody watches, lines where nobody does."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from time import monotonic
from typing import TypeVar

Item = TypeVar("Item")

LINE_SECONDS = 30.0  # between the lines of a stage


def progress_bar(items: Sequence[Item], unit: str, wanted: bool) -> Iterable[Item]:
    """The items, under a progress bar if one is wanted, there are several, and standard error is a terminal."""
    if not wanted or len(items) < 2:
        return items
    from tqdm import tqdm

    bar: Iterable[Item] = tqdm(items, unit=f" {unit}", disable=None, leave=False)
    return bar


class Stages:
    """Tells on standard error what minutes of work are at: a line as each stage begins, and bars on a terminal.

    Where standard error is no terminal, a stage that goes on has a line every half minute instead of a bar.

    Args:
        wanted: Whether to tell it; without it, only bars are shown.
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._told = monotonic()

    def begin(self, stage: str) -> None:
        """A stage, in a few words."""
        if self._wanted:
            self._write(stage)

    def at(self, place: str) -> None:
        """How far the stage has come; passed over within half a minute of the last line, and on a terminal."""
        if self._wanted and not sys.stderr.isatty() and monotonic() - self._told >= LINE_SECONDS:
            self._write(place)

    def through(self, items: Iterable[Item], total: int, doing: str) -> Iterator[Item]:
        """The items of a stage, counted."""
        from tqdm import tqdm

        for done, item in enumerate(tqdm(items, total=total, desc=doing, disable=None, leave=False)):
            self.at(f"{doing}: {done} of {total}")
            yield item

    def _write(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)
        self._told = monotonic()
