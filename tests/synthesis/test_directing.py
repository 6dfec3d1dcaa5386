"""Markup is spoken: pauses and durations to the frame, manners where they stand, voices, marks, written pieces."""

from __future__ import annotations

import numpy as np
import pytest

from voxclone import ConfigError, Segment, Speech, TextError, Voice, VoiceError, VoxClone
from voxclone.synthesis.directing import CLAUSE_SECONDS

FRAME = 256 / 22050


@pytest.fixture(scope="module")
def ada(tiny_model: VoxClone) -> Voice:
    return tiny_model.voices["ada"]


def gap(speech: Speech, before: str, after: str) -> float:
    """Seconds between the end of one word and the start of another."""
    words = {word.text: word for word in speech.words}
    return words[after].start_seconds - words[before].end_seconds


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("One two[pause {}ms] three four.", "two", "three"),
        ("One two, [pause {}ms] three four.", "two", "three"),
        ("One two. [pause {}ms] Three four.", "two", "Three"),
        ("<speak><p>One two.</p><break time='{}ms'/><p>Three four.</p></speak>", "two", "Three"),
        ("<speak><p>One two.<break time='{}ms'/></p><p>Three four.</p></speak>", "two", "Three"),
        ("<speak>One two.<break time='{}ms'/><voice name='bob'>Three</voice></speak>", "two", "Three"),
    ],
)
@pytest.mark.parametrize("milliseconds", [300, 1000, 5000])
def test_a_pause_lasts_what_was_asked_for(
    tiny_model: VoxClone, ada: Voice, text: str, before: str, after: str, milliseconds: int
) -> None:
    speech = tiny_model.generate(text.format(milliseconds), ada, speed=1.3)
    assert abs(gap(speech, before, after) - milliseconds / 1000) <= FRAME / 2 + 1e-9
    assert speech.phonemes[-1].end_seconds == speech.duration_seconds


def test_pauses_add_up_and_frame_the_text(tiny_model: VoxClone, ada: Voice) -> None:
    speech = tiny_model.generate("[pause 1s] One [pause 200ms][pause 300ms] two. [pause 2s]", ada)
    assert speech.words[0].start_seconds == pytest.approx(1.0, abs=FRAME / 2)
    assert gap(speech, "One", "two") == pytest.approx(0.5, abs=FRAME / 2)
    assert speech.duration_seconds - speech.words[-1].end_seconds == pytest.approx(2.0, abs=FRAME / 2)
    assert not speech.samples[-22050:].any()


def test_spans_last_what_was_asked_for(tiny_model: VoxClone, ada: Voice) -> None:
    text = "One [two three](duration=900ms) four [five [pause 400ms] six](duration=1.5s). " + (
        "[Seven eight. " + "Nine ten and more of it here. " * 9 + "Eleven](duration=20s) twelve."
    )
    speech = tiny_model.generate(text, ada)
    words = {word.text: word for word in speech.words}
    for first, last, seconds in (("two", "three", 0.9), ("five", "six", 1.5), ("Seven", "Eleven", 20.0)):
        spoken = words[last].end_seconds - words[first].start_seconds
        assert abs(spoken - seconds) <= FRAME / 2 + 1e-9, first
    assert gap(speech, "five", "six") == pytest.approx(0.4, abs=FRAME / 2)


def test_a_whole_with_parts_lasts_what_was_asked_for(tiny_model: VoxClone, ada: Voice) -> None:
    speech = tiny_model.generate("One [two](duration=500ms) [pause 1s] three four.", ada, duration_seconds=4.0)
    two = speech.words[1]
    assert abs(speech.duration_seconds - 4.0) <= FRAME / 2 + 1e-9
    assert two.end_seconds - two.start_seconds == pytest.approx(0.5, abs=FRAME / 2)
    assert gap(speech, "two", "three") == pytest.approx(1.0, abs=FRAME / 2)


def test_too_little_time_is_an_error(tiny_model: VoxClone, ada: Voice) -> None:
    with pytest.raises(ConfigError, match=r"0\.02 s is asked for what takes"):
        tiny_model.generate("One [two three four](duration=20ms).", ada)


def test_a_manner_is_that_of_its_words(tiny_model: VoxClone, ada: Voice) -> None:
    plain = tiny_model.generate("One two three.", ada)
    higher = tiny_model.generate("One [two](pitch=+5 energy=2) three.", ada)
    assert plain.prosody and higher.prosody
    assert plain.words == higher.words
    word = plain.prosody.words[1]
    inside = np.zeros(len(plain.prosody.symbols), bool)
    inside[word.start : word.end] = True
    spoken = np.array([symbol not in ("^", "$", " ", ".") for symbol in plain.prosody.symbols])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(higher.prosody.f0 / plain.prosody.f0, nan=1.0)
    voiced = plain.prosody.f0 > 0
    np.testing.assert_allclose(ratio[inside & voiced], 2 ** (5 / 12), rtol=1e-5)
    np.testing.assert_allclose(ratio[~inside & voiced & spoken], 1.0)
    louder = higher.prosody.gain - plain.prosody.gain
    np.testing.assert_allclose(louder[inside], 20 * np.log10(2), rtol=1e-4)
    np.testing.assert_allclose(louder[~inside & spoken], 0.0)
    slow = tiny_model.generate("One [two](speed=0.5) three.", ada)
    ratio = (slow.words[1].end_seconds - slow.words[1].start_seconds) / (
        plain.words[1].end_seconds - plain.words[1].start_seconds
    )
    assert 1.5 < ratio < 2.5
    assert slow.words[0] == plain.words[0]


