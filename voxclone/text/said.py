"""How words are said that espeak-ng spells, takes for Roman numerals or does not know: shh, Xi, Nguyen, gnocchi."""

from __future__ import annotations

import functools
import re

from voxclone.text.symbols import parse_ipa

_INTERJECTIONS = {
    "sh": "ʃ", "shh": "ʃ", "pst": "pst", "psst": "pst", "pff": "pf", "pfft": "pft", "zz": "z",
    "hm": "həm", "hmm": "həm", "mm": "əm", "mhm": "əmhˈəm", "brr": "bɹˈɜː", "grr": "ɡɹˈɜː",
    "aww": "ˈɔː", "ahh": "ˈɑː", "ohh": "ˈoʊ", "ooh": "ˈuː", "ugh": "ˈʌɡ",
}  # fmt: skip
_NAMES = {
    "xi": "ʃˈiː", "li": "lˈiː", "mi": "mˈiː", "vi": "vˈaɪ", "ii": "ˌaɪˈaɪ", "iv": "ˌaɪvˈiː", "ix": "ˌaɪˈɛks",
    "xiao": "ʃˈaʊ", "xu": "ʃˈuː", "qin": "tʃˈɪn", "zhang": "dʒˈɑːŋ", "zhao": "dʒˈaʊ", "zhou": "dʒˈoʊ", "nguyen": "wˈɪn",
    "niamh": "nˈiːv", "joaquin": "wɑːkˈiːn", "chopin": "ʃˈoʊpæn", "goethe": "ɡˈɜːɾə", "oaxaca": "wəhˈɑːkə",
    "reykjavik": "ɹˈeɪkjəvˌiːk", "versailles": "vɛɹsˈaɪ", "unesco": "juːnˈɛskoʊ", "json": "dʒˈeɪsən",
    "nvidia": "ɛnvˈɪdiə", "scsi": "skˈʌzi", "gnocchi": "njˈoʊki", "quinoa": "kˈiːnwɑː", "croissant": "kɹəsˈɑːnt",
    "croissants": "kɹəsˈɑːnts", "excused": "ɛkskjˈuːzd", "excusing": "ɛkskjˈuːzɪŋ",
}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def said(word: str) -> tuple[str, ...] | None:
    """A word's symbols, None where G2P knows it; letters that are drawn out (shhhh) count twice.

    Args:
        word: In lower case.
    """
    ipa = _NAMES.get(word) or _INTERJECTIONS.get(re.sub(r"(.)\1{2,}", r"\1\1", word))
    return None if ipa is None else tuple(parse_ipa(ipa))
