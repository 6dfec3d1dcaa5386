"""Voices that are drawn are spread as the real ones, and how near they come to one is known."""

from __future__ import annotations

import numpy as np
import pytest

from voxclone.sphere import log_map
from voxclone.training.voice_density import Measures, VoiceDensity, nearest_cosines, neighbour_cosines


def speakers(count: int = 400) -> Measures:
    """Speakers of two kinds: the higher their f0, the larger the first number of their embedding."""
    draw = np.random.default_rng(0)
    f0 = np.exp(draw.normal(5.0, 0.3, count))
    embeddings = draw.normal(size=(count, 8)) * 0.3 + [0, 2, 0, 0, 0, 0, 0, 0]
    embeddings[:, 0] += 2 * (np.log(f0) - 5.0)
    return Measures(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), draw.normal(-5, 1, (count, 5)), f0)


def test_drawn_voices_are_spread_as_the_speakers() -> None:
    real = speakers()
    density = VoiceDensity.fit(real, rank=13)
    drawn = density.sample(4000, seed=1)
    np.testing.assert_allclose(np.linalg.norm(drawn.embeddings, axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(drawn.spectra.mean(0), real.spectra.mean(0), atol=0.15)
    assert np.log(drawn.f0_medians).std() == pytest.approx(np.log(real.f0_medians).std(), rel=0.1)
    spread = [log_map(density.base, voices.embeddings).std(0) for voices in (real, drawn)]
    np.testing.assert_allclose(spread[1], spread[0], rtol=0.25, atol=0.02)
    together = [np.corrcoef(voices.embeddings[:, 0], np.log(voices.f0_medians))[0, 1] for voices in (real, drawn)]
    assert together[1] == pytest.approx(together[0], abs=0.1)
    assert together[0] > 0.5


def test_a_low_temperature_is_near_the_average_voice() -> None:
    density = VoiceDensity.fit(speakers(), rank=6)
    cold, warm = (density.sample(200, seed=2, temperature=t).embeddings @ density.base for t in (0.1, 1.0))
    assert cold.min() > 0.99
    assert warm.mean() < cold.mean()
    np.testing.assert_array_equal(density.sample(3, seed=5).embeddings, density.sample(3, seed=5).embeddings)


def test_too_few_speakers_make_no_density() -> None:
    with pytest.raises(ValueError, match="too few"):
        VoiceDensity.fit(speakers(5), rank=5)


def test_nearness() -> None:
    points = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    np.testing.assert_allclose(neighbour_cosines(points), [0.6, 0.8, 0.8])
    np.testing.assert_allclose(nearest_cosines(np.array([[0.8, 0.6]]), points), [0.96])
