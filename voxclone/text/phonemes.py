"""Text to phonemes, every word keeping its span. G2P sits behind a table: language -> backend."""

from __future__ import annotations

import functools
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from voxclone.errors import TextError
from voxclone.text.direction import UNDIRECTED, Direction
from voxclone.text.heteronyms import VERB, told_apart
from voxclone.text.initialisms import ACRONYMS
from voxclone.text.said import said
from voxclone.text.symbols import END, SPACE, START, VOWELS, parse_ipa

if TYPE_CHECKING:
    from phonemizer.backend import EspeakBackend

Word = tuple[str, ...]  # a word's phoneme symbols
_TOKEN = re.compile(r"(?P<word>[^\W_]+(?:['’][^\W_]+)*['’]?)|(?P<mark>[.,?!;:])|(?P<skip>[\s\-'\"‘’“”()\[\]*_–—…]+)")
_MAY_SPLIT = re.compile(r".*[0-9].*|[ivxlcdm]{2,}", re.IGNORECASE)  # espeak-ng reads numbers as several words
LETTER_A: Word = ("ˈeɪ",)
MAX_PHRASE_WORDS = 100  # spoken as one; sharing out takes time quadratic in it
_ESPEAK_LOCK = threading.Lock()  # espeak-ng keeps one global state
if hasattr(os, "register_at_fork"):  # so that no child is born while a thread that it does not have holds the lock
    os.register_at_fork(
        before=_ESPEAK_LOCK.acquire, after_in_parent=_ESPEAK_LOCK.release, after_in_child=_ESPEAK_LOCK.release
    )


