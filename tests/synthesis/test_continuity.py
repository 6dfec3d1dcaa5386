"""A chunk that goes on from another begins as the model says it after that one, and ends as it would by itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from voxclone import Prosody, VoxClone
from voxclone.synthesis.continuity import EARLIER_SYMBOLS, FIRST_SYMBOLS, Link, after_the_earlier, continued
from voxclone.synthesis.reading import read
from voxclone.text.direction import Direction
from voxclone.text.phonemes import Phonemes

ONE, OTHER = "The ferry leaves the harbour at seven.", "By noon the whole market is awake."
CUT = f"<speak><p><s>{ONE}</s><s>{OTHER}</s></p><p>{ONE}</p></speak>"


def symbols(text: str) -> tuple[str, ...]:
    return read(text, "en-us", None, True)[0].symbols


def test_sentences_of_a_paragraph_are_linked() -> None:
    first, second, third = read(CUT, "en-us", None, True)
    assert first.earlier == third.earlier == ()
    assert second.earlier == symbols(ONE)[1:-1][-EARLIER_SYMBOLS:]


def test_other_voices_do_not_go_on() -> None:
    link, chunk = Link(0.6), Phonemes(("^", "w", ".", "$"), ())
    link(chunk)
    assert link(chunk).earlier == ("w", ".")
    assert link(dataclasses.replace(chunk, direction=Direction(voice="bob"))).earlier == ()


@pytest.mark.parametrize(("earlier", "between"), [(("w", "."), ()), (("w",), (" ",))])
def test_a_beginning_is_read_after_the_earlier(earlier: tuple[str, ...], between: tuple[str, ...]) -> None:
    own = ("^", *["w", "iː"] * 30, ".", "$")
    after, offset = after_the_earlier(Phonemes(own, (), earlier=earlier))
    assert after.symbols == ("^", *earlier, *between, *own[1 : 1 + FIRST_SYMBOLS])
    assert after.symbols[offset:] == own[1 : 1 + FIRST_SYMBOLS]


def prosody(sounds: tuple[str, ...], f0: float, energy: float) -> Prosody:
    ones = np.ones(len(sounds), np.float32)
    voiced = np.array([symbol not in ("^", ".", "$", "p") for symbol in sounds])
    return Prosody(
        sounds,
        (),
        10 * np.ones(len(sounds), np.int64),
        np.where(voiced, np.float32(f0), np.float32(0)),
        ones,
        energy * ones,
        ones,
        0 * ones,
        np.zeros(len(sounds), np.int64),
        256 / 22050,
    )


def test_what_was_heard_is_kept_at_the_beginning_and_fades() -> None:
    chunk = Phonemes(("^", "w", "p", *["iː"] * 30, ".", "$"), (), earlier=("w", "."))
    after, _ = after_the_earlier(chunk)
    alone, heard = prosody(chunk.symbols, 200, -10), prosody(after.symbols, 180, -13)
    varied = dataclasses.replace(alone, f0=alone.f0 * np.float32(1.1))
    made = continued(chunk, alone, heard, varied)
    np.testing.assert_allclose(made.f0[1:6], np.array([0.9, 0, 0.9, 0.9, 0.9]) * 220, rtol=1e-5)
    np.testing.assert_allclose(made.energy[1:6], -13)
    assert made.f0[0] == made.f0[-1] == made.f0[2] == 0
    np.testing.assert_array_equal(made.energy[[0, -2, -1]], -10)
    np.testing.assert_array_equal(made.f0[-10:], varied.f0[-10:])
    assert (np.diff(made.f0[3:-2]) >= 0).all()
    for name in ("durations", "voicing", "movement", "gain", "pauses"):
        assert np.array_equal(getattr(made, name), getattr(varied, name))
    np.testing.assert_array_equal(alone.energy, -10)  # the caller's arrays stay the caller's


@pytest.mark.parametrize("seed", [None, 2])
def test_only_the_second_sentence_is_changed_and_not_its_times(tiny_model: VoxClone, seed: int | None) -> None:
    voice = tiny_model.voices["ada"]
    linked = tiny_model.generate(CUT, voice, seed=seed).prosody
    alone = [tiny_model.generate(text, voice, seed=seed).prosody for text in (ONE, OTHER, ONE)]
    assert linked is not None
    parts = linked.split(len(each.symbols) for each in alone if each is not None)
    for part, own, same in zip(parts, alone, (True, False, True), strict=True):
        assert own is not None
        assert np.array_equal(part.durations, own.durations)
        assert np.array_equal(part.f0, own.f0) == np.array_equal(part.energy, own.energy) == same
