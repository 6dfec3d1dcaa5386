"""Long text is cut where a reader would breathe, and nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from voxclone.text.chunks import split_sentences


def test_sentences_fill_a_chunk_and_a_new_one_begins_at_a_sentence() -> None:
    sentence = "One two three four five. "  # 25 characters
    assert split_sentences(sentence * 5, 60) == [sentence * 2, sentence * 2, sentence]


def test_every_sentence_end_ends_a_chunk() -> None:
    assert split_sentences("A cat? A dog! A cow; a pig.\nA hen: an egg", 8) == [
        "A cat? ",
        "A dog! ",
        "A cow; ",
        "a pig.\n",
        "A hen: ",
        "an egg",
    ]


def test_a_closing_quote_belongs_to_its_sentence() -> None:
    assert split_sentences('He said "no." Then he left.', 15) == ['He said "no." ', "Then he left."]


def test_a_full_stop_inside_a_word_ends_nothing() -> None:
    assert split_sentences("see v1.2.3 or example.com now", 20) == ["see v1.2.3 or ", "example.com now"]


def test_a_long_sentence_is_cut_after_a_comma_of_its_second_half() -> None:
    assert split_sentences("one two three four, five six seven eight", 30) == [
        "one two three four, ",
        "five six seven eight",
    ]


def test_a_comma_too_early_does_not_count() -> None:
    assert split_sentences("one, two three four five six seven", 30) == ["one, two three four five six ", "seven"]


def test_a_word_longer_than_a_chunk_is_cut() -> None:
    assert split_sentences("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]


@pytest.mark.parametrize("text", ["Wait ... what?", "... Wait", "No! --- ?!", "Hm " + ". " * 50 + "yes"])
def test_no_piece_is_without_something_to_speak(text: str) -> None:
    pieces = split_sentences(text, 5)
    assert all(any(map(str.isalnum, piece)) for piece in pieces)
    assert "".join(pieces) == text


@pytest.mark.parametrize("text", ["", " ", "\n\n", "..."])
def test_nothing_to_speak_is_kept_for_phonemize_to_refuse(text: str) -> None:
    assert "".join(split_sentences(text, 10)) == text


def test_pieces_concatenate_to_the_text_and_are_bounded() -> None:
    choose = random.Random(0)
    for _ in range(300):
        text = "".join(choose.choices('ab ,.:;?!\n"é', k=choose.randrange(200)))
        pieces = split_sentences(text, 20)
        assert "".join(pieces) == text
        for piece in pieces:
            spoken = [i for i, character in enumerate(piece) if character.isalnum()]
            assert not spoken or spoken[-1] - spoken[0] < 20


@pytest.mark.parametrize("unit", ["a", " ", ".", ". ", "\n", "a ", "a, ", ") ", "a. ", '"'])
def test_time_is_linear(unit: str, cpu_seconds: Callable[[Callable[[], object]], float]) -> None:
    assert cpu_seconds(lambda: split_sentences(unit * 200_000, 200)) < 5.0
