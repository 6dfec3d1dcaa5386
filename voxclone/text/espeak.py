"""G2P by espeak-ng: the sounds of a phrase, shared out among its words."""

from __future__ import annotations

import functools
import os
import re
import threading
from typing import TYPE_CHECKING

from voxclone.errors import TextError
from voxclone.text.initialisms import ACRONYMS
from voxclone.text.letters import plain
from voxclone.text.symbols import VOWELS, parse_ipa

if TYPE_CHECKING:
    from phonemizer.backend import EspeakBackend

Sounds = tuple[str, ...]  # a word's phoneme symbols
_MAY_SPLIT = re.compile(r".*[0-9].*|[ivxlcdm]{2,}", re.IGNORECASE)  # espeak-ng reads numbers as several words
_LETTER_A: Sounds = ("ˈeɪ",)
_ESPEAK_LOCK = threading.Lock()  # espeak-ng keeps one global state
if hasattr(os, "register_at_fork"):  # so that no child is born while a thread that it does not have holds the lock
    os.register_at_fork(
        before=_ESPEAK_LOCK.acquire, after_in_parent=_ESPEAK_LOCK.release, after_in_child=_ESPEAK_LOCK.release
    )


def speak_phrase(words: tuple[str, ...], language: str) -> list[Sounds]:
    """The sounds of each word as spoken in its phrase.

    espeak-ng runs some words together ("of the" gives one word) and splits others ("21" gives two), so where the counts
    differ, or a word splits, the phrase's sounds are aligned with those of the words alone. Safe in threads and after a
    fork. Time grows with the square of the number of words.

    Args:
        words: As `tokens.tokenize` gives them, in capitals where they are spelled letter by letter.
        language: espeak-ng's name of it, such as "en-us".

    Raises:
        TextError: A word has no sound.
    """
    spelled = [word.isupper() and word not in ACRONYMS for word in words]
    lowered = [word if spell or len(word) == 1 else word.lower() for word, spell in zip(words, spelled, strict=True)]
    groups = _espeak(" ".join(lowered), language)
    splits = any(_MAY_SPLIT.fullmatch(word) and len(_isolated(word, language)) > 1 for word in lowered)
    if len(groups) != len(words) or not all(groups) or splits:
        alone = [sum(_isolated(word, language), ()) for word in lowered]
        shared = _share_out([symbol for group in groups for symbol in group], alone)
        groups = shared if all(shared) else alone
    return [_LETTER_A if _is_letter_a(words, index) else group for index, group in enumerate(groups)]


def _is_letter_a(words: tuple[str, ...], index: int) -> bool:
    """Whether "A" is the letter, which espeak-ng reads as the article: inside a phrase, or beside another letter."""
    if words[index] != "A":
        return False
    beside = words[max(0, index - 1) : index] + words[index + 1 : index + 2]
    return index > 0 or any(len(word) == 1 and word.isupper() and word not in "AI" for word in beside)


@functools.lru_cache(maxsize=50_000)
def _isolated(word: str, language: str) -> tuple[Sounds, ...]:
    """A word's pronunciation by itself: several of espeak-ng's words where it is a number, Roman ones among them.

    Raises:
        TextError: G2P gives it no sound.
    """
    parts = tuple(filter(None, _espeak(word, language)))
    if not parts:
        raise TextError(f"G2P has no pronunciation for {word!r}: spell it out")
    return parts


def _espeak(phrase: str, language: str) -> list[Sounds]:
    """What espeak-ng makes of a phrase, as the words that it sees in it."""
    from phonemizer.separator import Separator

    separator = Separator(phone="", word=" ", syllable="")
    with _ESPEAK_LOCK:
        spoken = _load_espeak(language).phonemize([plain(phrase)], separator=separator, strip=True)[0]
    return [parse_ipa(part) for part in spoken.split()]


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


def _share_out(phrase: list[str], alone: list[Sounds]) -> list[Sounds]:
    """Cut the phrase's phonemes into words, by the least edit distance to the words' own pronunciations."""
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
    """The cost of one symbol for another, where one too many or too few costs 1: least among vowels, or consonants."""
    a, b = a.lstrip("ˈˌ"), b.lstrip("ˈˌ")
    return 0.0 if a == b else 0.75 if (a in VOWELS) == (b in VOWELS) else 1.5
