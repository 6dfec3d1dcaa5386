"""Text to phonemes, every word keeping its span. G2P sits behind a table: language -> backend."""

from __future__ import annotations

import functools
import re
import threading
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from voxclone.errors import TextError
from voxclone.text.symbols import END, SPACE, START, VOWELS, parse_ipa

Word = tuple[str, ...]  # a word's phoneme symbols
_TOKEN = re.compile(r"(?P<word>[^\W_]+(?:['’][^\W_]+)*['’]?)|(?P<mark>[.,?!;:])|(?P<skip>[\s\-'\"‘’“”()\[\]*_–—…]+)")
_ESPEAK_LOCK = threading.Lock()  # espeak-ng keeps one global state


@dataclass(frozen=True)
class WordSpan:
    """A spoken word and where it lies among the phoneme symbols: [start, end)."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Phonemes:
    """A sentence as the acoustic model reads it: silence, phonemes with spaces and punctuation, silence."""

    symbols: tuple[str, ...]
    words: tuple[WordSpan, ...]


def phonemize(text: str, language: str = "en-us", lexicon: Mapping[str, str] | None = None) -> Phonemes:
    """Turn normalised text into phoneme symbols.

    Args:
        text: Spoken-form text; , . ? ! ; : are kept as prosody marks.
        language: A key of `BACKENDS`.
        lexicon: Word (any case) to IPA pronunciation; goes before G2P.

    Raises:
        TextError: The text is empty, has nothing to speak, or has a character that no rule can speak; or the
            language is unknown.
    """
    if language not in BACKENDS:
        raise TextError(f"no G2P for language {language!r}; there is one for {', '.join(sorted(BACKENDS))}")
    words, marks = _tokenize(text)
    own = {word.lower(): parse_ipa(ipa) for word, ipa in (lexicon or {}).items()}
    spoken: list[Word] = []
    phrase: list[str] = []
    for word, mark in zip(words, marks, strict=True):
        phrase.append(word)
        if mark:
            spoken += BACKENDS[language](tuple(phrase))
            phrase = []
    if phrase:
        spoken += BACKENDS[language](tuple(phrase))
    symbols: list[str] = [START]
    spans = []
    for index, (word, mark) in enumerate(zip(words, marks, strict=True)):
        phones = own.get(word.lower()) or spoken[index]
        spans.append(WordSpan(word, len(symbols), len(symbols) + len(phones)))
        symbols += phones
        if mark:
            symbols.append(mark)
        elif index + 1 < len(words):
            symbols.append(SPACE)
    return Phonemes((*symbols, END), tuple(spans))


def warm_up(language: str = "en-us") -> None:
    """Load the G2P backend, so that the first sentence does not wait for it."""
    phonemize("hello", language)


def _tokenize(text: str) -> tuple[list[str], list[str]]:
    """Words, and for each the strongest prosody mark that follows it ("" for none)."""
    words: list[str] = []
    marks: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or (match["word"] and not _speakable(match["word"])):
            at = position if match is None else position + next(i for i, c in enumerate(match["word"]) if not _letter(c))
            name = unicodedata.name(text[at], "unnamed character")
            raise TextError(f"cannot speak {text[at]!r} ({name}) at position {at}: remove it or spell it out", at)
        if match["word"]:
            words.append(match["word"].replace("’", "'"))
            marks.append("")
        elif match["mark"] and words:
            marks[-1] = max(marks[-1], match["mark"], key=lambda mark: ("", *",;:.!?").index(mark))
        position = match.end()
    if not words:
        what = "the text is empty" if not text.strip() else f"there is nothing to speak in {text[:40]!r}"
        raise TextError(f"{what}: give at least one word", 0)
    return words, marks


def _letter(character: str) -> bool:
    return character in "'’" or "LATIN" in unicodedata.name(character, "") or character.isdigit()


def _speakable(word: str) -> bool:
    return all(map(_letter, word))


@functools.lru_cache(maxsize=4)
def _espeak(language: str) -> Callable[[list[str]], list[list[str]]]:
    """espeak-ng through phonemizer: phrases to lists of IPA words. Library and data come from espeakng-loader."""
    import logging

    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper
    from phonemizer.separator import Separator

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    quiet = logging.getLogger("voxclone.phonemizer")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    backend = EspeakBackend(language, with_stress=True, language_switch="remove-flags", logger=quiet)
    separator = Separator(phone="", word=" ", syllable="")

    def run(phrases: list[str]) -> list[list[str]]:
        with _ESPEAK_LOCK:
            return [line.split() for line in backend.phonemize(phrases, separator=separator, strip=True)]

    return run


@functools.lru_cache(maxsize=50_000)
def _isolated(word: str, language: str) -> Word:
    """A word's pronunciation by itself.

    Raises:
        TextError: G2P gives it no sound.
    """
    phones = tuple(symbol for part in _espeak(language)([word])[0] for symbol in parse_ipa(part))
    if not phones:
        raise TextError(f"no pronunciation for {word!r}: add it to the lexicon, or spell it out", 0)
    return phones


def _espeak_phrase(words: tuple[str, ...], language: str) -> list[Word]:
    """Phonemes of each word as spoken in its phrase.

    espeak-ng runs some words together ("of the" gives one word), so where the counts differ the phrase's sounds are
    aligned with those of the words alone.
    """
    lowered = [word.lower() if len(word) > 1 and not word.isupper() else word for word in words]
    groups = [parse_ipa(part) for part in _espeak(language)([" ".join(lowered)])[0]]
    if len(groups) == len(words) and all(groups):
        return groups
    alone = [_isolated(word, language) for word in lowered]
    shared = _share_out([symbol for group in groups for symbol in group], alone)
    return shared if all(shared) else alone


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
