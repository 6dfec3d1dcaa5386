"""Arriving text is given on at the ends of sentences and clauses, whatever the pieces it comes in."""

from __future__ import annotations

import itertools
import random

import pytest

from voxclone.text.arriving import ArrivingText
from voxclone.text.normalize import normalize
from voxclone.text.sentences import Passage


def told(pieces: list[str], max_chars: int = 200) -> list[Passage]:
    arriving = ArrivingText(max_chars, normalize)
    found = [passage for piece in pieces for passage in arriving.add(piece)]
    return [*found, *arriving.finish()]


def texts(pieces: list[str], max_chars: int = 200) -> list[str]:
    return [passage.text for passage in told(pieces, max_chars)]


def test_a_sentence_is_told_when_the_next_word_is_there() -> None:
    arriving = ArrivingText(200, normalize)
    assert not list(arriving.add("The lamp is lit. "))
    assert not list(arriving.add("Nobo"))
    assert list(arriving.add("dy ")) == [Passage("The lamp is lit. ", 0, "sentence")]
    assert list(arriving.add("saw it.\n\n")) == [Passage("Nobody saw it.\n\n", 17, "paragraph")]
    assert list(arriving.finish()) == []


def test_a_clause_is_told_where_the_sentence_is_not_there_yet() -> None:
    words = "When the long winter was over, the two boats went out to sea again."
    ends = [passage.end for passage in told([f"{word} " for word in words.split()])]
    assert ends == ["clause", "paragraph"]
    assert texts([words + " They came back."]) == [words + " ", "They came back."]  # the whole sentence was there


@pytest.mark.parametrize(
    "text",
    [
        "We have asked good old Dr. Lee to come.",
        "It was in the late spring of May 1, 2024 that it rained.",
        "The price of it was about 3.5 million dollars or so.",
        "All of it happened here on the 3. May was cold.",
        "Well, yes, no.",
    ],
)
def test_no_cut_changes_what_is_read(text: str) -> None:
    found = texts([f"{word} " for word in text.split(" ")])
    assert " ".join(map(normalize, found)).replace(",", "").split() == normalize(text).replace(",", "").split()


def test_short_clauses_wait() -> None:
    assert texts(["Well, ", "yes, ", "no, ", "and ", "so ", "on. ", "Then ", "what? "]) == [
        "Well, yes, no, and so on. ",
        "Then what? ",
    ]


def test_a_sentence_without_marks_is_cut_between_words() -> None:
    found = texts([f"word{'s' * (n % 3)} " for n in range(60)], 50)
    assert all(25 < len(part) <= 50 for part in found[:-1])


def test_what_cannot_be_spoken_is_no_passage() -> None:
    assert texts(["... ", "--- ", "One there. ", "* * *", "\n\n"]) == ["... --- One there. * * *\n\n"]
    assert texts(["One.\n\n", "* * *\n"]) == ["One.\n\n"]
    assert told([]) == [Passage("", 0, "paragraph")]  # for the reader to refuse
    assert texts(["..."]) == ["..."]


@pytest.mark.parametrize("seed", range(15))
def test_nothing_is_lost_however_it_arrives(seed: int) -> None:
    draw = random.Random(seed)
    text = "".join(
        draw.choice(["One", "two ", "three, ", "Dr. ", "four. ", "five! ", "\n", "\n\n", "6.5 ", "- ", '"', "x"])
        for _ in range(250)
    )
    cuts = sorted(draw.sample(range(1, len(text)), 60))
    pieces = [text[low:high] for low, high in itertools.pairwise([0, *cuts, len(text)])]
    found = told(pieces, 60)
    joined = "".join(passage.text for passage in found)
    assert text.startswith(joined)
    assert not any(map(str.isalnum, text[len(joined) :]))
    assert all(text[passage.start :].startswith(passage.text) for passage in found)
    assert all(any(map(str.isalnum, passage.text)) for passage in found)
