"""Points on the unit hypersphere, where speaker embeddings lie: means, and the tangent space about one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_STEPS = 64
TOLERANCE = 1e-9  # radians, of the last step towards a mean


def unit(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points (..., D), none of them zero, brought to unit length."""
    points = np.asarray(points, np.float64)
    brought: NDArray[np.float64] = points / np.linalg.norm(points, axis=-1, keepdims=True)
    return brought


def log_map(base: NDArray[np.floating], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points (..., D) as tangent vectors at a base (D,): their direction from it, as long as their angle to it."""
    base, points = np.asarray(base, np.float64), np.asarray(points, np.float64)
    along = points @ base
    across = points - along[..., None] * base
    length = np.linalg.norm(across, axis=-1)
    angle = np.arctan2(length, along)
    stretch = np.divide(angle, length, out=np.ones_like(length), where=length > 1e-12)
    tangents: NDArray[np.float64] = across * stretch[..., None]
    return tangents


def exp_map(base: NDArray[np.floating], tangents: NDArray[np.floating]) -> NDArray[np.float64]:
    """The points (..., D) that tangent vectors at a base (D,) lead to; undoes `log_map`."""
    base, tangents = np.asarray(base, np.float64), np.asarray(tangents, np.float64)
    angle = np.linalg.norm(tangents, axis=-1, keepdims=True)
    points = np.cos(angle) * base + np.sinc(angle / np.pi) * tangents
    return unit(points)


def spherical_mean(points: NDArray[np.floating], weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """The point whose weighted squared angles to the points are least (Karcher mean); for two, that on their arc.

    Args:
        points: (K, D) of unit length.
        weights: (K,) positive, of any sum.

    Returns:
        (D,) of unit length.

    Raises:
        ValueError: The points cancel out, so that no mean is nearer than the others.
    """
    shares = np.asarray(weights, np.float64) / np.sum(weights)
    points = np.asarray(points, np.float64)
    mean: NDArray[np.float64] = shares @ points
    length = float(np.linalg.norm(mean))
    if length < 1e-3:
        raise ValueError("the points cancel out")
    mean /= length
    for _ in range(MAX_STEPS):
        step = shares @ log_map(mean, points)
        mean = exp_map(mean, step)
        if float(np.linalg.norm(step)) < TOLERANCE:
            break
    return mean
