"""Voices of nobody: means of speakers who are alike, each speaker in one at most."""

from __future__ import annotations

import numpy as np
import pytest

from voxclone.errors import VoxcloneError
from voxclone.sphere import unit
from voxclone.training.cohort import means_of_neighbours


def test_neighbours_come_together() -> None:
    centres = np.eye(8)[:5]
    speakers = unit(np.repeat(centres, 4, 0) + 0.05 * np.random.default_rng(0).normal(size=(20, 8)))
    order = np.random.default_rng(1).permutation(20)
    means = means_of_neighbours(speakers[order], 4)
    expected = unit(speakers.reshape(5, 4, 8).mean(1))
    assert means.shape == (5, 8)
    np.testing.assert_allclose((means @ expected.T).max(0), 1.0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), 1.0)


def test_each_speaker_is_in_one_at_most_and_none_stands_alone() -> None:
    speakers = unit(np.random.default_rng(0).normal(size=(23, 12)))
    means = means_of_neighbours(speakers, 3)
    assert len(means) == 7  # two are left over
    assert (means @ speakers.T).max() < 0.999
    np.testing.assert_array_equal(means, means_of_neighbours(speakers, 3))


def test_too_few_speakers_are_refused() -> None:
    with pytest.raises(VoxcloneError, match="2 speakers are too few for a group of 3"):
        means_of_neighbours(np.eye(2), 3)


def test_nobodys_own_voice_is_taken() -> None:
    with pytest.raises(VoxcloneError, match="a group of 1 is a person"):
        means_of_neighbours(np.eye(2), 1)
