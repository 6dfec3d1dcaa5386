"""Whether recordings are of one speaker, by their embeddings, and which of them are not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# For references, of which each counts; benchmarks/references.py has what this finds and accuses.
APART = 0.75  # of the encoder's same_speaker_threshold
BEHIND = 0.2

Vectors = NDArray[np.floating]


class Agreement(NamedTuple):
    """What recordings say of each other.

    Attributes:
        strangers: Index of each recording that is of another speaker than the rest, to the cosine between both.
        divided: Whether so many are that nobody can say whose voice it is to be.
    """

    strangers: dict[int, float]
    divided: bool


def find_strangers(
    embeddings: Vectors,
    weights: Vectors,
    same_speaker_threshold: float,
    apart: float = APART,
    behind: float = BEHIND,
) -> Agreement:
    """Set aside, one after another, the recording that is least like the others, while it is of another speaker.

    That is where its cosine to the others' mean is below `apart` times the threshold, and the others have `behind` more
    among themselves. Then the smaller of the two groups that what is left falls into, by the same measure.

    Args:
        embeddings: (R, D) of unit length.
        weights: (R,) positive, how much each counts.
        same_speaker_threshold: Cosine that 1 % of different speakers' recordings reach.
        apart: Share of it below which recordings are of two speakers.
        behind: Cosine by which the others agree better with each other.
    """
    kept = list(range(len(embeddings)))
    strangers: dict[int, float] = {}
    bar = apart * same_speaker_threshold
    while len(kept) > 2:
        likeness = _to_the_others(embeddings[kept], weights[kept])
        worst = int(likeness.argmin())
        others = [index for index in kept if index != kept[worst]]
        among = float(np.median(_to_the_others(embeddings[others], weights[others])))
        if likeness[worst] >= bar or (len(others) > 2 and among - likeness[worst] < behind):
            break
        strangers[kept[worst]] = float(likeness[worst])
        kept = others
    if len(kept) > 3:
        fewer = _second_group(embeddings[kept], weights[kept], bar, behind)
        strangers |= {kept[index]: cosine for index, cosine in fewer.items()}
        kept = [index for index in kept if index not in strangers]
    alone = len(kept) == 2 and float(embeddings[kept[0]] @ embeddings[kept[1]]) < bar
    return Agreement(strangers, alone or len(strangers) >= len(kept))


def _second_group(embeddings: Vectors, weights: Vectors, bar: float, behind: float) -> dict[int, float]:
    """The smaller side of the longest axis, where it is two or more of another speaker; each to both sides' cosine."""
    axis = np.linalg.svd(embeddings - embeddings.mean(0), full_matrices=False)[2][0]
    beyond = (embeddings - embeddings.mean(0)) @ axis > 0
    sides = sorted((np.flatnonzero(beyond), np.flatnonzero(~beyond)), key=len)
    if len(sides[0]) < 2:
        return {}
    centres = [np.average(embeddings[side], axis=0, weights=weights[side]) for side in sides]
    cosine = float(np.dot(*centres) / np.linalg.norm(centres[0]) / np.linalg.norm(centres[1]))
    among = [float(np.median(_to_the_others(embeddings[side], weights[side]))) for side in sides]
    return dict.fromkeys(sides[0].tolist(), cosine) if cosine < min(bar, min(among) - behind) else {}


def _to_the_others(embeddings: Vectors, weights: Vectors) -> Vectors:
    """Cosine (R,) of each with the weighted mean of the others."""
    weighted = weights[:, None] * embeddings
    rest = weighted.sum(0) - weighted
    cosines: Vectors = (embeddings * rest).sum(1) / np.maximum(np.linalg.norm(rest, axis=1), 1e-9)
    return cosines
