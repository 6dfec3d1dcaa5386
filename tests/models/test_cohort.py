"""Scores against a cohort: what they count for, and that they are symmetric."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from voxclone.config import VerificationConfig
from voxclone.errors import ConfigError
from voxclone.models.cohort import Cohort

ENCODER = "0" * 16


def unit(*shape: int, seed: int = 0) -> Tensor:
    vectors = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=-1)


def cohort_of(embeddings: Tensor, nearest: int) -> Cohort:
    cohort = Cohort(VerificationConfig(len(embeddings), ENCODER, nearest), embeddings.shape[1]).double()
    cohort.embeddings.copy_(embeddings)
    return cohort


def test_the_score_is_as_defined() -> None:
    others, one, other = unit(40, 8), unit(8, seed=1), unit(8, seed=2)
    expected = 0.0
    for side in (one, other):
        nearest = np.sort(others.numpy() @ side.numpy())[-10:]
        expected += 0.5 * (float(one @ other) - nearest.mean()) / nearest.std()
    assert float(cohort_of(others, 10)(one, other)) == pytest.approx(expected, rel=1e-9)


def test_it_is_symmetric_and_works_in_batches() -> None:
    cohort, one, other = cohort_of(unit(40, 8), 10), unit(5, 8, seed=1), unit(5, 8, seed=2)
    scores = cohort(one, other)
    torch.testing.assert_close(scores, cohort(other, one))
    torch.testing.assert_close(scores, torch.stack([cohort(a, b) for a, b in zip(one, other, strict=True)]))
    torch.testing.assert_close(cohort(one, other[0])[0], scores[0])


def test_a_voice_that_many_resemble_needs_more_to_be_recognised() -> None:
    """The same cosine counts for less where the cohort is near."""
    crowd = torch.nn.functional.normalize(unit(40, 8, seed=3) + 2 * torch.eye(8, dtype=torch.float64)[0], dim=-1)
    cohort = cohort_of(crowd, 10)
    common, rare = torch.eye(8, dtype=torch.float64)[0], -torch.eye(8, dtype=torch.float64)[0]
    aside = 0.6 * torch.eye(8, dtype=torch.float64)[1]
    assert float(cohort(common, 0.8 * common + aside)) < float(cohort(rare, 0.8 * rare + aside))


def test_an_empty_cohort_gives_no_infinite_score() -> None:
    assert np.isfinite(float(cohort_of(torch.zeros(4, 8, dtype=torch.float64), 2)(unit(8), unit(8))))


def test_a_cohort_smaller_than_its_nearest_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"nearest is 50; the cohort has only 49"):
        VerificationConfig(49, ENCODER)
    with pytest.raises(ConfigError, match="nearest"):
        VerificationConfig(49, ENCODER, nearest=1)
    with pytest.raises(ConfigError, match="16 hex digits"):
        VerificationConfig(50, "me")
