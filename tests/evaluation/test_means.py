"""Intervals, error counts, and pitch and pace against values known beforehand."""

import numpy as np
import pytest

from voxclone.evaluation.intervals import bootstrap
from voxclone.evaluation.prosody import measure_prosody
from voxclone.evaluation.words import Errors, comparable, count_errors


def test_interval_of_a_mean_covers_it_as_often_as_it_says() -> None:
    """With normal values the interval is close to the textbook's, mean ± 1.96 s / √n."""
    values = np.random.default_rng(1).normal(3.0, 0.5, 400)
    found = bootstrap(list(values))
    assert found.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert found.low is not None and found.high is not None
    assert found.high == pytest.approx(values.mean() + half, abs=0.15 * half)
    assert found.utterances == 400


def test_ratio_is_of_sums_and_speakers_are_drawn_whole() -> None:
    errors, words = [1, 0, 5], [10, 10, 5]
    assert bootstrap(errors, words).value == pytest.approx(6 / 25)
    alike = bootstrap([0.0] * 50 + [1.0] * 50, groups=["a"] * 50 + ["b"] * 50)
    assert (alike.low, alike.high) == (0.0, 1.0)  # two speakers, however many utterances
    apart = bootstrap([0.0] * 50 + [1.0] * 50)
    assert apart.span is not None and 0.3 < apart.span[0] < apart.span[1] < 0.7
    one = bootstrap([0.2, 0.4], groups=["a", "a"])
    assert one.value == pytest.approx(0.3) and one.utterances == 2
    assert one.low is one.high is one.span is None  # one speaker tells of no other
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([])


def test_texts_are_compared_as_they_are_spoken() -> None:
    assert comparable("Dr. Smith's well-known “plan”, isn't it?") == "doctor smith's well known plan isn't it"
    assert comparable("It cost $3.50.") == comparable("it cost three dollars and fifty cents")
    assert comparable("Mr. Crow and Mrs. Pike") == comparable("mr crow and mrs pike") == "mister crow and missus pike"
    assert comparable("Naïve café — ÉTÉ") == "naïve café été"


def test_errors_are_counted() -> None:
    pytest.importorskip("jiwer")
    assert count_errors("One two three four.", "one too three") == Errors(2, 4, 6, 18)
    assert count_errors("One.", "") == Errors(1, 1, 3, 3)
    assert count_errors("Yes.", "yes") == Errors(0, 1, 0, 3)


def test_pitch_and_pace() -> None:
    rate = 16000
    time = np.arange(2 * rate) / rate
    tone = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 12)).astype(np.float32) * 0.2
    quiet = np.zeros(rate, np.float32)
    found = measure_prosody(np.concatenate([quiet, tone, quiet, tone, quiet]), rate, words=10)
    assert found.f0_median == pytest.approx(150, rel=0.01)
    assert found.f0_spread is not None
    assert found.f0_spread < 0.3
    assert found.words_per_second == pytest.approx(2.0, rel=0.02)  # 10 words in 5 s, outer silence apart
    assert found.pause_share == pytest.approx(0.2, abs=0.02)
    assert measure_prosody(np.zeros(rate, np.float32), rate, 3).f0_median is None
