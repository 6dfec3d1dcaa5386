"""Arriving text is given on at the ends of sentences and clauses, whatever the pieces it comes in."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from voxclone import TextError
from voxclone.text.arriving import Arrived, ArrivingText
from voxclone.text.markup import Markup, parse, unfinished
from voxclone.text.normalize import normalize

LEFT = "He came, saw, and left. "


def told(pieces: list[str], max_chars: int = 200, markup: Markup = "plain") -> list[Arrived]:
    arriving = ArrivingText(max_chars, normalize, markup)
    found = [passage for piece in pieces for passage in arriving.add(piece)]
    return [*found, *arriving.finish()]


def texts(pieces: list[str], max_chars: int = 200, markup: Markup = "plain") -> list[str]:
    return [passage.text for passage in told(pieces, max_chars, markup)]


def test_a_sentence_is_told_when_the_next_word_is_there() -> None:
    arriving = ArrivingText(200, normalize, "plain")
    assert not list(arriving.add("The lamp is lit. "))
    assert not list(arriving.add("Nobo"))
    assert list(arriving.add("dy ")) == [Arrived("The lamp is lit. ", 0, "sentence", True)]
    assert list(arriving.add("saw it.\n\n")) == [Arrived("Nobody saw it.\n\n", 17, "paragraph", False)]
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
    assert told([]) == [Arrived("", 0, "paragraph", False)]  # for the reader to refuse
    assert texts(["..."]) == ["..."]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_fence_of_code_is_no_passage_by_itself(size: int) -> None:
    text = "Run it so.\n\n```python\n\nOpen the door.\n\n```\n\nThen close it.\n\n```text\n"
    found = texts([text[at : at + size] for at in range(0, len(text), size)])
    assert [normalize(passage) for passage in found if passage.strip()] == [
        "Run it so.",
        "Open the door.",
        "Then close it.",
    ]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_tag_is_no_passage_by_itself(size: int) -> None:
    text = '<div class="a">\n\n<p>Open the door. It is late.</p>\n\n<br>\n\n<p>Then close it.</p>\n\n</div>\n\n<hr>'
    found = texts([text[at : at + size] for at in range(0, len(text), size)])
    read = [normalize(passage) for passage in found if passage.strip()]
    assert read == ["Open the door.", "It is late.", "Then close it."]


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


MARKED = (
    "It was *never* there. [pause 300ms] He [read](/ɹˈɛd/) it, and then [went. On](speed=0.7 pitch=+2) he *ran* away; "
    "so\\[ that [1] was it. **All of it** is here. [pause 1s]\n\n[pause] The *end* is [near, I say](duration=2s)."
)


def test_markup_is_not_cut_and_gives_what_the_whole_gives() -> None:
    whole = parse(MARKED)
    for size in (1, 2, 5, 17, 400):
        arriving = ArrivingText(60, normalize, "auto")
        pieces = [MARKED[at : at + size] for at in range(0, len(MARKED), size)]
        found = [passage for piece in pieces for passage in arriving.add(piece)] + list(arriving.finish())
        assert len(found) >= 4
        assert "".join(passage.text for passage in found) == MARKED
        scripts = [arriving.script(passage) for passage in found]
        assert "".join(script.text for script in scripts) == whole.text
        assert [source for script in scripts for source in script.sources[:-1]] == list(whole.sources[:-1])
        assert [point.value for script in scripts for point in script.pauses] == [0.3, 1.0, 0.5]
        assert sum(len(script.pronunciations) + len(script.durations) for script in scripts) == 2
        assert {run.manner for script in scripts for run in script.runs} == {run.manner for run in whole.runs}


def test_what_may_become_markup_counts_as_not_there() -> None:
    for text in ("One. [two", "One. [two]", "One. [two](", "One. [two](pitch=+2", "One. *two", "One. **", "One. *two*"):
        assert unfinished(text) == 5, text
    for text in (
        "One [two] x",
        "One * two",
        "2*3",
        "[a](b) c",
        "*two* x",
        "One. [two\n\nx",
        "*two\nx",
        f"[{'a' * 1000}",
    ):
        assert unfinished(text) == len(text), text
    assert unfinished("a \\") == 2
    assert unfinished("a \\[") == 4


def test_ssml_is_one_passage_at_its_end() -> None:
    text = '\n<speak>Hi. <break time="1s"/>You there. <p>All of you.</p></speak>'
    assert told(list(text), markup="auto") == [Arrived(text, 0, None, False)]
    assert told([text], markup="ssml") == [Arrived(text, 0, None, False)]
    assert texts(["<sp", "in. Now. "], markup="auto") == ["<spin. ", "Now. "]


def test_wrong_markup_has_its_place_in_the_whole() -> None:
    arriving = ArrivingText(200, normalize, "auto")
    assert len(list(arriving.add("The lamp is lit. Nobody is there. "))) == 1
    with pytest.raises(TextError, match="position 34: pause is '-1s'") as caught:
        list(arriving.add("[pause -1s] Wait."))
    assert caught.value.position == 34


@pytest.mark.parametrize(
    "text", ["[" + "He came, saw, and left. " * 36 + "](speed=0.8) and so on it went. ", "<speak>"]
)
def test_time_is_linear_in_the_pieces(text: str, cpu_seconds: Callable[[Callable[[], object]], float]) -> None:
    whole = text * 4 if "[" in text else text + "One two three. " * 20_000 + "</speak>"
    pieces = [whole[at : at + 4] for at in range(0, len(whole), 4)]
    assert cpu_seconds(lambda: texts(pieces, markup="auto")) < 20  # minutes, were all looked at again at each piece
    assert "".join(texts(pieces, markup="auto")) == whole


def test_a_long_piece_is_told_by_its_sentences(cpu_seconds: Callable[[Callable[[], object]], float]) -> None:
    sentence = "When the long winter was over, the two boats went out to sea again. "
    assert cpu_seconds(lambda: texts([sentence * 300])) < 20
    found = texts([sentence * 300])
    assert set(found[:-2]) == {sentence}


def test_a_piece_without_ends_is_told_in_time(cpu_seconds: Callable[[Callable[[], object]], float]) -> None:
    assert cpu_seconds(lambda: texts(["and on it went " * 1000])) < 20
    assert max(map(len, texts(["and on it went " * 1000]))) <= 200


def test_half_a_character_arrives_as_one_that_files_can_hold() -> None:
    arriving = ArrivingText(200, str, "auto")
    found = [*arriving.add("Hello \udcff there. "), *arriving.finish()]
    assert "".join(each.text for each in found) == "Hello \ufffd there. "
