"""Equal error rates whose value is known."""

import numpy as np
import pytest

from voxclone.training.metrics import crossing, detection_cost, equal_error_rate, error_curve


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


def test_weights_count_as_repeated_trials_do() -> None:
    rng = np.random.default_rng(0)
    same, different = rng.normal(1.0, 1.0, 50), rng.normal(0.0, 1.0, 80)
    counts = [rng.integers(0, 4, len(scores)) for scores in (same, different)]
    repeated = error_curve(np.repeat(same, counts[0]), np.repeat(different, counts[1]))
    weighted = error_curve(same, different, *counts)
    assert crossing(weighted) == pytest.approx(crossing(repeated))
    assert detection_cost(weighted) == pytest.approx(detection_cost(repeated))


def test_detection_cost_of_a_known_curve() -> None:
    # At a threshold of 0.5 half of the same are refused and nothing is accepted: 0.01 * 0.5 / 0.01.
    assert detection_cost(error_curve([0.4, 0.9], [0.1, 0.5])) == pytest.approx(0.5)
    # With false alarms rare, accepting one in two impostors to keep both is not worth it; with a prior of 0.9 it is.
    assert detection_cost(error_curve([0.4, 0.9], [0.1, 0.5]), prior=0.9) == pytest.approx(0.5)
    assert detection_cost(error_curve([0.1, 0.2], [0.8, 0.9])) == pytest.approx(1.0)
