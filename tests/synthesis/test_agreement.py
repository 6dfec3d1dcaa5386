"""Who is found among recordings of another speaker."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone.synthesis.agreement import APART, find_strangers

THRESHOLD = 0.6


def around(centre: int, count: int, spread: float, seed: int) -> NDArray[np.float64]:
    """Unit vectors about an axis, their cosines to each other about 1 / (1 + spread²)."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, 64)) * spread / 8
    directions[:, centre] += 1
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


@pytest.mark.parametrize("place", range(5))
def test_one_stranger_is_found_wherever_it_stands(place: int) -> None:
    embeddings = np.insert(around(0, 4, 0.4, seed=place), place, around(1, 1, 0.4, seed=9), axis=0)
    agreement = find_strangers(embeddings, np.ones(5), THRESHOLD)
    assert list(agreement.strangers) == [place]
    assert agreement.strangers[place] < APART * THRESHOLD
    assert not agreement.divided


def test_a_stranger_is_found_however_long_it_speaks() -> None:
    embeddings = np.concatenate([around(0, 4, 0.4, seed=0), around(1, 1, 0.4, seed=9)])
    assert list(find_strangers(embeddings, np.array([2.0, 2, 2, 2, 5]), THRESHOLD).strangers) == [4]


def test_two_strangers_of_five_are_found() -> None:
    embeddings = np.concatenate([around(0, 3, 0.4, seed=0), around(1, 1, 0.4, seed=9), around(2, 1, 0.4, seed=9)])
    agreement = find_strangers(embeddings, np.ones(5), THRESHOLD)
    assert sorted(agreement.strangers) == [3, 4]
    assert not agreement.divided


def test_two_recordings_of_one_stranger_are_found() -> None:
    embeddings = np.concatenate([around(0, 4, 0.4, seed=0), around(1, 2, 0.4, seed=9)])
    agreement = find_strangers(embeddings, np.ones(6), THRESHOLD)
    assert sorted(agreement.strangers) == [4, 5]
    assert not agreement.divided


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_one_speaker_is_not_accused(count: int) -> None:
    agreement = find_strangers(around(0, count, 0.7, seed=count), np.ones(count), THRESHOLD)
    assert agreement == ({}, False)


def test_of_a_spread_out_voice_the_outermost_is_not_accused() -> None:
    # All of them are below the bar, as in other moods: nobody stands out from the others.
    embeddings = around(0, 6, 1.6, seed=1)
    assert (embeddings @ embeddings.T).mean() < APART * THRESHOLD
    assert not find_strangers(embeddings, np.ones(6), THRESHOLD).strangers


@pytest.mark.parametrize("sizes", [(1, 1), (2, 2), (1, 1, 1), (3, 3)])
def test_halves_are_divided(sizes: tuple[int, ...]) -> None:
    embeddings = np.concatenate([around(n, size, 0.4, seed=n) for n, size in enumerate(sizes)])
    assert find_strangers(embeddings, np.ones(sum(sizes)), THRESHOLD).divided
