"""Text to phonemes: every word has its span, and what cannot be spoken is an error with its position."""

from __future__ import annotations

import string
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

from voxclone.errors import TextError
from voxclone.text import espeak
from voxclone.text.letters import is_letter, plain
from voxclone.text.phonemes import Phonemes, phonemize, warm_up
from voxclone.text.symbols import END, PUNCTUATION, SPACE, START, symbol_ids

SENTENCES = [
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background, will you?",
    "It is one of the best of all of them; and that is that!",
    "I don't know: it's in the o'clock of the dogs' world.",
    "To be or not to be",
    "In the end of the day there was a lot of it, and I have been to the sea.",
]


def spoken(result: Phonemes) -> dict[str, str]:
    return {span.text: "".join(result.symbols[span.start : span.end]) for span in result.words}


def check(result: Phonemes) -> None:
    """Spans cover exactly the words' sounds, in order; what is between them is one space or mark each."""
    assert result.symbols[0] == START
    assert result.symbols[-1] == END
    symbol_ids(result.symbols)
    position = 1
    for index, span in enumerate(result.words):
        assert span.start == position
        assert span.end > span.start
        assert not {SPACE, START, END, *PUNCTUATION} & set(result.symbols[span.start : span.end])
        position = span.end
        if index + 1 < len(result.words) or result.symbols[position] != END:
            assert result.symbols[position] in (SPACE, *PUNCTUATION)
            position += 1
    assert position == len(result.symbols) - 1


@pytest.mark.parametrize("text", SENTENCES)
def test_spans(text: str) -> None:
    result = phonemize(text)
    check(result)
    letters = {ord(mark): None for mark in string.punctuation if mark != "'"}
    assert [span.text for span in result.words] == text.translate(letters).split()


def test_symbols_of_a_sentence() -> None:
    assert "|".join(phonemize("Hello, world.").symbols) == "^|h|ə|l|ˈoʊ|,|w|ˈɜː|l|d|.|$"
    assert "|".join(phonemize("a cat").symbols) == "^|ɐ| |k|ˈæ|t|$"


def test_words_that_espeak_runs_together() -> None:
    assert len(espeak._espeak("of the", "en-us")) == 1  # what the sharing out is for
    assert spoken(phonemize("one of the men")) == {"one": "wˈʌn", "of": "ʌv", "the": "ðə", "men": "mˈɛn"}
    assert spoken(phonemize("of the")) == {"of": "ʌv", "the": "ðə"}


def test_words_that_espeak_splits_beside_words_that_it_runs_together() -> None:
    assert spoken(phonemize("of the 21 dogs")) == {"of": "ʌv", "the": "ðə", "21": "twˈɛntiwˈʌn", "dogs": "dˈɑːɡz"}


def test_a_word_is_spoken_in_its_phrase() -> None:
    assert spoken(phonemize("the apple"))["the"] != spoken(phonemize("the dog"))["the"]


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("one, two; three: four! five? six.", ",;:!?."),
        ("one,two", ","),
        ("yes!?", "?"),
        ("yes?!", "?"),
        ("yes ,. no", ". "),
        ("...yes", ""),
        ('"Go," she said.', ", ."),
        ("(well) [then]", " "),
        ("one - two – three — four … five", "    "),
    ],
)
def test_punctuation(text: str, marks: str) -> None:
    result = phonemize(text)
    check(result)
    found = "".join(symbol for symbol in result.symbols if symbol in (SPACE, *PUNCTUATION))
    assert found.strip() == marks.strip()


def test_hyphens_apostrophes_quotes() -> None:
    assert list(spoken(phonemize("well-known"))) == ["well", "known"]
    assert phonemize("don’t") == phonemize("don't")
    assert list(spoken(phonemize("'don't'"))) == ["don't'"]
    assert spoken(phonemize("can't"))["can't"] == "kˈænt"
    assert list(spoken(phonemize("rock'n'roll o'clock"))) == ["rock'n'roll", "o'clock"]


def test_capitals() -> None:
    assert spoken(phonemize("BBC"))["BBC"] == "bˌiːbˌiːsˈiː"
    assert phonemize("Hello World").symbols == phonemize("hello world").symbols
    assert spoken(phonemize("F B I")) == {"F": "ˈɛf", "B": "bˈiː", "I": "ˈaɪ"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Nguyễn", "Nguyen"), ("ﬁne", "fine"), ("Yıldız", "Yildiz"), ("Ａ", "A"), ("Timișoara", "Timisoara")],
)
def test_rare_letters_are_spoken_as_their_plain_ones(text: str, plain: str) -> None:
    assert phonemize(text).symbols == phonemize(plain).symbols
    assert phonemize(text).words[0].text == text