def test_a_pronunciation_is_taken_and_the_word_stays(tiny_model: VoxClone, ada: Voice) -> None:
    speech = tiny_model.generate("I live in [New York](/bi ba/), not in York.", ada)
    assert [word.text for word in speech.words] == ["I", "live", "in", "New York", "not", "in", "York"]
    assert speech.prosody
    told = speech.prosody.words[3]
    assert speech.prosody.symbols[told.start : told.end] == ("b", "i", " ", "b", "æ")
    other = speech.prosody.words[6]
    assert speech.prosody.symbols[other.start : other.end] != ("b", "æ")


def test_voices_by_name(tiny_model: VoxClone, ada: Voice) -> None:
    bob = tiny_model.voices["bob"]
    text = '<speak>Hello there. <voice name="{}">How are you?</voice> Well.</speak>'
    named = tiny_model.generate(text.format("bob"), ada)
    given = tiny_model.generate(text.format("friend"), ada, voices={"friend": bob})
    assert np.array_equal(named.samples, given.samples)
    assert not np.array_equal(named.samples, tiny_model.generate(text.format("ada"), ada).samples)
    alone = tiny_model.generate("How are you?", bob)
    start = round(named.words[2].start_seconds / FRAME)
    own = round(alone.words[0].start_seconds / FRAME)
    np.testing.assert_allclose(named.mel[:, start : start + 10], alone.mel[:, own : own + 10], atol=1e-3)
    assert named.provenance.voice_id not in (ada.voice_id, bob.voice_id)
    with pytest.raises(VoiceError, match="asks for the voice 'eve'; there is 'ada', 'bob'"):
        tiny_model.generate(text.format("eve"), ada)


def test_marks_and_written_pieces(tiny_model: VoxClone, ada: Voice) -> None:
    speech = tiny_model.generate('<speak>Dr. Lee <mark name="m"/>paid $3.50 – twice.<mark name="end"/></speak>', ada)
    paid = next(word for word in speech.words if word.text == "paid")
    assert speech.marks == (
        Segment("m", paid.start_seconds, paid.start_seconds),
        Segment("end", speech.duration_seconds, speech.duration_seconds),
    )
    assert [piece.text for piece in speech.written] == ["Dr.", "Lee", "paid", "$3.50 –", "twice."]
    amount = speech.written[3]
    assert (amount.start_seconds, amount.end_seconds) == (speech.words[3].start_seconds, speech.words[7].end_seconds)


def test_an_address_longer_than_a_chunk_is_written_in_each(tiny_model: VoxClone, ada: Voice) -> None:
    address = "https://a.b/ps://a.b/c?d" + "https://a.b/c?d" * 11 + "https://a.b/"
    speech = tiny_model.generate(address, ada, markup="inline")
    assert len(speech.written) > 2 and all(piece.text in address for piece in speech.written)


@pytest.mark.parametrize(
    "text",
    [
        "One [pause 1s] *two*. [Three](duration=1s) [four](/fɔːɹ/).",
        "<speak>One.<break time='2s'/><p>Two</p> <prosody rate='50%' duration='3s'>three</prosody></speak>",
    ],
)
def test_prosody_of_marked_up_text_is_spoken_again_as_it_was(tiny_model: VoxClone, ada: Voice, text: str) -> None:
    first = tiny_model.generate(text, ada)
    again = tiny_model.generate(text, ada, prosody=first.prosody)
    assert np.array_equal(first.samples, again.samples)


def test_faults_are_placed_in_what_was_given(tiny_model: VoxClone, ada: Voice) -> None:
    for text in ("*One* [two](pitch=1) \u65e5.", "<speak>$5 é <emphasis>b \u65e5</emphasis></speak>"):
        with pytest.raises(TextError) as caught:
            tiny_model.generate(text, ada)
        assert caught.value.position == text.index("\u65e5")
        assert f"position {caught.value.position}:" in str(caught.value)


@pytest.mark.parametrize("text", ["<speak/>", "<speak><p> </p><break time='1s'/></speak>", "[pause 1s]"])
def test_markup_without_words_is_an_error(tiny_model: VoxClone, ada: Voice, text: str) -> None:
    with pytest.raises(TextError):
        tiny_model.generate(text, ada)


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_where_a_sentence_is_cut_the_pause_is_a_commas(tiny_model: VoxClone, ada: Voice, speed: float) -> None:
    text = "The old man walked slowly along the river bank, while his dogs ran ahead of him."
    stream = tiny_model.stream(iter([f"{word} " for word in text.split()]), ada, speed=speed)
    chunks = list(stream)
    words = {word.text: word for word in stream.words}
    assert abs(words["while"].start_seconds - words["bank"].end_seconds - CLAUSE_SECONDS / speed) <= FRAME
    assert len(chunks) > 1
    asked = tiny_model.stream(iter([f"{word} " for word in text.replace("bank,", "bank, [pause 900ms]").split()]), ada)
    list(asked)
    words = {word.text: word for word in asked.words}
    assert words["while"].start_seconds - words["bank"].end_seconds == pytest.approx(0.9, abs=FRAME / 2)
