"""Which sounds a set of recordings has, and which sentences would add most to it."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

from voxclone.text.normalize import normalize
from voxclone.text.phonemes import phonemize
from voxclone.text.symbols import CONSONANTS, STRESSES, SYMBOLS, VOWELS

PHONES = (*VOWELS, *CONSONANTS)
ENOUGH = 10  # times that a sound should be heard
PAIR_SHARE = 0.3  # of the worth of a pair of sounds against that of a sound

_PHONE_OF = {stress + vowel: vowel for vowel in VOWELS for stress in STRESSES} | {c: c for c in CONSONANTS}


def count_phones(symbol_ids: Iterable[int]) -> Counter[str]:
    """How often each of `PHONES` is among symbol ids, whatever its stress."""
    names = (_PHONE_OF.get(SYMBOLS[index]) for index in symbol_ids)
    return Counter(name for name in names if name)


def missing_phones(counts: Counter[str]) -> dict[str, int]:
    """The phones that are heard fewer than `ENOUGH` times, the rarest first, with their counts."""
    few = {phone: counts[phone] for phone in PHONES if counts[phone] < ENOUGH}
    return dict(sorted(few.items(), key=lambda item: item[1]))


def next_prompts(spoken: Iterable[Sequence[str]], count: int = 20, language: str = "en-us") -> list[str]:
    """What to record next: the sentences that, taken one after another, add most for their length.

    Greedy choice over a submodular worth, which is within 1 - 1/e of the best (Nemhauser, Wolsey and Fisher 1978). A
    sound or pair of sounds is worth 1 - exp(-n / 5) where it is heard n times.

    Args:
        spoken: The symbols of each utterance that there is.
        count: How many sentences.
        language: Of the prompts; there are prompts for English alone.

    Returns:
        At most `count` sentences; none for another language than English.
    """
    if not language.startswith("en"):
        return []
    heard: Counter[str | tuple[str, str]] = Counter()
    for symbols in spoken:
        heard += _units(symbols)
    pool = dict(_prompt_units(language))
    chosen: list[str] = []
    while pool and len(chosen) < count:
        best = max(pool, key=lambda text: _gain(heard, pool[text]) / sum(pool[text].values()))
        heard += pool.pop(best)
        chosen.append(best)
    return chosen


def _gain(heard: Counter[str | tuple[str, str]], units: Counter[str | tuple[str, str]]) -> float:
    return math.fsum(
        (PAIR_SHARE if isinstance(unit, tuple) else 1.0)
        * (math.exp(-heard[unit] / 5) - math.exp(-(heard[unit] + times) / 5))
        for unit, times in units.items()
    )


def _units(symbols: Sequence[str]) -> Counter[str | tuple[str, str]]:
    """Phones, and pairs of phones that follow one another, also across words."""
    phones = [_PHONE_OF[symbol] for symbol in symbols if symbol in _PHONE_OF]
    units: Counter[str | tuple[str, str]] = Counter(phones)
    units.update(itertools.pairwise(phones))
    return units


@cache
def _prompt_units(language: str) -> tuple[tuple[str, Counter[str | tuple[str, str]]], ...]:
    lines = files("voxclone.finetuning").joinpath("prompts.txt").read_text(encoding="utf-8").splitlines()
    return tuple((line, _units(phonemize(normalize(line), language).symbols)) for line in lines if line)
