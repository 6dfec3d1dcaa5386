"""Sentences are found where a reader would end them, and a text's passages are all of it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from voxclone.text.sentences import passages, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello. My name is Jonas.", ["Hello. ", "My name is Jonas."]),
        ("I met Dr. Lee on Jan. 5. He left.", ["I met Dr. Lee on Jan. 5. ", "He left."]),
        ('She turned to him, "This is great." she said.', ['She turned to him, "This is great." she said.']),
        ("She works at Yahoo! in the accounting department.", ["She works at Yahoo! in the accounting department."]),
        ("It cost $3.50. Too much?  Yes!", ["It cost $3.50. ", "Too much?  ", "Yes!"]),
        ("  Led by spaces. Two.", ["  Led by spaces. ", "Two."]),
        ("", []),
        (" ", [" "]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_short_sentences_share_a_passage() -> None:
    assert [p.text for p in passages("One two. Three four. Five six.", 20)] == ["One two. Three four. ", "Five six."]


def test_no_passage_crosses_a_paragraph() -> None:
    found = list(passages("One.\nTwo.\n\nThree.\n \n\n  Four. Five.", 100))
    assert [p.text for p in found] == ["One.\nTwo.\n\n", "Three.\n \n\n  ", "Four. Five."]
    assert [p.start for p in found] == [0, 11, 23]
    assert all(p.end == "paragraph" for p in found)
    ends = [p.end for p in passages("One two. Three four.\n\nFive.", 10)]
    assert ends == ["sentence", "paragraph", "paragraph"]


def test_what_cannot_be_spoken_stays_with_its_neighbour() -> None:
    assert [p.text for p in passages("* * *\n\nOne.\n\n---\n\nTwo.", 100)] == ["* * *\n\nOne.\n\n---\n\n", "Two."]


@pytest.mark.parametrize("seed", range(20))
def test_passages_are_the_text(seed: int) -> None:
    draw = random.Random(seed)
    text = "".join(
        draw.choice(["a", "Bc", " ", ". ", "?! ", "\n", "\n\n", '"', "(", ")", "Dr. ", "3.5", "…"]) for _ in range(300)
    )
    found = list(passages(text, 30))
    assert "".join(p.text for p in found) == text
    assert all(text[p.start :].startswith(p.text) for p in found)
    assert all(any(map(str.isalnum, p.text)) for p in found)


def test_the_first_passage_does_not_wait_for_the_last(cpu_seconds: Callable[[Callable[[], object]], float]) -> None:
    paragraph = "The night was long. Nobody slept, and Mr. Brown least of all. " * 10
    short, long = ((paragraph + "\n\n") * count for count in (10, 2000))
    first = cpu_seconds(lambda: next(passages(short, 200)))
    assert cpu_seconds(lambda: next(passages(long, 200))) < first + 0.5
