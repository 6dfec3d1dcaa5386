"""How words are said that espeak-ng spells or takes for Roman numerals: shh, brr, Xi."""

from __future__ import annotations

import functools
import re

from voxclone.text.symbols import parse_ipa

_INTERJECTIONS = {
    "sh": "ʃ", "shh": "ʃ", "pst": "pst", "psst": "pst", "pff": "pf", "pfft": "pft", "zz": "z",
    "hm": "həm", "hmm": "həm", "mm": "əm", "mhm": "əmhˈəm", "brr": "bɹˈɜː", "grr": "ɡɹˈɜː",
    "aww": "ˈɔː", "ahh": "ˈɑː", "ohh": "ˈoʊ", "ooh": "ˈuː", "ugh": "ˈʌɡ",
}  # fmt: skip
_NAMES = {"xi": "ʃˈiː", "li": "lˈiː", "mi": "mˈiː", "vi": "vˈaɪ", "ii": "ˌaɪˈaɪ", "iv": "ˌaɪvˈiː", "ix": "ˌaɪˈɛks"}


@functools.lru_cache(maxsize=4096)
def said(word: str) -> tuple[str, ...] | None:
    """A word's symbols, None where G2P knows it; letters that are drawn out (shhhh) count twice.

    Args:
        word: In lower case.
    """
    ipa = _NAMES.get(word) or _INTERJECTIONS.get(re.sub(r"(.)\1{2,}", r"\1\1", word))
    return None if ipa is None else tuple(parse_ipa(ipa))
