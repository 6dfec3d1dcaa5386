"""Numbers that runs are steered by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = Sequence[float] | NDArray[np.floating]


class ErrorCurve(NamedTuple):
    """Both errors of a verifier at every threshold that tells scores apart, rising.

    Attributes:
        thresholds: (K,) a trial is accepted whose score is above; the first is below every score.
        refused: (K,) share of same-speaker trials refused, from 0 to 1.
        accepted: (K,) share of different-speaker trials accepted, from 1 to 0.
    """

    thresholds: NDArray[np.float64]
    refused: NDArray[np.float64]
    accepted: NDArray[np.float64]


def error_curve(
    same: Scores, different: Scores, same_weights: Scores | None = None, different_weights: Scores | None = None
) -> ErrorCurve:
    """What a verifier refuses and accepts, over all thresholds.

    Args:
        same: Scores of trials of one speaker, at least one.
        different: Scores of trials of two speakers, at least one.
        same_weights: How often each counts; None is once. Not all are zero.
        different_weights: Likewise.
    """
    scores = np.concatenate([np.asarray(same, np.float64), np.asarray(different, np.float64)])
    thresholds, places = np.unique(scores, return_inverse=True)
    sides = []
    for part, weights in ((places[: len(same)], same_weights), (places[len(same) :], different_weights)):
        passed = np.cumsum(np.bincount(part, weights, len(thresholds)))
        sides.append(np.append(0.0, passed / passed[-1]))
    return ErrorCurve(np.append(-np.inf, thresholds), sides[0], 1 - sides[1])


def equal_error_rate(same: Scores, different: Scores) -> float:
    """The rate at which as many same-speaker trials are refused as different-speaker trials are accepted.

    Args:
        same: Scores of trials of one speaker, at least one.
        different: Scores of trials of two speakers, at least one.

    Returns:
        0 to 1, between two thresholds by linear interpolation; 0.5 where all scores are equal.
    """
    return crossing(error_curve(same, different))


def crossing(curve: ErrorCurve) -> float:
    """Where both errors of a curve are equal, see `equal_error_rate`."""
    _, refused, accepted = curve
    after = int(np.argmax(refused >= accepted))
    gaps = (accepted - refused)[after - 1 : after + 1]
    share = gaps[0] / (gaps[0] - gaps[1])
    return float(refused[after - 1] + share * (refused[after] - refused[after - 1]))


def detection_cost(curve: ErrorCurve, prior: float = 0.01) -> float:
    """The least cost that any threshold has, both errors costing 1: minDCF of NIST SRE 2016.

    Args:
        curve: Both errors.
        prior: Share of same-speaker trials that is reckoned with.

    Returns:
        0 to 1; 1 is the cost of refusing, or accepting, everything unheard.
    """
    costs = prior * curve.refused + (1 - prior) * curve.accepted
    return float(costs.min()) / min(prior, 1 - prior)
