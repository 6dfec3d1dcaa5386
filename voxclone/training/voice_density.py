"""How voices are spread over a corpus' speakers, to draw new ones that are nobody's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from voxclone.sphere import exp_map, log_map, spherical_mean


class Measures(NamedTuple):
    """What a voice is made of, for K voices.

    Attributes:
        embeddings: (K, D) of unit length.
        spectra: (K, n_mels) mean natural-log mel of voiced frames.
        f0_medians: (K,) Hz.
    """

    embeddings: NDArray[np.float64]
    spectra: NDArray[np.float64]
    f0_medians: NDArray[np.float64]


@dataclass(frozen=True)
class VoiceDensity:
    """A Gaussian over embeddings (in the tangent space of their mean), spectra and log f0 together.

    Attributes:
        base: (D,) the embeddings' mean on the hypersphere, at which the tangent space is.
        mean: (D + n_mels + 1,) of the tangent vectors, spectra and log f0, each block scaled to unit variance.
        scales: The blocks' standard deviations before that.
        directions: (R, D + n_mels + 1) principal directions, by their standard deviations.
    """

    base: NDArray[np.float64]
    mean: NDArray[np.float64]
    scales: tuple[float, float, float]
    directions: NDArray[np.float64]

    @classmethod
    def fit(cls, voices: Measures, rank: int) -> Self:
        """Fit to real speakers; `rank` directions are kept, so that what is drawn is like what is common.

        Raises:
            ValueError: There are not more voices than directions.
        """
        if len(voices.embeddings) <= rank:
            raise ValueError(f"{len(voices.embeddings)} voices are too few for {rank} directions")
        base = spherical_mean(voices.embeddings, np.ones(len(voices.embeddings)))
        blocks = (log_map(base, voices.embeddings), voices.spectra, np.log(voices.f0_medians)[:, None])
        scales = tuple(float(np.sqrt(block.var(0).sum())) for block in blocks)
        rows = np.concatenate([block / scale for block, scale in zip(blocks, scales, strict=True)], axis=1)
        mean = rows.mean(0)
        _, deviations, directions = np.linalg.svd(rows - mean, full_matrices=False)
        spread = deviations[:rank, None] / np.sqrt(len(rows) - 1) * directions[:rank]
        return cls(base, mean, (scales[0], scales[1], scales[2]), spread)

    def sample(self, count: int, seed: int, temperature: float = 1.0) -> Measures:
        """Draw voices; the lower the temperature, the nearer to the average voice."""
        draws = np.random.default_rng(seed).normal(size=(count, len(self.directions)))
        rows = self.mean + temperature * draws @ self.directions
        dim = len(self.base)
        tangents, spectra, log_f0 = rows[:, :dim], rows[:, dim:-1], rows[:, -1]
        embeddings = exp_map(self.base, tangents * self.scales[0])
        return Measures(embeddings, spectra * self.scales[1], np.exp(log_f0 * self.scales[2]))


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
