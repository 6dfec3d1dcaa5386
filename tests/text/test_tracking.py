"""Normalisation that remembers where each character comes from gives the same words as the one that does not."""

from __future__ import annotations

import re

import pytest

from voxclone.text.normalize import normalize
from voxclone.text.tracking import TrackedText, normalize_tracked

CASES = {
    "Dr. Smith paid $3.50 on 1 May.": [("Doctor", "Dr."), ("Smith", "Smith"), ("May", "May")],
    "It was *really* 20% of it – see www.example.com.": [
        ("really", "really"),
        ("percent", "0%"),
        ("example", "example"),
    ],
    "MR SMITH WENT TO THE U.S. AND PAID FIVE POUNDS": [("mister", "MR"), ("smith", "SMITH"), ("pounds", "POUNDS")],
    "One…  two": [("One", "One"), ("two", "two")],
}


@pytest.mark.parametrize("text", CASES)
def test_words_come_from_where_they_are_written(text: str) -> None:
    tracked = normalize_tracked(TrackedText.of(text))
    assert tracked.text == normalize(text)
    assert len(tracked.origins) == len(tracked.text) + 1
    assert list(tracked.origins) == sorted(tracked.origins)
    assert tracked.origins[-1] == len(text)
    for word, written in CASES[text]:
        found = re.search(rf"\b{word}\b", tracked.text)
        assert found, word
        first, last = tracked.origins[found.start()], tracked.origins[found.end() - 1]
        assert text[first : last + 1] == written, word


def test_all_words_of_an_amount_come_from_it() -> None:
    text = "He had $3.50 then."
    tracked = normalize_tracked(TrackedText.of(text))
    start, end = tracked.text.index("three"), tracked.text.index("cents") + 5
    assert {text[origin] for origin in tracked.origins[start:end] if text[origin] != " "} <= set("$3.50")


def test_a_part_keeps_its_origins() -> None:
    tracked = normalize_tracked(TrackedText.of("1 and 2"))
    part = tracked[tracked.text.index("two") :]
    assert (part.text, part.origins[0], part.origins[-1]) == ("two", 6, 7)
    assert tracked.find(6) == tracked.text.index("two")
    assert tracked.with_end("!!").origins[-3:] == (7, 7, 7)
