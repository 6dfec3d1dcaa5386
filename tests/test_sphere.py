"""Means on the hypersphere, and the way to the tangent space and back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone.sphere import exp_map, log_map, spherical_mean


def points(count: int, dim: int, seed: int = 0) -> NDArray[np.float64]:
    found = np.random.default_rng(seed).normal(size=(count, dim)) + 0.8
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_tangent_space_is_left_as_it_was_entered() -> None:
    base, *others = points(5, 7)
    tangents = log_map(base, np.array(others))
    np.testing.assert_allclose(tangents @ base, 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(tangents, axis=1), np.arccos(np.array(others) @ base))
    np.testing.assert_allclose(exp_map(base, tangents), others, atol=1e-12)
    np.testing.assert_allclose(log_map(base, base), 0, atol=1e-12)
    np.testing.assert_allclose(exp_map(base, np.zeros(7)), base, atol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.75, 1.0])
def test_two_points_mix_evenly_along_their_arc(share: float) -> None:
    left, right = points(2, 9)
    whole = np.arccos(left @ right)
    mean = spherical_mean(np.array([left, right]), np.array([1 - share, share]))
    assert np.linalg.norm(mean) == pytest.approx(1)
    assert np.arccos(np.clip(mean @ left, -1, 1)) == pytest.approx(share * whole, abs=1e-6)
    assert np.arccos(np.clip(mean @ right, -1, 1)) == pytest.approx((1 - share) * whole, abs=1e-6)


def test_the_mean_is_where_the_pulls_balance() -> None:
    found, weights = points(6, 12), np.arange(1.0, 7.0)
    mean = spherical_mean(found, weights)
    np.testing.assert_allclose(weights @ log_map(mean, found), 0, atol=1e-7)
    np.testing.assert_allclose(spherical_mean(found, 10 * weights), mean, atol=1e-9)


def test_opposite_points_have_no_mean() -> None:
    one = points(1, 4)[0]
    with pytest.raises(ValueError, match="cancel"):
        spherical_mean(np.array([one, -one]), np.ones(2))
