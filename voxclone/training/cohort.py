"""The voices of nobody that a comparison of two speakers is held to (`voxclone.models.cohort`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxclone.errors import VoxcloneError
from voxclone.sphere import unit


def means_of_neighbours(speakers: NDArray[np.floating], people: int, seed: int = 0) -> NDArray[np.float64]:
    """Put speakers into groups that are alike, each into one at most, and take each group's mean.

    The means lie where speakers do, as those of groups drawn at random would not, and none is a person's.

    Args:
        speakers: (K, D) embeddings of unit length.
        people: How many are in a group.
        seed: Of the order in which speakers choose their nearest who are left.

    Returns:
        (K // people, D) of unit length.

    Raises:
        VoxcloneError: There are fewer speakers than go into one group, or a group is one person.
    """
    if people < 2:
        raise VoxcloneError(f"a group of {people} is a person, whose voice goes into no model: take 2 or more")
    if len(speakers) < people:
        raise VoxcloneError(f"{len(speakers)} speakers are too few for a group of {people}")
    speakers = np.asarray(speakers, np.float64)
    left, means = np.ones(len(speakers), bool), []
    for first in np.random.default_rng(seed).permutation(len(speakers)):
        others = np.flatnonzero(left)
        if left[first] and len(others) >= people:
            group = others[np.argsort(-(speakers[others] @ speakers[first]))[:people]]
            left[group] = False
            means.append(speakers[group].mean(0))
    return unit(np.stack(means))
