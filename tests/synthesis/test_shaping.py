"""The controls' arithmetic on prosody: what was asked for is what comes out, and nothing else moves."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="the dev extra is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from voxclone import ConfigError, Prosody
from voxclone.synthesis.controls import Controls
from voxclone.synthesis.shaping import Draft, express, shape, with_pauses
from voxclone.synthesis.timing import fit
from voxclone.text.phonemes import WordSpan

FRAME = 256 / 22050
SYMBOLS = ("^", "h", "ə", "l", "ˈoʊ", ".", "$")


def a_prosody() -> Prosody:
    f0 = np.array([0, 0, 180, 200, 240, 0, 0], np.float32)
    durations = np.array([5, 7, 6, 5, 14, 9, 8])
    ones = np.ones(7, np.float32)
    words = (WordSpan("hello", 1, 5),)
    return Prosody(SYMBOLS, words, durations, f0, ones / 2, -20 * ones, ones, 0 * ones, np.zeros(7, np.int64), FRAME)


def a_draft() -> Draft:
    prosody = a_prosody()
    return Draft(prosody, prosody.durations + 0.25)


def test_nothing_asked_for_changes_nothing() -> None:
    (shaped,) = shape([a_draft()], Controls())
    for name in ("durations", "f0", "voicing", "energy", "movement", "gain", "pauses"):
        assert np.array_equal(getattr(shaped, name), getattr(a_prosody(), name)), name
        assert getattr(shaped, name).dtype == getattr(a_prosody(), name).dtype


def test_pitch_and_energy_move_every_voiced_phoneme() -> None:
    shaped = express(a_prosody(), Controls(pitch=12, energy=2.0))
    np.testing.assert_allclose(shaped.f0, 2 * a_prosody().f0, rtol=1e-6)
    np.testing.assert_allclose(shaped.gain, 20 * math.log10(2), rtol=1e-6)
    np.testing.assert_array_equal(shaped.energy, a_prosody().energy)


@pytest.mark.parametrize("pitch_range", [0.0, 0.5, 2.0])
def test_pitch_range_scales_about_the_middle(pitch_range: float) -> None:
    before, after = a_prosody(), express(a_prosody(), Controls(pitch_range=pitch_range))
    assert after.median_f0 == pytest.approx(before.median_f0, rel=1e-6)
    voiced = before.f0 > 0
    relative = np.log(before.f0[voiced] / before.median_f0)
    np.testing.assert_allclose(np.log(after.f0[voiced] / after.median_f0), pitch_range * relative, atol=1e-6)
    assert not after.f0[~voiced].any()
    np.testing.assert_array_equal(after.movement, pitch_range)


def test_speed_divides_durations_before_they_are_rounded() -> None:
    (shaped,) = shape([a_draft()], Controls(speed=0.5))
    np.testing.assert_array_equal(shaped.durations, np.rint(2 * (a_prosody().durations + 0.25)))
    (fast,) = shape([a_draft()], Controls(speed=4.0))
    assert fast.durations.min() >= 1


@pytest.mark.parametrize("seconds", [0.3, 0.71, 1.0, 2.0])
def test_a_text_lasts_what_was_asked_for(seconds: float) -> None:
    shaped = shape(with_pauses([a_draft(), a_draft()], [0.25, 0.25]), Controls(duration_seconds=seconds))
    total = sum(part.duration_seconds for part in shaped)
    assert total == pytest.approx(round(seconds / FRAME) * FRAME)
    assert abs(total - seconds) <= FRAME / 2
    if seconds > 1.5:
        assert shaped[0].pauses[-1] > 22
        assert not shaped[0].pauses[:-1].any()
    assert not shaped[1].pauses.any()


@pytest.mark.parametrize("seconds", [0.0, 0.05, 30.0])
def test_a_time_that_cannot_be_met_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match=r"asked for what takes 0\.65 s by itself; it can be spoken in 0\.09 to 5\."):
        shape([a_draft()], Controls(duration_seconds=seconds))


def test_vowels_and_pauses_give_more_than_consonants() -> None:
    (slow,) = shape([a_draft()], Controls(duration_seconds=4 * 55.75 * FRAME))
    ratio = slow.durations / (a_prosody().durations + 0.25)
    assert ratio[5] > ratio[4] > ratio[3]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 40), st.floats(0.5, 2)), min_size=1, max_size=40),
    st.floats(0.2, 5.0),
)
def test_a_fit_is_exact(parts: list[tuple[float, float]], factor: float) -> None:
    durations, elasticity = (np.array(column) for column in zip(*parts, strict=True))
    least = np.ones(len(parts), np.int64)
    frames = max(len(parts), math.ceil(factor * durations.sum()))
    if frames > 8 * durations.sum():
        return
    fitted = fit(durations, elasticity, least, frames, FRAME, 8.0)
    assert fitted.sum() == frames
    assert (fitted >= 1).all()
