"""Voices that are drawn lie among the speakers, and how near they come to one is known."""

from __future__ import annotations

import numpy as np
import pytest

from voxclone.training.voice_density import Measures, draw_voices, nearest_cosines, neighbour_cosines


def speakers(count: int = 400) -> Measures:
    """Speakers of whom the first number of the embedding is larger the higher their f0, who then speak faster."""
    draw = np.random.default_rng(0)
    f0 = np.exp(draw.normal(5.0, 0.3, count))
    embeddings = draw.normal(size=(count, 8)) * 0.3 + [0, 2, 0, 0, 0, 0, 0, 0]
    embeddings[:, 0] += 2 * (np.log(f0) - 5.0)
    return Measures(
        embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True),
        draw.normal(-5, 1, (count, 5)),
        f0,
        np.exp(draw.normal(-1.5, 0.2, count)),
        0.08 * (f0 / 150) ** -0.5,
    )


def test_drawn_voices_lie_among_the_speakers() -> None:
    real = speakers()
    drawn = draw_voices(real, 500, seed=1)
    np.testing.assert_allclose(np.linalg.norm(drawn.embeddings, axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(drawn.spectra.mean(0), real.spectra.mean(0), atol=0.15)
    for column, whole in zip(drawn[1:], real[1:], strict=True):
        assert (column >= whole.min(0)).all() and (column <= whole.max(0)).all()
    assert np.corrcoef(drawn.embeddings[:, 0], np.log(drawn.f0_medians))[0, 1] > 0.5
    np.testing.assert_allclose(drawn.phoneme_seconds, 0.08 * (drawn.f0_medians / 150) ** -0.5)  # what goes together
    assert nearest_cosines(drawn.embeddings, real.embeddings).max() < 1 - 1e-6  # and is nobody
    np.testing.assert_array_equal(draw_voices(real, 3, seed=5).embeddings, draw_voices(real, 3, seed=5).embeddings)


def test_of_two_alike_parts_comes_the_middle() -> None:
    two = speakers().chosen(np.array([3, 4]))
    voice = draw_voices(two, 200, seed=2, parts=(2, 2))
    angles = [np.arccos(voice.embeddings @ each) for each in two.embeddings]
    np.testing.assert_allclose(angles[0] + angles[1], np.arccos(two.embeddings[0] @ two.embeddings[1]), atol=1e-6)
    assert angles[0].mean() == pytest.approx(angles[1].mean(), rel=0.1)


def test_too_few_speakers_are_an_error() -> None:
    with pytest.raises(ValueError, match="5 speakers are too few"):
        draw_voices(speakers(5), 1, seed=0)


def test_nearness() -> None:
    points = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    np.testing.assert_allclose(neighbour_cosines(points), [0.6, 0.8, 0.8])
    np.testing.assert_allclose(nearest_cosines(np.array([[0.8, 0.6]]), points), [0.96])
