"""The symbol table: what the acoustic model reads. Its order is part of every trained model, hence the version."""

from __future__ import annotations

from collections.abc import Iterable

from voxclone.errors import TextError

SYMBOLS_VERSION = 1

PAD = "_"
START = "^"  # silence before the first word
END = "$"  # silence after the last
SPACE = " "  # between words
PUNCTUATION = (",", ".", "?", "!", ";", ":")
PAUSE = ","  # also stands where a voice pauses between two words
VOWELS = tuple("iː i ɪ ᵻ eɪ ɛ æ ɑː ɔː ɔ oʊ ʊ uː ʌ ɜː ɚ ə ɐ aɪ aʊ ɔɪ".split())
CONSONANTS = tuple("p b t d k ɡ tʃ dʒ f v θ ð s z ʃ ʒ h m n ŋ l ɹ j w ɾ ʔ".split())
STRESSES = ("", "ˈ", "ˌ")

SILENCES = (PAD, START, END, SPACE, *PUNCTUATION)
SYMBOLS: tuple[str, ...] = (
    *SILENCES,
    *(stress + vowel for vowel in VOWELS for stress in STRESSES),
    *CONSONANTS,
)
_IDS = {symbol: index for index, symbol in enumerate(SYMBOLS)}

# Sounds that English G2P gives for foreign names, and spellings of IPA, as the nearest of our phonemes.
NEAREST: dict[str, tuple[str, ...]] = {
    "n̩": ("ə", "n"), "l̩": ("ə", "l"), "m̩": ("ə", "m"), "ɫ": ("l",), "ɬ": ("l",), "ʎ": ("l", "j"), "ɲ": ("n", "j"),
    "r": ("ɹ",), "ʁ": ("ɹ",), "ʀ": ("ɹ",), "ɻ": ("ɹ",), "ɽ": ("ɾ",), "x": ("k",), "χ": ("k",), "ɣ": ("ɡ",), "q": ("k",),
    "ç": ("h",), "ɦ": ("h",), "ħ": ("h",), "β": ("v",), "ʋ": ("v",), "ɸ": ("f",), "ɕ": ("ʃ",), "ʂ": ("ʃ",), "ʑ": ("ʒ",),
    "ʐ": ("ʒ",), "ɟ": ("dʒ",), "c": ("k",), "ts": ("t", "s"), "dz": ("d", "z"), "g": ("ɡ",), "ɥ": ("w",), "ʍ": ("w",),
    "ɭ": ("l",), "ʈ": ("t",), "ɖ": ("d",), "ɱ": ("m",), "ɴ": ("ŋ",), "ɳ": ("n",),
    "a": ("æ",), "aː": ("ɑː",), "ɑ": ("ɑː",), "ɒ": ("ɑː",), "ɒː": ("ɔː",), "e": ("eɪ",), "eː": ("eɪ",), "ɛː": ("ɛ",),
    "o": ("oʊ",), "oː": ("oʊ",), "u": ("uː",), "y": ("uː",), "yː": ("uː",), "ʏ": ("ʊ",), "ø": ("ɜː",), "øː": ("ɜː",),
    "œ": ("ɜː",), "œː": ("ɜː",), "ɜ": ("ɜː",), "ɝ": ("ɜː",), "ɪː": ("iː",), "ʊː": ("uː",), "ɨ": ("ᵻ",), "ɯ": ("uː",),
    "ɤ": ("ʌ",), "ɘ": ("ə",), "ɵ": ("ə",), "ʉ": ("uː",), "ʉː": ("uː",), "əʊ": ("oʊ",), "æː": ("æ",), "əː": ("ɜː",),
}  # fmt: skip
_SILENT = {"ː", "ˑ", "̃", "͡", "̯", ".", "ʲ", "ʰ", "̪", "-", "̩"}  # marks we do not model; a length mark alone is one too
_SPELLINGS = {name: (name,) for name in (*VOWELS, *CONSONANTS)} | NEAREST
_LONGEST = max(map(len, _SPELLINGS))


def symbol_ids(symbols: Iterable[str]) -> list[int]:
    """Indices into `SYMBOLS`.

    Raises:
        TextError: A symbol is not in the table; the position is its index in the sequence.
    """
    ids = []
    for position, symbol in enumerate(symbols):
        if symbol not in _IDS:
            raise TextError(f"{symbol!r} is not a symbol of table version {SYMBOLS_VERSION}", position)
        ids.append(_IDS[symbol])
    return ids


def parse_ipa(ipa: str) -> tuple[str, ...]:
    """Read an IPA word into symbols, longest spelling first; a stress mark goes to the next vowel.

    Raises:
        TextError: A character is no IPA sound that we know; the position is its index in the word.
    """
    symbols: list[str] = []
    stress, position = "", 0
    while position < len(ipa):
        if ipa[position] in STRESSES[1:]:
            stress, position = ipa[position], position + 1
            continue
        for length in range(min(_LONGEST, len(ipa) - position), 0, -1):
            sounds = _SPELLINGS.get(ipa[position : position + length])
            if sounds is not None:
                break
        else:
            if ipa[position] not in _SILENT:
                raise TextError(f"{ipa[position]!r} in the pronunciation {ipa!r} is no known IPA sound", position)
            position += 1
            continue
        for sound in sounds:
            if sound in VOWELS and stress:
                sound, stress = stress + sound, ""
            symbols.append(sound)
        position += length
    return tuple(symbols)
