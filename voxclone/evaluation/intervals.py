"""Bootstrap intervals: how far a mean could lie elsewhere with other speakers and texts of the same kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROUNDS = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate with its bootstrap interval.

    Attributes:
        value: Sum of numerators over sum of denominators.
        low: Lower end of the 95 % percentile interval; None where there is but one group, which tells of no other.
        high: Its upper end, likewise.
        utterances: How many it stands on.
    """

    value: float
    low: float | None
    high: float | None
    utterances: int

    @property
    def span(self) -> tuple[float, float] | None:
        """Both ends; None where there is no interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def bootstrap(
    numerators: Sequence[float], denominators: Sequence[float] | None = None, groups: Sequence[str] | None = None
) -> Interval:
    """The ratio of sums, with the interval that resampling whole groups gives (Bisani and Ney 2004 for error rates).

    Args:
        numerators: One for each utterance: errors, or a score.
        denominators: One for each utterance: words; None is 1 each, so that the ratio is the mean.
        groups: Each utterance's speaker: those of one speaker are alike, and are drawn together. None draws utterances.

    Raises:
        ValueError: There is nothing to average.
    """
    top = np.asarray(numerators, np.float64)
    bottom = np.ones_like(top) if denominators is None else np.asarray(denominators, np.float64)
    if not len(top) or bottom.sum() <= 0:
        raise ValueError("a mean needs at least one utterance")
    keys = np.arange(len(top)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    tops, bottoms = np.bincount(keys, top), np.bincount(keys, bottom)
    value = float(top.sum() / bottom.sum())
    if len(tops) == 1:
        return Interval(value, None, None, len(top))
    drawn = np.random.default_rng(0).integers(len(tops), size=(ROUNDS, len(tops)))
    sums: NDArray[np.float64] = bottoms[drawn].sum(1)
    ratios = tops[drawn].sum(1)[sums > 0] / sums[sums > 0]
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(ratios, [edge, 1 - edge])
    return Interval(value, float(low), float(high), len(top))
