"""Inline markup: pauses, pronunciations, emphasis, and words spoken in another manner.

[pause 300ms]   [pause 1.5 s]   [pause]     silence of that length (0.5 s) between two words; a number needs its unit
[word](/wɜːd/)                              a pronunciation in IPA
[some words](speed=0.8 pitch=+2)            speed, pitch (semitones), pitch_range, energy, duration (1.2s)
*word*   **words**                          emphasis, strong emphasis
\\[   \\*                                     the character itself
"""

from __future__ import annotations

import re
from typing import Literal, get_args

from voxclone.errors import ConfigError, TextError
from voxclone.text import script
from voxclone.text.script import EMPHASIS, Manner, Script, ScriptBuilder

Markup = Literal["auto", "plain", "inline", "ssml"]
DEFAULT_PAUSE_SECONDS = 0.5
MAX_STRETCH_SECONDS = 3600.0
MAX_DEPTH = 16
MAX_EMPHASIS_CHARS = 204
MAX_ARRIVING_CHARS = 1000  # that a bracket may hold where the text comes in pieces

_SURROGATE = re.compile("[\ud800-\udfff]")
_SPECIAL = re.compile(r"[\[*\\]")
_PAUSE = re.compile(r"\[pause(?:\s+(?P<time>[+-]?[\d.,]+\s+[A-Za-z]+|[^\[\]\s]+))?\s*\]")
_NUMBER_START = re.compile(r"[+-]?[.,]?\d")
_PAUSE_START = re.compile(r"\[pause\b")
_TARGET = re.compile(r"\((?:/(?P<ipa>[^/()\n]*)/|(?P<manner>\s*[a-z_]+\s*=[^()\n]*))\)")
_EMPHASIS = re.compile(r"(?<![\w*\\])(?P<stars>\*{1,2})(?P<words>[^\s*](?:[^*\n]{0,200}[^\s*])?)(?P=stars)(?![\w*])")
_ESCAPE = re.compile(r"\\([\[\]*\\])")
_SETTING = re.compile(r"\s*([a-z_]+)\s*=\s*(\S+)\s*")
_BOUNDS = {
    "speed": script.SPEED,
    "pitch": script.PITCH,
    "pitch_range": script.PITCH_RANGE,
    "energy": script.ENERGY,
}
_SSML_START = re.compile(r"[\ufeff\s]*<(?:\?xml\s|!DOCTYPE\s|speak[\s>/])")


def parse(text: str, markup: Markup = "auto") -> Script:
    """Read a text with its markup.

    Args:
        text: As given.
        markup: "plain" has none. "inline" is this module's, and what looks like it and is wrong is an error. "ssml" is
            `voxclone.text.ssml`'s. "auto" is "ssml" where the text begins with `<speak`, `<?xml` or `<!DOCTYPE`, else
            "inline", but for brackets that are no markup, which are text. A pause's number needs its unit.

    Raises:
        TextError: The text is no str, or its markup is wrong: what, and where.
        ConfigError: There is no such markup.
    """
    from voxclone.text.ssml import parse_ssml

    require_markup(markup)
    if not isinstance(text, str):
        raise TextError(f"a text is a str; this is {type(text).__name__}")
    text = whole_characters(text)
    if markup == "ssml" or (markup == "auto" and is_ssml(text)):
        return parse_ssml(text)
    if markup == "plain":
        return Script.plain(text)
    return parse_inline(text, strict=markup == "inline")


def whole_characters(text: str) -> str:
    """A text with U+FFFD for lone surrogates, which no file holds and Python makes of arguments that are no UTF-8."""
    return _SURROGATE.sub("\ufffd", text)


def require_markup(markup: Markup) -> None:
    """Refuse what is no kind of markup.

    Raises:
        ConfigError: It is none.
    """
    if markup not in get_args(Markup):
        raise ConfigError(f"markup is {markup!r}; it must be one of {', '.join(map(repr, get_args(Markup)))}")


def is_ssml(text: str) -> bool:
    """Whether a text begins as an SSML document does."""
    return _SSML_START.match(text) is not None


def may_be_ssml(beginning: str) -> bool:
    """Whether a text that begins so is, or may yet turn out to be, an SSML document."""
    begun = beginning.lstrip("\ufeff \t\r\n")
    return is_ssml(beginning) or any(start.startswith(begun) for start in ("<?xml", "<!DOCTYPE", "<speak"))


def parse_inline(text: str, strict: bool, start: int = 0) -> Script:
    """Read a text, or the part of one from `start` on, that may have inline markup.

    Raises:
        TextError: The markup is wrong; the place is that in the whole text.
    """
    inline = _Inline(text, strict, start)
    inline.read(0, len(text))
    return inline.builder.build(len(text))


def inline_pieces(text: str) -> list[tuple[int, int]]:
    """Characters [start, end) of each piece of inline markup of a text, outermost ones, in order.

    Raises:
        TextError: The markup is wrong.
    """
    inline = _Inline(text, False, 0)
    inline.read(0, len(text))
    return inline.pieces


