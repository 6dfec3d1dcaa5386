"""Numbers that runs are steered by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def equal_error_rate(same: Sequence[float], different: Sequence[float]) -> float:
    """The rate at which as many same-speaker trials are refused as different-speaker trials are accepted (0 to 1)."""
    scores = np.concatenate([same, different])
    labels = np.concatenate([np.ones(len(same)), np.zeros(len(different))])
    labels = labels[np.argsort(scores, kind="stable")]
    refused = np.cumsum(labels) / len(same)
    accepted = 1 - np.cumsum(1 - labels) / len(different)
    crossing = int(np.argmin(np.abs(refused - accepted)))
    return float((refused[crossing] + accepted[crossing]) / 2)
