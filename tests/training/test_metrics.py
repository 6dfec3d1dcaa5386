"""Equal error rates whose value is known."""

import numpy as np
import pytest

from voxclone.training.metrics import equal_error_rate


@pytest.mark.parametrize(
    ("same", "different", "rate"),
    [
        ([0.8, 0.9], [0.1, 0.2], 0.0),
        ([0.1, 0.2], [0.8, 0.9], 1.0),
        ([0.5, 0.5, 0.5], [0.5, 0.5], 0.5),  # scores that tell nothing
        ([0.3, 0.7, 0.8, 0.9], [0.1, 0.2, 0.25, 0.5], 0.25),
    ],
)
def test_known_rates(same: list[float], different: list[float], rate: float) -> None:
    assert equal_error_rate(same, different) == pytest.approx(rate)


def test_normal_scores_give_the_rate_of_their_distance() -> None:
    rng = np.random.default_rng(0)
    same, different = rng.normal(2.0, 1.0, 20000), rng.normal(0.0, 1.0, 5000)
    assert equal_error_rate(same, different) == pytest.approx(0.1587, abs=0.01)  # of a normal beyond one deviation
