"""Text to phonemes, every word keeping its span. G2P sits behind a table: language -> backend."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from voxclone.errors import TextError
from voxclone.text.direction import UNDIRECTED, Direction
from voxclone.text.espeak import Sounds, speak_phrase
from voxclone.text.heteronyms import VERB, told_apart
from voxclone.text.letters import plain
from voxclone.text.said import said
from voxclone.text.symbols import END, SPACE, START, parse_ipa
from voxclone.text.tokens import Token, is_word, tokenize

MAX_PHRASE_WORDS = 100  # that G2P is given at once: a phrase takes it time quadratic in them


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
    tokens = tokenize(text)
    own = _pronunciations(lexicon or {})
    words, marks = [token.word for token in tokens], [token.mark for token in tokens]
    rows = []
    for index, (token, sounds) in enumerate(zip(tokens, _backend_sounds(tokens, language), strict=True)):
        told = own.get(token.word.lower()) or (_said(words, marks, index) if language == "en-us" else None)
        rows.append((token, told or sounds))
    if pronounced:
        rows = _pronounce(text, rows, pronounced)
    symbols: list[str] = [START]
    spans = []
    for index, (token, sounds) in enumerate(rows):
        spans.append(WordSpan(token.word, len(symbols), len(symbols) + len(sounds)))
        symbols += sounds
        if token.mark:
            symbols.append(token.mark)
        elif index + 1 < len(rows):
            symbols.append(SPACE)
    return Phonemes((*symbols, END), tuple(spans), positions=tuple(token.position for token, _ in rows))


def _backend_sounds(tokens: Sequence[Token], language: str) -> list[Sounds]:
    """What the language's backend makes of each word in its phrase, which ends at a mark."""
    spoken: list[Sounds] = []
    phrase: list[str] = []
    for index, token in enumerate(tokens):
        phrase.append(token.word)
        if token.mark or len(phrase) == MAX_PHRASE_WORDS or index + 1 == len(tokens):
            spoken += BACKENDS[language](tuple(phrase))
            phrase = []
    return spoken


def _said(words: Sequence[str], marks: Sequence[str], index: int) -> Sounds | None:
    """How an English word is said that espeak-ng would say wrongly; None for the others."""
    told = told_apart(words, marks, index)
    if told == VERB:
        return _after_to(words[index].lower())
    return said(plain(words[index]).lower()) if told is None else tuple(parse_ipa(told))


@functools.cache
def _after_to(word: str) -> Sounds:
    return speak_phrase(("to", word), "en-us")[1]


def _pronounce(
    text: str, rows: Sequence[tuple[Token, Sounds]], pronounced: Sequence[tuple[int, int, str]]
) -> list[tuple[Token, Sounds]]:
    """The words with those inside each stretch as one, which sounds as told and has the mark of the last."""
    told: list[tuple[Token, Sounds]] = []
    stretches = iter(pronounced)
    start, end, ipa = next(stretches)
    begun = False
    for token, sounds in rows:
        while token.position >= end and (following := next(stretches, None)):
            (start, end, ipa), begun = following, False
        if not start <= token.position < end:
            told.append((token, sounds))
        elif begun:
            told[-1] = (told[-1][0]._replace(mark=token.mark), told[-1][1])
        else:
            parts = tuple(symbol for part in ipa.split() for symbol in (SPACE, *parse_ipa(part)))[1:]
            told.append((token._replace(word=text[start:end].strip(" ,.?!;:")), parts))
            begun = True
    return told


def warm_up(language: str = "en-us") -> None:
    """Load the G2P backend, so that the first sentence does not wait for it."""
    phonemize("hello", language)


def _pronunciations(lexicon: Mapping[str, str]) -> dict[str, Sounds]:
    """The lexicon as `phonemize` looks words up in it.

    Raises:
        TextError: A pronunciation is not IPA, or has no sound.
    """
    own = {}
    for word, ipa in lexicon.items():
        if not isinstance(word, str) or not isinstance(ipa, str):
            raise TextError(f"the lexicon's entry {word!r}: {ipa!r} is no word and its IPA, as 'Siobhan': 'ʃɪvˈɔːn' is")
        if not is_word(word):
            raise TextError(f"the lexicon's entry {word!r} is not one word; give each of its words by itself")
        try:
            phones = parse_ipa(ipa)
        except TextError as error:
            raise TextError(f"the lexicon's entry for {word!r}: {error}") from error
        if not phones:
            raise TextError(f"the lexicon's entry for {word!r} is {ipa!r}, which has no sound: give it in IPA")
        own[word.lower().replace("’", "'")] = phones
    return own


# Each takes the words of a phrase and gives the sounds of each
BACKENDS: dict[str, Callable[[tuple[str, ...]], list[Sounds]]] = {
    "en-us": functools.partial(speak_phrase, language="en-us"),
}