@dataclass(frozen=True)
class WordSpan:
    """A spoken word and where it lies among the phoneme symbols: [start, end)."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Phonemes:
    """A sentence as the acoustic model reads it: silence, phonemes with spaces and punctuation, silence.

    Attributes:
        symbols: The silences, phonemes, spaces and punctuation.
        words: Which of them are which word's.
        positions: Of each word the index of its first character in the text that was read.
        pause_seconds: Silence after it, where more of a text follows.
        direction: What markup asks of it.
        earlier: Symbols of what is spoken just before it, where it goes on from there.
    """

    symbols: tuple[str, ...]
    words: tuple[WordSpan, ...]
    positions: tuple[int, ...] = field(default=(), compare=False)
    pause_seconds: float = 0.0
    direction: Direction = UNDIRECTED
    earlier: tuple[str, ...] = field(default=(), compare=False)


def phonemize(
    text: str,
    language: str = "en-us",
    lexicon: Mapping[str, str] | None = None,
    pronounced: Sequence[tuple[int, int, str]] = (),
) -> Phonemes:
    """Turn normalised text into phoneme symbols.

    Args:
        text: Spoken-form text; , . ? ! ; : are kept as prosody marks.
        language: A key of `BACKENDS`.
        lexicon: Word (any case) to IPA pronunciation; goes before G2P.
        pronounced: (start, end, IPA) of characters that sound so, in order; the words that begin there become one.

    Raises:
        TextError: The text is empty, has nothing to speak, or has a character that no rule can speak; or (position
            None) the language is unknown, or the lexicon has a pronunciation that cannot be spoken.
    """
    if language not in BACKENDS:
        raise TextError(f"no G2P for language {language!r}; there is one for {', '.join(sorted(BACKENDS))}")
    words, marks, positions = _tokenize(text)
    own = _pronunciations(lexicon or {})
    spoken: list[Word] = []
    phrase: list[str] = []
    for word, mark in zip(words, marks, strict=True):
        phrase.append(word)
        if mark or len(phrase) == MAX_PHRASE_WORDS:
            spoken += BACKENDS[language](tuple(phrase))
            phrase = []
    if phrase:
        spoken += BACKENDS[language](tuple(phrase))
    sounds = [
        own.get(word.lower()) or (_said(words, marks, index) if language == "en-us" else None) or phones
        for index, (word, phones) in enumerate(zip(words, spoken, strict=True))
    ]
    if pronounced:
        words, marks, positions, sounds = _pronounce(text, words, marks, positions, sounds, pronounced)
    symbols: list[str] = [START]
    spans = []
    for index, (word, mark, phones) in enumerate(zip(words, marks, sounds, strict=True)):
        spans.append(WordSpan(word, len(symbols), len(symbols) + len(phones)))
        symbols += phones
        if mark:
            symbols.append(mark)
        elif index + 1 < len(words):
            symbols.append(SPACE)
    return Phonemes((*symbols, END), tuple(spans), positions=tuple(positions))


def _said(words: Sequence[str], marks: Sequence[str], index: int) -> Word | None:
    """How an English word is said that espeak-ng would say wrongly; None for the others."""
    told = told_apart(words, marks, index)
    if told == VERB:
        return _after_to(words[index].lower())
    return said(_plain(words[index]).lower()) if told is None else tuple(parse_ipa(told))


@functools.cache
def _after_to(word: str) -> Word:
    return _espeak_phrase(("to", word), "en-us")[1]


def _pronounce(
    text: str,
    words: list[str],
    marks: list[str],
    positions: list[int],
    sounds: list[Word],
    pronounced: Sequence[tuple[int, int, str]],
) -> tuple[list[str], list[str], list[int], list[Word]]:
    """Words, marks, positions and sounds with the words inside each stretch as one, which sounds as told."""
    rows: list[tuple[str, str, int, Word]] = []
    stretches = iter(pronounced)
    start, end, ipa = next(stretches)
    begun = False
    for word, mark, position, phones in zip(words, marks, positions, sounds, strict=True):
        while position >= end and (following := next(stretches, None)):
            (start, end, ipa), begun = following, False
        if not start <= position < end:
            rows.append((word, mark, position, phones))
        elif begun:
            rows[-1] = (rows[-1][0], mark, *rows[-1][2:])
        else:
            told = tuple(symbol for part in ipa.split() for symbol in (SPACE, *parse_ipa(part)))[1:]
            rows.append((text[start:end].strip(" ,.?!;:"), mark, position, told))
            begun = True
    return tuple(map(list, zip(*rows, strict=True)))  # type: ignore[return-value]


def warm_up(language: str = "en-us") -> None:
    """Load the G2P backend, so that the first sentence does not wait for it."""
    phonemize("hello", language)


def _pronunciations(lexicon: Mapping[str, str]) -> dict[str, Word]:
    """The lexicon as `phonemize` looks words up in it.

    Raises:
        TextError: A pronunciation is not IPA, or has no sound.
    """
    own = {}
    for word, ipa in lexicon.items():
        if not isinstance(word, str) or not isinstance(ipa, str):
            raise TextError(f"the lexicon's entry {word!r}: {ipa!r} is no word and its IPA, as 'Siobhan': 'ʃɪvˈɔːn' is")
        token = _TOKEN.fullmatch(word)
        if token is None or not token["word"]:
            raise TextError(f"the lexicon's entry {word!r} is not one word; give each of its words by itself")
        try:
            phones = parse_ipa(ipa)
        except TextError as error:
            raise TextError(f"the lexicon's entry for {word!r}: {error}") from error
        if not phones:
            raise TextError(f"the lexicon's entry for {word!r} is {ipa!r}, which has no sound: give it in IPA")
        own[word.lower().replace("’", "'")] = phones
    return own


def _tokenize(text: str) -> tuple[list[str], list[str], list[int]]:
    """Words, for each the strongest prosody mark that follows it ("" for none), and where it begins."""
    words: list[str] = []
    marks: list[str] = []
    positions: list[int] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        strange = 0 if match is None else next((i for i, c in enumerate(match["word"] or "") if not _letter(c)), None)
        if match is None or strange is not None:
            at = position + (strange or 0)
            name = unicodedata.name(text[at], "unnamed character")
            raise TextError(f"cannot speak {text[at]!r} ({name}) at position {at}: remove it or spell it out", at)
        if match["word"]:
            words.append(match["word"].replace("’", "'"))
            marks.append("")
            positions.append(position)
        elif match["mark"] and words:
            marks[-1] = max(marks[-1], match["mark"], key=lambda mark: ("", *",;:.!?").index(mark))
        position = match.end()
    if not words:
        what = "the text is empty" if not text.strip() else f"there is nothing to speak in {text[:40]!r}"
        raise TextError(f"{what}: give at least one word", 0)
    return words, marks, positions


def _letter(character: str) -> bool:
    """Whether a word may have it: apostrophes, digits 0-9, and letters that `_plain` makes known ones of."""
    if character in "'’":
        return True
    plain = _plain(character)
    return plain.isalnum() and all(c.isascii() or c in _ACCENTED for c in plain)


# The letters beyond ASCII that espeak-ng's English knows; it reads others out as hexadecimal numbers, or not at all.
_ACCENTED = frozenset(map(chr, range(0xC0, 0x180))) - set("×÷ıŉſ")


def _plain(text: str) -> str:
    """The text with letters that espeak-ng does not know as the nearest that it does: "Nguyễn" as "Nguyen"."""
    return "".join(c if c in _ACCENTED else _unaccented(c) for c in text)


def _unaccented(character: str) -> str:
    if not character.isalpha():
        return character
    parts = unicodedata.normalize("NFKD", character)
    return {"ı": "i", "ə": "e", "Ə": "E"}.get(character) or "".join(c for c in parts if not unicodedata.combining(c))


@functools.lru_cache(maxsize=4)
def _load_espeak(language: str) -> EspeakBackend:
    """espeak-ng through phonemizer; library and data come from espeakng-loader. Needs the lock."""
    import logging

    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    quiet = logging.getLogger("voxclone.phonemizer")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    return EspeakBackend(language, with_stress=True, language_switch="remove-flags", logger=quiet)


def _espeak(phrase: str, language: str) -> list[Word]:
    """What espeak-ng makes of a phrase, as the words that it sees in it."""
    from phonemizer.separator import Separator

    separator = Separator(phone="", word=" ", syllable="")
    with _ESPEAK_LOCK:
        spoken = _load_espeak(language).phonemize([_plain(phrase)], separator=separator, strip=True)[0]
    return [parse_ipa(part) for part in spoken.split()]


@functools.lru_cache(maxsize=50_000)
def _isolated(word: str, language: str) -> tuple[Word, ...]:
    """A word's pronunciation by itself: several of espeak-ng's words where it is a number, Roman ones among them.

    Raises:
        TextError: G2P gives it no sound.
    """
    parts = tuple(filter(None, _espeak(word, language)))
    if not parts:
        raise TextError(f"G2P has no pronunciation for {word!r}: spell it out")
    return parts


def _espeak_phrase(words: tuple[str, ...], language: str) -> list[Word]:
    """Phonemes of each word as spoken in its phrase.

    espeak-ng runs some words together ("of the" gives one word) and splits others ("21" gives two), so where the counts
    differ, or a word splits, the phrase's sounds are aligned with those of the words alone.
    """
    spelled = [word.isupper() and word not in ACRONYMS for word in words]
    lowered = [word if spell or len(word) == 1 else word.lower() for word, spell in zip(words, spelled, strict=True)]
    groups = _espeak(" ".join(lowered), language)
    splits = any(_MAY_SPLIT.fullmatch(word) and len(_isolated(word, language)) > 1 for word in lowered)
    if len(groups) != len(words) or not all(groups) or splits:
        alone = [sum(_isolated(word, language), ()) for word in lowered]
        shared = _share_out([symbol for group in groups for symbol in group], alone)
        groups = shared if all(shared) else alone
    return [LETTER_A if _is_letter_a(words, index) else group for index, group in enumerate(groups)]


def _is_letter_a(words: tuple[str, ...], index: int) -> bool:
    """Whether "A" is the letter, which espeak-ng reads as the article: inside a phrase, or beside another letter."""
    if words[index] != "A":
        return False
    beside = words[max(0, index - 1) : index] + words[index + 1 : index + 2]
    return index > 0 or any(len(word) == 1 and word.isupper() and word not in "AI" for word in beside)


def _share_out(phrase: list[str], alone: list[Word]) -> list[Word]:
    """Cut the phrase's phonemes into words by edit distance to the words' own pronunciations."""
    flat = [(symbol, index) for index, word in enumerate(alone) for symbol in word]
    costs = [[float(j) for j in range(len(flat) + 1)]]
    for i, symbol in enumerate(phrase, 1):
        row = [float(i)]
        for j, (other, _) in enumerate(flat, 1):
            row.append(min(costs[-1][j - 1] + _difference(symbol, other), costs[-1][j] + 1, row[-1] + 1))
        costs.append(row)
    owners = [0] * len(phrase)
    i, j = len(phrase), len(flat)
    while i > 0:
        if j > 0 and costs[i][j] == costs[i - 1][j - 1] + _difference(phrase[i - 1], flat[j - 1][0]):
            owners[i - 1] = flat[j - 1][1]
            i, j = i - 1, j - 1
        elif costs[i][j] == costs[i - 1][j] + 1:
            owners[i - 1] = flat[max(j - 1, 0)][1]
            i -= 1
        else:
            j -= 1
    return [tuple(s for s, owner in zip(phrase, owners, strict=True) if owner == k) for k in range(len(alone))]


def _difference(a: str, b: str) -> float:
    a, b = a.lstrip("ˈˌ"), b.lstrip("ˈˌ")
    return 0.0 if a == b else 0.75 if (a in VOWELS) == (b in VOWELS) else 1.5


BACKENDS: dict[str, Callable[[tuple[str, ...]], list[Word]]] = {
    "en-us": functools.partial(_espeak_phrase, language="en-us"),
}
