"""Words of two sounds (read, wound, close), told by words beside them that espeak-ng does not look at."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

VERB: Final = "to"  # the sound is that which the word has after "to"
_REACH = 12  # words on either side that are looked at


class _Sound(NamedTuple):
    """How a word sounds where what is before and after it matches, and what is before does not match `unless`."""

    ipa: str
    before: str = ""
    after: str = ""
    unless: str = r"(?!)"


_OBJECT = r"(?:the|an?|this|these|those|my|your|his|her|its|our|their|it|them|him|me|us|each|every|any|both)\b"
_ASKS = r"(?:^|[.,;:?!] )$"  # a clause begins, as where something is asked for
_AFTER_PLEASE = r"\b(?:please|and|or|then|just|also|never|always|don't|let's|let (?:me|us|him|her|them)) $"
_ADVERB = r"(?:(?:never|once|also|just|only|then|already|quickly|slowly|often|had never) )?"
_HELPED = (
    r"\b(?:did|do|does|will|would|can|could|shall|should|may|might|must|let|makes?|made|helps?|helped|hear|heard|see|saw)"
    rf"(?:n't)? (?:\S+ )?(?:I|we|you|they|he|she|it|who|[A-Z]\w+) {_ADVERB}$"
)
_PAST = r"[^.?!;]*\b(?:yesterday|ago|last (?:night|week|month|year|summer|winter|spring|fall|autumn|time)|earlier)\b"
_ARTICLE = r"\b(?:the|an?|his|her|my|your|our|their|its|this|that|each|every|\w+(?:shot|stab|knife|flesh|head)) $"
_SHIPS = r"(?:ship|boat|vessel|yacht|ferry|canoe|kayak|Titanic|submarine)"

_VERBS = (
    "abuse attribute close compound conduct conflict console contest contract convert convict coordinate desert digest "
    "escort estimate export extract finance house increase insert misuse moderate object perfect permit present "
    "produce project protest rebel recall record refund refuse separate survey suspect tear torment transfer transport "
    "upgrade use wind"
).split()
_SOUNDS: dict[str, tuple[_Sound, ...]] = {
    word: (_Sound(VERB, _ASKS, _OBJECT), _Sound(VERB, _AFTER_PLEASE, _OBJECT), _Sound(VERB, r"\bplease $"))
    for word in _VERBS
}
_SOUNDS["use"] += (_Sound(VERB, _ASKS, r"(?!(?:of|is|was|by|in|at|as|has|cases?|and|or)\b)\w"),)
_SOUNDS["object"] += (_Sound(VERB, _ASKS, r"to\b"),)
_SOUNDS["excuse"] = (_Sound("ɛkskjˈuːz", _ASKS, _OBJECT), _Sound("ɛkskjˈuːz", r"\b(?:please|to) $"))
_SOUNDS["tear"] += (
    _Sound("tˈɛɹ", r"\bwear and $"),
    _Sound(
        "tˈɛɹ",
        r"\b(?:an?|the|this|that) (?:\w+ )?$",
        r"in (?:the|a|my|your|his|her|its|our|their) (?!(?:\w+ ){0,4}\w*(?:eyes?|cheeks?)\b)",
    ),
)
_SOUNDS |= {
    "bass": (
        _Sound("bˈæs", "", r"(?:fishing|fisher\w*|boat|lake)\b"),
        _Sound("bˈæs", r"\b(?:sea|striped|largemouth|smallmouth|black|grilled|fried) $"),
        _Sound("bˈæs", r"\b(?:caught|catch|hook(?:ed)?|land(?:ed)?|ate|eat|fish(?:ed|ing)? for) (?:an? )?(?:\w+ )?$"),
    ),
    "bow": (
        _Sound("bˈaʊ", r"\b(?:take|takes|took|taking|taken|make|made|final|deep|low) (?:an? )?$"),
        _Sound("bˈaʊ", "", rf"(?:of|and stern of) (?:the|an?|our|his|her|their) (?:\w+ )?{_SHIPS}\b"),
        _Sound("bˈaʊ", "", r"and stern\b"),
        _Sound("bˈaʊ", rf"\b{_SHIPS}'s $"),
        _Sound("bˈaʊ", _ASKS, r"(?:to|before|down|out)\b"),
        _Sound(VERB, _ASKS, _OBJECT),
    ),
    "content": (
        _Sound(VERB,
               r"\b(?:am|is|are|was|were|be|been|i'm|\w+'re|s?he's|feels?|felt|seem(?:s|ed)?|quite|very|not) $",
               r"(?:$|[.,;:?!]|(?:with|to|in|as|here|now)\b)"),
    ),
    "dove": (_Sound("dˈoʊv", "", r"(?:into|headfirst|deeper)\b", _ARTICLE),),
    "lead": (
        _Sound("lˈɛd", "", r"(?:pipes?|paints?|poisoning|acid|bullets?|ore|shot|weights?|oxide|crystal|free|lined)\b"),
        _Sound("lˈɛd", r"\b(?:made|full|ton|tons|pound|pounds|piece|sheet|traces|levels) of $", r"(?:$|[.,;:?!])"),
    ),
    "live": (_Sound("lˈɪv", _ASKS, r"(?:it|and|long|well|your|the|every|each)\b"),),
    "minute": (
        _Sound("maɪnˈuːt", "",
               r"(?:details?|amounts?|quantit\w+|differences?|particles?|fragments?|traces?|fractions?|variations?|"
               r"organisms?|doses?)\b"),
    ),
    "polish": (
        _Sound("pˈoʊlɪʃ", r"\w $", unless=r"\b(?:to|please|shoe|nail|floor) $"),
        _Sound("pˈoʊlɪʃ", "^$", rf"(?!{_OBJECT})\w"),
    ),
    "read": (
        _Sound("ɹˈɛd", rf"\b(?:he|she|it) {_ADVERB}$", unless=_HELPED),
        _Sound("ɹˈɛd", rf"\b(?:I|we|you|they|who|[A-Z][a-z]+) {_ADVERB}$", _PAST, _HELPED),
        _Sound("ɹˈɛd", r"\bwell $"),
    ),
    "resume": (_Sound("ɹˈɛzuːmˌeɪ", r"\b(?:an?|my|your|his|her|our|their) (?:new |old |long |good )?$"),),
    "wound": (
        _Sound("wˈaʊnd", r"\b(?:I|he|she|it|we|you|they|who) $"),
        _Sound("wˈaʊnd", "", r"(?:up|around|through|its)\b", _ARTICLE),
    ),
}  # fmt: skip


def told_apart(words: Sequence[str], marks: Sequence[str], index: int) -> str | None:
    """How a word sounds among these: IPA, `VERB`, or None where nothing tells or G2P knows.

    Args:
        words: A sentence's words as written.
        marks: The punctuation behind each, "" for none.
        index: Of the word.
    """
    word = words[index]
    sounds = _SOUNDS.get(word.lower())
    if sounds is None or (word.lower() == "polish" and word != "Polish"):
        return None
    before = _joined(words[max(0, index - _REACH) : index], marks[max(0, index - _REACH) : index])
    after = _joined(words[index + 1 : index + 1 + _REACH], marks[index + 1 : index + 1 + _REACH])
    after = f"{marks[index]} {after}" if marks[index] else after
    for sound in sounds:
        fits = _pattern(sound.before).search(before) and _pattern(sound.after).match(after)
        if fits and not _pattern(sound.unless).search(before):
            return sound.ipa
    return None


def _joined(words: Sequence[str], marks: Sequence[str]) -> str:
    """Words and marks as a text whose every word ends in a space."""
    return "".join(f"{word}{mark} " for word, mark in zip(words, marks, strict=True))


@functools.cache
def _pattern(written: str) -> re.Pattern[str]:
    return re.compile(written, re.IGNORECASE)
