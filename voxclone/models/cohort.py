"""Telling whether two recordings are of one speaker, by how much more alike they are than either is to others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxclone.config import VerificationConfig

LEAST_DEVIATION = 0.01  # of cosines to the nearest of a cohort; real voices have 0.035 and more


class Cohort(nn.Module):
    """Embeddings to which a comparison of two others is held: adaptive symmetric normalisation of their cosine.

    (AS-norm; Matějka et al., "Analysis of Score Normalization in Multilingual Speaker Recognition", Interspeech 2017,
    section 2.) A voice that many resemble, or a recording whose noise pulls all embeddings together, has high cosines
    to everybody; they count for less.

    Attributes:
        embeddings: (K, D), each of unit length.
    """

    embeddings: Tensor

    def __init__(self, config: VerificationConfig, embedding_dim: int) -> None:
        super().__init__()
        self.nearest = config.nearest
        self.register_buffer("embeddings", torch.zeros(config.cohort_size, embedding_dim))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Compare embeddings (..., D) of unit length with others.

        Returns:
            (...,) scores: by how many standard deviations their cosine lies above those to the `nearest` of the cohort,
            the mean of seen from the one and from the other.
        """
        cosine = (one * other).sum(-1)
        return torch.stack([self._deviations(cosine, side) for side in (one, other)]).mean(0)

    def _deviations(self, cosine: Tensor, side: Tensor) -> Tensor:
        others = torch.topk(side @ self.embeddings.T, self.nearest).values
        return (cosine - others.mean(-1)) / others.std(-1, correction=0).clamp(min=LEAST_DEVIATION)
