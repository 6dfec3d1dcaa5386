"""Voices that are nobody's, drawn from among a corpus' speakers: each a mean of several in all that a voice is made of.

An embedding between speakers is like what the acoustic model was trained on, in every direction; what a Gaussian over
the speakers gives lies about them in many directions at once, and is spoken badly (docs/decisions.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxclone.sphere import spherical_mean

EVENNESS = 6.0  # of the shares (Dirichlet): the higher, the more alike


class Measures(NamedTuple):
    """What a voice is made of, for K voices.

    Attributes:
        embeddings: (K, D) of unit length.
        spectra: (K, n_mels) mean natural-log mel of voiced frames.
        f0_medians: (K,) Hz.
        f0_spreads: (K,) octaves, see `voxclone.audio.pitch.f0_spread`.
        phoneme_seconds: (K,) mean duration of a phoneme.
    """

    embeddings: NDArray[np.float64]
    spectra: NDArray[np.float64]
    f0_medians: NDArray[np.float64]
    f0_spreads: NDArray[np.float64]
    phoneme_seconds: NDArray[np.float64]

    def chosen(self, which: NDArray[np.generic]) -> Measures:
        """Some of the voices, by index or mask."""
        return Measures(*(column[which] for column in self))


def draw_voices(speakers: Measures, count: int, seed: int, parts: tuple[int, int] = (3, 6)) -> Measures:
    """Draw voices, each the mean of several speakers with random shares: what goes together in people stays together.

    Args:
        speakers: Real ones.
        count: How many voices.
        seed: Of the draw.
        parts: Fewest and most speakers in one.

    Raises:
        ValueError: There are fewer speakers than go into one voice.
    """
    if len(speakers.embeddings) < parts[1]:
        raise ValueError(f"{len(speakers.embeddings)} speakers are too few to draw {parts[1]} from")
    draw = np.random.default_rng(seed)
    voices = []
    for _ in range(count):
        size = int(draw.integers(parts[0], parts[1] + 1))
        own = speakers.chosen(draw.choice(len(speakers.embeddings), size, replace=False))
        shares = draw.dirichlet(np.full(size, EVENNESS))
        logs = (np.exp(shares @ np.log(column)) for column in own[2:])
        voices.append((spherical_mean(own.embeddings, shares), shares @ own.spectra, *logs))
    return Measures(*(np.array(column) for column in zip(*voices, strict=True)))


def nearest_cosines(embeddings: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) cosine of each embedding (K, D) to the nearest of others (L, D)."""
    nearest: NDArray[np.float64] = (np.asarray(embeddings) @ np.asarray(others).T).max(1)
    return nearest


def neighbour_cosines(embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) cosine of each speaker's embedding to that of the nearest other speaker."""
    cosines = np.asarray(embeddings) @ np.asarray(embeddings).T
    np.fill_diagonal(cosines, -1.0)
    nearest: NDArray[np.float64] = cosines.max(1)
    return nearest
