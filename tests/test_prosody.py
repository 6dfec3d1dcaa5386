"""Prosody comes out of speech, can be changed, kept in a file, and is spoken as it says."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from voxclone import ConfigError, Prosody, Speech, VoxClone
from voxclone.models.acoustic.pauses import PausePredictor

TEXT = "Hello there, you."
LONG = "The first sentence has some words, quite many of them. " * 8


@pytest.fixture(scope="module")
def speech(tiny_model: VoxClone) -> Speech:
    return tiny_model.generate(TEXT, tiny_model.voices["ada"])


def prosody_of(speech: Speech) -> Prosody:
    assert speech.prosody is not None
    return speech.prosody


@pytest.mark.parametrize("text", [TEXT, LONG])
@pytest.mark.parametrize("controls", [{}, {"pitch": 3.0, "speed": 0.8, "pitch_range": 1.4, "energy": 1.3}, {"seed": 4}])
def test_unchanged_it_gives_the_same_samples(tiny_model: VoxClone, text: str, controls: dict[str, Any]) -> None:
    voice = tiny_model.voices["ada"]
    first = tiny_model.generate(text, voice, **controls)
    again = tiny_model.generate(text, voice, prosody=prosody_of(first))
    assert np.array_equal(again.samples, first.samples)
    assert again.phonemes == first.phonemes


def test_it_says_what_was_spoken(speech: Speech) -> None:
    prosody = prosody_of(speech)
    prosody.check()
    assert prosody.symbols == tuple(segment.text for segment in speech.phonemes)
    seconds = prosody.durations * prosody.frame_seconds
    spoken = [segment.end_seconds - segment.start_seconds for segment in speech.phonemes]
    np.testing.assert_allclose(seconds, spoken, atol=1e-9)
    assert prosody.duration_seconds == pytest.approx(speech.duration_seconds)
    first = prosody.words[0]
    assert prosody.symbols[first.start : first.end] == ("h", "ə", "l", "ˈoʊ")


def test_changes_are_spoken(tiny_model: VoxClone, speech: Speech) -> None:
    voice, changed = tiny_model.voices["ada"], prosody_of(speech).copy()
    word = changed.words[1]
    changed.durations[word.start : word.end] += 10
    slower = tiny_model.generate(TEXT, voice, prosody=changed)
    before, after = speech.words[1], slower.words[1]
    frames = 10 * (word.end - word.start)
    longer = (after.end_seconds - after.start_seconds) - (before.end_seconds - before.start_seconds)
    assert longer == pytest.approx(frames * changed.frame_seconds)
    assert after.start_seconds == before.start_seconds
    changed.energy[word.start : word.end] += 6
    assert not np.array_equal(tiny_model.generate(TEXT, voice, prosody=changed).samples, slower.samples)
    assert np.array_equal(prosody_of(speech).durations + 0, prosody_of(speech).durations)


def test_the_callers_arrays_stay_the_callers(tiny_model: VoxClone, speech: Speech) -> None:
    given = prosody_of(speech).copy()
    kept = given.copy()
    spoken = tiny_model.generate(TEXT, tiny_model.voices["ada"], prosody=given, pitch=2.0, duration_seconds=2.0)
    for name in ("durations", "f0", "energy"):
        assert np.array_equal(getattr(given, name), getattr(kept, name))
        assert not np.shares_memory(getattr(given, name), getattr(prosody_of(spoken), name))


def test_controls_change_a_given_prosody_further(tiny_model: VoxClone, speech: Speech) -> None:
    voice, given = tiny_model.voices["ada"], prosody_of(speech)
    higher = prosody_of(tiny_model.generate(TEXT, voice, prosody=given, pitch=12.0, duration_seconds=2.0))
    np.testing.assert_allclose(higher.f0, 2 * given.f0, rtol=1e-6)
    assert abs(higher.duration_seconds - 2.0) <= given.frame_seconds / 2


def test_lists_take_one_for_each(tiny_model: VoxClone, speech: Speech) -> None:
    voice, given = tiny_model.voices["ada"], prosody_of(speech)
    free, fixed = tiny_model.generate([TEXT, TEXT], voice, prosody=[None, given], duration_seconds=[2.0, None])
    assert abs(free.duration_seconds - 2.0) <= given.frame_seconds / 2
    assert fixed.duration_seconds == speech.duration_seconds
    for wrong in ([given], given):
        with pytest.raises(ConfigError, match=r"prosody is .* for 2 texts"):
            tiny_model.generate([TEXT, TEXT], voice, prosody=wrong)
    with pytest.raises(ConfigError, match="a list of 1 for one text"):
        tiny_model.generate(TEXT, voice, prosody=[given])


def test_it_is_kept_bit_for_bit(speech: Speech, tmp_path: Path) -> None:
    prosody = prosody_of(speech)
    prosody.save(tmp_path / "p.json")
    loaded = Prosody.load(tmp_path / "p.json")
    assert (loaded.symbols, loaded.words, loaded.frame_seconds) == (
        prosody.symbols,
        prosody.words,
        prosody.frame_seconds,
    )
    for name in ("durations", "f0", "voicing", "energy", "movement", "gain", "pauses"):
        assert np.array_equal(getattr(loaded, name), getattr(prosody, name)), name
        assert getattr(loaded, name).dtype == getattr(prosody, name).dtype
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


def test_a_file_of_version_1_has_no_gain(speech: Speech, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    prosody_of(speech).save(path)
    content = json.loads(path.read_text()) | {"format_version": 1}
    del content["gain"]
    path.write_text(json.dumps(content))
    assert not Prosody.load(path).gain.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "is no prosody file"),
        ({"format_version": 3}, "of version 3; this voxclone reads 1 to 2"),
        ({"f0": [1.0]}, "shape"),
        ({"durations": "x"}, "cannot be read"),
        ({"extra": 1}, "cannot be read"),
        ({"frame_seconds": 0}, r"frame_seconds is 0\.0; it must be above 0"),
        ({"frame_seconds": -0.01}, "must be above 0"),
        ({"words": [["hello", 1, 1000]]}, "has 'hello' at phonemes 1 to 1000 of"),
        ({"words": [["hello", 0, 0]]}, "has 'hello' at phonemes 0 to 0 of"),
        ({"symbols": ["?!"]}, "is not a symbol|shape"),
    ],
)
def test_a_file_that_is_no_prosody(speech: Speech, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "p.json"
    prosody_of(speech).save(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | change))
    if "extra" in change:
        content.pop("energy")
        path.write_text(json.dumps(content))
    with pytest.raises((ConfigError, ValueError), match=message):
        Prosody.load(path)


def test_nothing_cannot_be_put_one_after_another() -> None:
    with pytest.raises(ConfigError, match="at least one part"):
        Prosody.concatenate([])


def test_words_are_the_texts_own(tiny_model: VoxClone, speech: Speech) -> None:
    without = dataclasses.replace(prosody_of(speech), words=())
    again = tiny_model.generate(TEXT, tiny_model.voices["ada"], prosody=without)
    assert again.words == speech.words
    np.testing.assert_array_equal(again.samples, speech.samples)


def test_a_folder_that_is_not_there_is_said(speech: Speech, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist; create it first"):
        prosody_of(speech).save(tmp_path / "none" / "p.json")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("durations", 0, r"prosody\.durations\[2\], of 'ə', is 0; it must be from 1 to"),
        ("durations", 10**6, "must be from 1 to"),
        ("f0", -1.0, "must be from 0"),
        ("f0", np.nan, "must be from 0"),
        ("voicing", 1.5, "must be from 0 to 1"),
        ("energy", np.inf, "must be from -200"),
        ("movement", -1.0, "must be from 0"),
        ("pauses", 3, "only after '\\$' can one be"),
    ],
)
def test_what_cannot_be_spoken_is_refused(
    tiny_model: VoxClone, speech: Speech, name: str, value: float, message: str
) -> None:
    changed = prosody_of(speech).copy()
    getattr(changed, name)[2] = value
    with pytest.raises(ConfigError, match=message):
        tiny_model.generate(TEXT, tiny_model.voices["ada"], prosody=changed)


def test_columns_of_another_shape_or_type_are_refused(tiny_model: VoxClone, speech: Speech) -> None:
    prosody = prosody_of(speech)
    for changed in (
        dataclasses.replace(prosody, f0=prosody.f0[1:]),
        dataclasses.replace(prosody, f0=prosody.f0.astype(np.float64)),
        dataclasses.replace(prosody, f0=prosody.f0.tolist()),
    ):
        with pytest.raises(ConfigError, match=r"prosody\.f0 is"):
            tiny_model.generate(TEXT, tiny_model.voices["ada"], prosody=changed)


def test_the_prosody_of_another_text_is_refused(tiny_model: VoxClone, speech: Speech) -> None:
    with pytest.raises(ConfigError, match="of another text: phoneme 2 is 'ə' there and"):
        tiny_model.generate("Hi there, you.", tiny_model.voices["ada"], prosody=speech.prosody)
    with pytest.raises(ConfigError, match="of another text: phoneme 13 is"):
        tiny_model.generate(f"{TEXT} {LONG}", tiny_model.voices["ada"], prosody=speech.prosody)


def test_a_number_that_no_float_holds_is_refused_without_a_warning(speech: Speech, tmp_path: Path) -> None:
    prosody_of(speech).save(tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    content["energy"][1] = 1e300
    (tmp_path / "a.json").write_text(json.dumps(content))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConfigError, match=r"prosody\.energy\[1\], of .*, is inf"):
            Prosody.load(tmp_path / "a.json")


def test_a_melody_moves_to_another_register(speech: Speech) -> None:
    moved = prosody_of(speech).in_register(110.0)
    assert moved.median_f0 == pytest.approx(110.0, rel=1e-5)
    ratio = moved.f0[moved.f0 > 0] / prosody_of(speech).f0[moved.f0 > 0]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


@pytest.fixture
def pausing(tiny_folder: Path) -> VoxClone:
    """A model that pauses between all words."""
    model = VoxClone.from_pretrained(tiny_folder, device="cpu")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dim = model.config.acoustic.hidden_dim
        model._acoustic.pauses = PausePredictor(dim, dim, 0.0).eval()
    model._acoustic.pauses.bar.fill_(-100.0)
    return model


def with_symbols(prosody: Prosody, old: str, new: str) -> Prosody:
    return dataclasses.replace(prosody.copy(), symbols=tuple(new if s == old else s for s in prosody.symbols))


def test_the_voices_pauses_are_told_and_can_be_taken_out(tiny_model: VoxClone, pausing: VoxClone) -> None:
    text = "Hello there you and me"
    ada, plain = pausing.voices["ada"], tiny_model.generate(text, tiny_model.voices["ada"])
    first = pausing.generate(text, ada)
    told = prosody_of(first)
    assert (told.symbols.count(","), told.symbols.count(" ")) == (4, 0)
    assert [phoneme.text for phoneme in first.phonemes] == list(told.symbols)
    assert np.array_equal(pausing.generate(text, ada, prosody=told).samples, first.samples)
    unpaused = with_symbols(told, ",", " ")
    assert unpaused.symbols == prosody_of(plain).symbols
    expected = tiny_model.generate(text, tiny_model.voices["ada"], prosody=unpaused)
    assert np.array_equal(pausing.generate(text, ada, prosody=unpaused).samples, expected.samples)
    assert not np.array_equal(expected.samples, first.samples)


def test_a_given_pause_is_read_as_one_of_the_text(tiny_model: VoxClone) -> None:
    ada = tiny_model.voices["ada"]
    given = with_symbols(prosody_of(tiny_model.generate("Hello there you", ada)), " ", ",")
    given.durations[[symbol == "," for symbol in given.symbols]] = 60  # longer than the decoder is asked for
    as_written = tiny_model.generate("Hello, there, you", ada, prosody=given)
    assert np.array_equal(tiny_model.generate("Hello there you", ada, prosody=given).samples, as_written.samples)
    other = with_symbols(given, ",", ";")
    with pytest.raises(ConfigError, match="is ';' there and ' ' here"):
        tiny_model.generate("Hello there you", ada, prosody=other)


def test_lists_mix_given_pauses_with_the_voices_own(pausing: VoxClone) -> None:
    ada = pausing.voices["ada"]
    free = pausing.generate(TEXT, ada)
    given = with_symbols(prosody_of(free), ",", " ")
    one, other = pausing.generate([TEXT, TEXT.replace(",", "")], ada, prosody=[None, given])
    assert np.array_equal(one.samples, free.samples)
    assert prosody_of(other).symbols == given.symbols


def test_parts_make_the_whole(speech: Speech) -> None:
    prosody = prosody_of(speech)
    parts = prosody.split([3, len(prosody.symbols) - 3])
    whole = Prosody.concatenate(parts)
    assert whole.symbols == prosody.symbols
    assert np.array_equal(whole.f0, prosody.f0)
    assert [word.text for word in whole.words] == ["there", "you"]  # the cut goes through "Hello"