def test_accents_that_espeak_knows_are_kept() -> None:
    assert phonemize("café").symbols != phonemize("cafe").symbols
    assert spoken(phonemize("résumé"))["résumé"] == "ɹˈɛzuːmˌeɪ"


def test_every_letter_that_is_let_in_has_a_sound() -> None:
    letters = [c for c in map(chr, range(0x3000)) if c.isalnum() and is_letter(c)]
    known = sorted({plain(c) for c in letters})
    assert len(letters) > 500
    assert all(known)
    for word in known:
        sounds = phonemize(word).symbols[1:-1]
        assert "".join(sounds[:4]) != "lˌɛɾɚ", word  # espeak-ng's "letter one E four"


def test_lexicon() -> None:
    assert spoken(phonemize("My GIF, a gif!", lexicon={"Gif": "dʒˈɪf"})) == {
        "My": "maɪ",
        "GIF": "dʒˈɪf",
        "a": "ɐ",
        "gif": "dʒˈɪf",
    }
    assert spoken(phonemize("y'all", lexicon={"Y’all": "jˈɔːl"})) == {"y'all": "jˈɔːl"}
    check(phonemize("one of the men", lexicon={"of": "ɒv"}))


@pytest.mark.parametrize("ipa", ["", "ˈ", "ː", "h5", "hello world"])
def test_lexicon_entries_that_cannot_be_spoken(ipa: str) -> None:
    with pytest.raises(TextError, match="the lexicon's entry for 'gif'") as caught:
        phonemize("fine words", lexicon={"gif": ipa})
    assert caught.value.position is None  # no place in the text is at fault


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_empty(text: str) -> None:
    with pytest.raises(TextError, match="the text is empty") as caught:
        phonemize(text)
    assert caught.value.position == 0


@pytest.mark.parametrize("text", ["...", "?!", "—", "''", "( )", "…"])
def test_nothing_to_speak(text: str) -> None:
    with pytest.raises(TextError, match="nothing to speak") as caught:
        phonemize(text)
    assert caught.value.position == 0


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("hi 😀", 3),
        ("🇫🇷", 0),
        ("hello мир", 6),
        ("abcд", 3),
        ("你好", 0),
        ("a\x00b", 1),
        ("a \x1b[0m", 2),
        ("one\u202etwo", 3),
        ("zero\u200bwidth", 4),
        ("x²", 1),
        ("٣", 0),
        ("①", 0),
        ("50 %", 3),
        ("a@b", 1),
        ("\ud800", 0),
        ("cafe\u0301", 4),
    ],
)
def test_what_cannot_be_spoken(text: str, position: int) -> None:
    with pytest.raises(TextError, match=f"at position {position}: ") as caught:
        phonemize(text)
    assert caught.value.position == position
    assert unicodedata.name(text[position], "unnamed character") in str(caught.value)


def test_unknown_language() -> None:
    with pytest.raises(TextError, match="no G2P for language 'xx'; there is one for en-us"):
        phonemize("hello", language="xx")


def test_long_text() -> None:
    text = " ".join(SENTENCES) + " "
    result = phonemize(text * 20)
    check(result)
    assert len(result.words) == 20 * len(phonemize(text).words)
    check(phonemize("word of the " * 80))  # no mark in it, and words that have to be shared out
    check(phonemize("a" * 1000))


def test_threads_give_what_one_thread_gives() -> None:
    texts = SENTENCES * 8
    serial = [phonemize(text) for text in texts]
    espeak._isolated.cache_clear()
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(phonemize, texts)) == serial
    assert [phonemize(text) for text in texts] == serial


COLD_START = """
from concurrent.futures import ThreadPoolExecutor
from voxclone.text.phonemes import phonemize
with ThreadPoolExecutor(16) as pool:
    results = list(pool.map(phonemize, ["one of the men"] * 64))
assert len(set(results)) == 1
print("".join(results[0].symbols))
"""


def test_threads_may_make_the_first_call() -> None:
    done = subprocess.run([sys.executable, "-c", COLD_START], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "^wˈʌn ʌv ðə mˈɛn$"
    assert done.stderr == ""


def test_warm_up_loads_once() -> None:
    warm_up("en-us")
    backend = espeak._load_espeak("en-us")
    warm_up()
    assert espeak._load_espeak("en-us") is backend


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("Shhhh", "ʃ"),
        ("brrr", "bɹˈɜː"),
        ("Hm", "həm"),
        ("Xi", "ʃˈiː"),
        ("Li", "lˈiː"),
        ("iv", "ˌaɪvˈiː"),
        ("awww", "ˈɔː"),
    ],
)
def test_what_would_be_spelled_or_counted_is_said(word: str, sounds: str) -> None:
    assert "".join(phonemize(word).symbols[1:-1]) == sounds
    assert "".join(phonemize(word, lexicon={word: "tˈiː"}).symbols[1:-1]) == "tˈiː"
