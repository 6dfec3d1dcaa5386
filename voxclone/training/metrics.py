"""Numbers that runs are steered by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def equal_error_rate(same: Sequence[float], different: Sequence[float]) -> float:
    """The rate at which as many same-speaker trials are refused as different-speaker trials are accepted.

    Args:
        same: Scores of trials of one speaker, at least one.
        different: Scores of trials of two speakers, at least one.

    Returns:
        0 to 1, between two thresholds by linear interpolation; 0.5 where all scores are equal.
    """
    thresholds = np.unique(np.concatenate([same, different]))
    refused = np.searchsorted(np.sort(same), thresholds, side="right") / len(same)
    accepted = 1 - np.searchsorted(np.sort(different), thresholds, side="right") / len(different)
    refused, accepted = np.append(0.0, refused), np.append(1.0, accepted)
    after = int(np.argmax(refused >= accepted))
    gaps = (accepted - refused)[after - 1 : after + 1]
    share = gaps[0] / (gaps[0] - gaps[1])
    return float(refused[after - 1] + share * (refused[after] - refused[after - 1]))
