"""The symbol table is frozen, and IPA reads into it."""

from __future__ import annotations

import hashlib

import pytest

from voxclone.errors import TextError
from voxclone.text.symbols import CONSONANTS, NEAREST, PAD, SYMBOLS, SYMBOLS_VERSION, VOWELS, parse_ipa, symbol_ids

# Trained models index this table: whoever changes it raises SYMBOLS_VERSION and adds the new table's line.
TABLES = {1: (99, "ff36ba10863b6d73527fcb416e2469c774d8596f861e8862d071b89ffc692424")}


def test_the_table_of_this_version_is_frozen() -> None:
    digest = hashlib.sha256("\n".join(SYMBOLS).encode()).hexdigest()
    assert (len(SYMBOLS), digest) == TABLES[SYMBOLS_VERSION]


def test_padding_is_zero_and_symbols_are_unique() -> None:
    assert SYMBOLS[0] == PAD
    assert len(set(SYMBOLS)) == len(SYMBOLS)


def test_symbol_ids() -> None:
    assert symbol_ids(SYMBOLS) == list(range(len(SYMBOLS)))
    assert symbol_ids([]) == []
    with pytest.raises(TextError, match="'x' is not a symbol of table version") as caught:
        symbol_ids(["^", "ˈæ", "x", "$"])
    assert caught.value.position == 2


@pytest.mark.parametrize(
    ("ipa", "symbols"),
    [
        ("həlˈoʊ", "h ə l ˈoʊ"),
        ("ˈhɛləʊ", "h ˈɛ l oʊ"),  # a stress mark before the syllable goes to its vowel
        ("tʃˈɜːtʃ", "tʃ ˈɜː tʃ"),
        ("ˌɪnˈfoʊ", "ˌɪ n f ˈoʊ"),
        ("bˈʌtn̩", "b ˈʌ t ə n"),
        ("ɡɒt", "ɡ ɑː t"),
        ("gɑt", "ɡ ɑː t"),
        ("t͡s", "t s"),
        ("kʰæt", "k æ t"),
        ("ba.na", "b æ n æ"),
        ("ˈn̩", "ˈə n"),
        ("", ""),
        ("ː", ""),
    ],
)
def test_parse_ipa(ipa: str, symbols: str) -> None:
    assert parse_ipa(ipa) == tuple(symbols.split())


def test_what_is_parsed_is_in_the_table() -> None:
    for spelling in (*VOWELS, *CONSONANTS, *NEAREST):
        for stress in ("", "ˈ", "ˌ"):
            ids = symbol_ids(parse_ipa(stress + spelling))
            assert ids, spelling
    for symbol in (*(s + v for v in VOWELS for s in ("", "ˈ", "ˌ")), *CONSONANTS):
        assert parse_ipa(symbol) == (symbol,)


@pytest.mark.parametrize(("ipa", "position"), [("hə5", 2), ("字", 0), ("tɛ st", 2), ("hˈA", 2)])
def test_what_is_no_ipa(ipa: str, position: int) -> None:
    with pytest.raises(TextError, match="no known IPA sound") as caught:
        parse_ipa(ipa)
    assert caught.value.position == position