def unfinished(text: str) -> int:
    """Where something begins that may yet turn out to be inline markup, once more of the text is there; else its end.

    What goes on for more than `MAX_ARRIVING_CHARS` is taken for text.
    """
    closing = _closing_brackets(text)
    ends: set[int] = set()  # of emphases
    at = 0
    while special := _SPECIAL.search(text, at):
        at = special.start()
        rest = text[at:]
        if rest[0] == "*":
            stars = len(rest) - len(rest.lstrip("*"))
            if at not in ends and stars <= 2:
                emphasis = _EMPHASIS.match(text, at)
                if emphasis is not None and emphasis.end() < len(text):
                    ends.add(emphasis.end("words"))
                elif emphasis is not None or _may_open_emphasis(text[at - 1 : at], rest[stars:]):
                    return at
            at += stars
        elif (rest[0] == "\\" and len(rest) == 1) or (
            rest[0] == "[" and len(rest) <= MAX_ARRIVING_CHARS and _may_open_bracket(rest, closing.get(at, at) - at)
        ):
            return at
        else:
            at += 2 if _ESCAPE.match(text, at) else 1
    return len(text)


def _may_open_emphasis(before: str, after: str) -> bool:
    if before.isalnum() or before in ("_", "\\") or after[:1].isspace():
        return False
    return "\n" not in after and len(after) <= MAX_EMPHASIS_CHARS


def _may_open_bracket(rest: str, close: int) -> bool:
    """Whether more text can make markup of what begins with a bracket, closed at index `close`; 0 is not yet."""
    if not close:
        return "\n\n" not in rest
    after = rest[close + 1 :]
    return not after or (after[0] == "(" and not re.search(r"[)\n]", after))


class _Inline:
    """One text's parse."""

    def __init__(self, text: str, strict: bool, start: int) -> None:
        self.text, self.strict, self.start = text, strict, start
        self.builder = ScriptBuilder(start=start)
        self.closing = _closing_brackets(text)
        self.pieces: list[tuple[int, int]] = []

    def read(self, start: int, end: int, depth: int = 0) -> None:
        """Add the text's characters [start, end)."""
        done = position = start
        while special := _SPECIAL.search(self.text, position, end):
            position = special.start()
            self.builder.add(self.text[done:position], done)
            done = position
            position = self.markup(special[0], position, end, depth)
            if position == done:
                position += 1  # it is a character like others
            else:
                if depth == 0:
                    self.pieces.append((done, position))
                done = position
        self.builder.add(self.text[done:end], done)

    def markup(self, character: str, at: int, end: int, depth: int) -> int:
        """Add what is said at a special character, and return where that ends; `at` where it is no markup."""
        if character == "\\":
            if not (escape := _ESCAPE.match(self.text, at, end)):
                return at
            self.builder.add(escape[1], at + 1)
            return escape.end()
        if character == "*":
            if depth == MAX_DEPTH or not (emphasis := _EMPHASIS.match(self.text, at, end)):
                return at
            with self.builder.manner(EMPHASIS["strong" if len(emphasis["stars"]) == 2 else "moderate"]):
                self.read(*emphasis.span("words"), depth + 1)
            return emphasis.end()
        try:
            return self.bracket(at, end, depth)
        except TextError as error:
            if error.position is not None:
                raise
            place = self.start + at
            raise TextError(f"in the bracket at position {place}: {error}", place) from error

    def bracket(self, at: int, end: int, depth: int) -> int:
        """As `markup`, for a bracket."""
        if pause := _PAUSE.match(self.text, at, end):
            time = pause["time"] and "".join(pause["time"].split())
            if self.strict or time is None or _NUMBER_START.match(time):
                longest = script.MAX_PAUSE_SECONDS
                self.builder.pause(DEFAULT_PAUSE_SECONDS if time is None else script.seconds_of(time, "pause", longest))
                return pause.end()
        if self.strict and _PAUSE_START.match(self.text, at, end):
            raise TextError("a pause is written [pause 300ms]")
        close = self.closing.get(at)
        if close is None or close >= end:
            return at
        target = _TARGET.match(self.text, close + 1, end)
        if target is None:
            if self.strict and self.text[close + 1 : close + 2] == "(":
                raise TextError("what follows is no pronunciation, such as (/wɜːd/), and no manner, such as (pitch=+2)")
            return at
        if target["ipa"] is not None:
            start = self.builder.position
            self.builder.add(self.text[at + 1 : close], at + 1)
            self.builder.pronounced(target["ipa"], start)
            return target.end()
        settings = _settings(target["manner"], self.strict)
        if settings is None:
            return at
        if depth == MAX_DEPTH:
            raise TextError(f"brackets are nested more than {MAX_DEPTH} deep")
        manner, seconds = settings
        with self.builder.manner(manner), self.builder.lasting(seconds):
            self.read(at + 1, close, depth + 1)
        return target.end()


def _closing_brackets(text: str) -> dict[int, int]:
    """Index of each opening bracket to that of its closing one, in the same paragraph."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for found in re.finditer(r"\\.|\n\n|[\[\]]", text, re.DOTALL):
        if found[0] == "[":
            opened.append(found.start())
        elif found[0] == "]" and opened:
            pairs[opened.pop()] = found.start()
        elif found[0] == "\n\n":
            opened = []
    return pairs


def _settings(written: str, strict: bool) -> tuple[Manner, float | None] | None:
    """Manner and seconds of "pitch=+2 duration=1.2s"; None if it is something else."""
    values: dict[str, float] = {}
    seconds = None
    end = 0
    while end < len(written):
        setting = _SETTING.match(written, end)
        if setting is None or (setting[1] not in _BOUNDS and setting[1] != "duration"):
            if not strict:
                return None
            known = ", ".join((*_BOUNDS, "duration"))
            raise TextError(f"{written[end:].strip()!r} sets none of {known}")
        name, value = setting[1], setting[2]
        if name == "duration":
            seconds = script.seconds_of(value, name, MAX_STRETCH_SECONDS)
        else:
            values[name] = script.number_within(value, name, _BOUNDS[name])
        end = setting.end()
    return Manner(**values), seconds
