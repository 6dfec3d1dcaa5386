"""Inline markup: pauses, pronunciations, emphasis, and words spoken in another manner.

[pause 300ms]   [pause 1.5s]   [pause]      silence of that length (0.5 s) between two words
[word](/wɜːd/)                              a pronunciation in IPA
[some words](speed=0.8 pitch=+2)            speed, pitch (semitones), pitch_range, energy, duration (1.2s)
*word*   **words**                          emphasis, strong emphasis
\\[   \\*                                     the character itself
"""

from __future__ import annotations

import re
from typing import Literal

from voxclone.errors import TextError
from voxclone.text import script
from voxclone.text.script import EMPHASIS, Manner, Script, ScriptBuilder

Markup = Literal["auto", "plain", "inline", "ssml"]
DEFAULT_PAUSE_SECONDS = 0.5
MAX_STRETCH_SECONDS = 3600.0
MAX_DEPTH = 16

_SPECIAL = re.compile(r"[\[*\\]")
_PAUSE = re.compile(r"\[pause(?:\s+(?P<time>[^\[\]\s]+))?\s*\]")
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
_SSML_START = re.compile(r"\s*<(?:\?xml\s|!DOCTYPE\s|speak[\s>/])")


def parse(text: str, markup: Markup = "auto") -> Script:
    """Read a text with its markup.

    Args:
        text: As given.
        markup: "plain" has none. "inline" is this module's, and what looks like it and is wrong is an error. "ssml" is
            `voxclone.text.ssml`'s. "auto" is "ssml" where the text begins with `<speak`, `<?xml` or `<!DOCTYPE`, else
            "inline", but for brackets that are no markup, which are text.

    Raises:
        TextError: The markup is wrong: what, and where.
    """
    from voxclone.text.ssml import parse_ssml

    if markup == "ssml" or (markup == "auto" and _SSML_START.match(text)):
        return parse_ssml(text)
    if markup == "plain":
        return Script.plain(text)
    inline = _Inline(text, strict=markup == "inline")
    inline.read(0, len(text))
    return inline.builder.build(len(text))


class _Inline:
    """One text's parse."""

    def __init__(self, text: str, strict: bool) -> None:
        self.text, self.strict = text, strict
        self.builder = ScriptBuilder()
        self.closing = _closing_brackets(text)

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
            return self.bracket(at, depth)
        except TextError as error:
            if error.position is not None:
                raise
            raise TextError(f"in the bracket at position {at}: {error}", at) from error

    def bracket(self, at: int, depth: int) -> int:
        """As `markup`, for a bracket."""
        if pause := _PAUSE.match(self.text, at):
            time = pause["time"]
            if self.strict or time is None or time[-1] == "s":
                longest = script.MAX_PAUSE_SECONDS
                self.builder.pause(DEFAULT_PAUSE_SECONDS if time is None else script.seconds_of(time, "pause", longest))
                return pause.end()
        if self.strict and _PAUSE_START.match(self.text, at):
            raise TextError("a pause is written [pause 300ms]")
        close = self.closing.get(at)
        if close is None:
            return at
        target = _TARGET.match(self.text, close + 1)
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
