"""Inline markup: what is markup, what is text, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from voxclone import TextError
from voxclone.text.markup import Markup, parse
from voxclone.text.script import CHAPTER_CHARS, EMPHASIS, PLAIN, Manner, Script


def manner_of(script: Script, word: str) -> Manner:
    position = script.text.index(word)
    return next(run.manner for run in reversed(script.runs) if run.start <= position)


def test_all_of_it() -> None:
    text = "Say *this* [pause 300ms] to [Siobhan](/ʃɪvˈɔːn/), [quite **so**](speed=0.8 pitch=+2 duration=1.5s).[pause]"
    script = parse(text)
    assert script.text == "Say this  to Siobhan, quite so."
    assert manner_of(script, "Say") == PLAIN
    assert manner_of(script, "this") == EMPHASIS["moderate"]
    assert manner_of(script, "quite") == Manner(speed=0.8, pitch=2.0)
    assert manner_of(script, "so.") == EMPHASIS["strong"].within(Manner(speed=0.8, pitch=2.0))
    assert [(p.position, p.value) for p in script.pauses] == [(9, 0.3), (len(script.text), 0.5)]
    ((start, end, ipa),) = script.pronunciations
    assert (script.text[start:end], ipa) == ("Siobhan", "ʃɪvˈɔːn")
    ((start, end, seconds),) = script.durations
    assert (script.text[start:end], seconds) == ("quite so", 1.5)


def test_every_character_knows_where_it_was_given() -> None:
    text = r"a *b* [c](/k/) \[d\] [e *f*](pitch=1) \\ g"
    script = parse(text)
    assert script.text == "a b c [d] e f \\ g"
    assert [text[source] for source in script.sources[:-1]] == list(script.text)
    assert script.sources[-1] == len(text)


@pytest.mark.parametrize("markup", ["auto", "inline", "plain"])
@pytest.mark.parametrize(
    "text", ["", "Nothing here.", "It was [sic] so.", "2*3*4", "a * b * c", "snake_case_word", "[", "]", "*", "[[]]"]
)
def test_what_is_no_markup_is_text(text: str, markup: Markup) -> None:
    script = parse(text, markup)
    assert script.text == text
    assert len(script.runs) == 1


@pytest.mark.parametrize(
    "text",
    ["[link](https://example.com)", "[a](b)", "[pause for it]", "[pause yes]", "[pauses 3s]", "[x](colour=red)"],
)
def test_auto_lets_other_brackets_be(text: str) -> None:
    assert parse(text).text == text


def test_a_pause_parts_words() -> None:
    text = "Hello[pause 1s]world[pause 1s]*so*[pause 1s][Siobhan](/ʃɪvˈɔːn/)."
    script = parse(text)
    assert script.text == "Hello world so Siobhan."
    assert [pause.position for pause in script.pauses] == [5, 11, 14]
    (told,) = script.pronunciations
    assert script.text[told.start : told.end] == "Siobhan"
    for word in ("Hello", "world", "so", "Siobhan"):
        assert script.sources[script.text.index(word)] == text.index(word)
    assert list(script.sources) == sorted(script.sources)


@pytest.mark.parametrize(
    ("pause", "seconds"), [("[pause 300 ms]", 0.3), ("[pause  1.5 s ]", 1.5), ("[pause +2s]", 2.0), ("[pause ]", 0.5)]
)
def test_a_pause_may_have_spaces(pause: str, seconds: float) -> None:
    for markup in ("auto", "inline"):
        assert [each.value for each in parse(f"One {pause} two.", markup).pauses] == [seconds]


def test_plain_has_no_markup() -> None:
    text = "*a* [pause 1s] [b](/b/) <speak>"
    assert parse(text, "plain").text == text


@pytest.mark.parametrize(
    ("text", "markup", "message"),
    [
        ("Well, [pause 5] so", "inline", "in the bracket at position 6: pause is '5'; give it as 300ms or 1.5s"),
        ("Well, [pause for it] so", "inline", "at position 6: a pause is written"),
        ("Well, [pause 300] so", "auto", "in the bracket at position 6: pause is '300'; give it as 300ms or 1.5s"),
        ("[pause 5 seconds]", "auto", "pause is '5seconds'"),
        ("[pause 1,5]", "auto", "pause is '1,5'"),
        ("[pause 61s]", "auto", "it can be 60s at most"),
        ("[pause -1s]", "auto", "pause is '-1s'"),
        ("[pause ٣s]", "auto", "pause is"),
        ("ab [c](/ʘ/)", "auto", "at position 3: 'ʘ' in the pronunciation 'ʘ' is no known IPA sound"),
        ("[c](//)", "auto", "at position 0: the pronunciation '' has no sound"),
        ("[.](/b/)", "auto", "no word that could be pronounced"),
        ("[c](speed=9)", "auto", "speed is '9'; it must be a number from 0.25 to 4"),
        ("[c](pitch=nan)", "auto", "pitch is 'nan'"),
        ("[c](duration=3)", "auto", "duration is '3'; give it as"),
        ("[c](colour=red)", "inline", "'colour=red' sets none of speed, pitch, pitch_range, energy, duration"),
        ("[link](https://x)", "inline", "at position 0: what follows is no pronunciation"),
        ("a *b [c](speed=0)* d", "auto", "in the bracket at position 5: speed is '0'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, markup: Markup, message: str) -> None:
    with pytest.raises(TextError) as caught:
        parse(text, markup)
    assert message in str(caught.value)
    assert caught.value.position == text.index("[")


def test_time_is_linear_in_text_without_an_end(cpu_seconds: Callable[[Callable[[], object]], float]) -> None:
    def seconds(size: int) -> float:
        texts = ("[" * size, "[a" * size + "](pitch=1)" * 9, "*a" * size, "[*" * size, "\\" * size, "[]" * size)
        return cpu_seconds(lambda: [parse(text) for text in texts])

    assert seconds(64_000) < 20 * seconds(8000)  # quadratic time would be 64 times as long


def test_nesting_ends() -> None:
    with pytest.raises(TextError, match="nested more than 16 deep"):
        parse("[" * 20 + "a" + "](pitch=1)" * 20)


def test_markup_that_overlaps_says_nothing_twice() -> None:
    for text, said in {
        "*foo [bar* baz](pitch=+2) end": "foo [bar baz](pitch=+2) end",
        "a [b *c](pitch=+2) d* e": "a b *c d* e",
        "[a *b](/x/)* c": "a *b* c",
    }.items():
        script = parse(text)
        assert script.text == said
        assert list(script.sources) == sorted(script.sources)


def test_nested_manners_stay_within_the_bounds_of_one() -> None:
    text = "x"
    for _ in range(12):
        text = f"[{text}](speed=0.25 pitch=+24 pitch_range=4 energy=4)"
    assert manner_of(parse(text), "x") == Manner(0.25, 24.0, 4.0, 4.0)


def test_a_short_text_is_not_days_of_silence() -> None:
    assert len(parse("a [pause 60s]" * 60).pauses) == 60
    with pytest.raises(TextError, match="longer than 3600 s together") as caught:
        parse("a [pause 60s]" * 61)
    assert caught.value.position == 60 * len("a [pause 60s]") + 2


def test_pauses_may_be_an_hour_for_each_chapter() -> None:
    hour = "[pause 60s] " * 60
    chapter = "It went on and on. " * (CHAPTER_CHARS // 19 + 1)
    assert len(parse(f"{hour}{chapter}{hour}").pauses) == 120
    with pytest.raises(TextError, match="longer than 3600 s together"):
        parse(f"{hour}{chapter[:1000]}[pause 1s]")


def test_half_a_character_becomes_one_that_files_can_hold() -> None:
    """Python reads bytes in arguments that are no UTF-8 as lone surrogates."""
    for markup in ("auto", "plain", "inline"):
        assert parse("a \udcff\ud83d b", markup).text == "a \ufffd\ufffd b"
    assert parse("<speak>a \udcff b</speak>").text == "a \ufffd b"
