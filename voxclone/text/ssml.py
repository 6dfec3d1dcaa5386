"""A subset of SSML 1.1 (https://www.w3.org/TR/speech-synthesis11/), read by expat; it takes no DTD, so no entities.

speak, p, s, voice (name), prosody (rate, pitch, range, volume, duration), emphasis (level), break (time, strength),
say-as (interpret-as, format), phoneme (ph, alphabet="ipa"), sub (alias), mark (name). Everything else is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import TypeVar
from xml.parsers import expat

from voxclone.errors import TextError
from voxclone.text import script
from voxclone.text.say_as import say_as
from voxclone.text.script import EMPHASIS, Manner, Script, ScriptBuilder

Value = TypeVar("Value")

MAX_DEPTH = 32
MAX_STRETCH_SECONDS = 3600.0
_BREAKS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.33, "x-fast": 1.8}
_PITCHES = {"x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0}
_PITCH_RANGES = {"x-low": 0.25, "low": 0.6, "medium": 1.0, "default": 1.0, "high": 1.5, "x-high": 2.0}
_VOLUMES = {"x-soft": -10.0, "soft": -5.0, "medium": 0.0, "default": 0.0, "loud": 4.0, "x-loud": 8.0}  # dB
_ATTRIBUTES = {
    "speak": ("version", "xml:lang", "xmlns", "xmlns:xsi", "xsi:schemaLocation"),
    "p": ("xml:lang",),
    "s": ("xml:lang",),
    "voice": ("name",),
    "prosody": ("rate", "pitch", "range", "volume", "duration"),
    "emphasis": ("level",),
    "break": ("time", "strength"),
    "say-as": ("interpret-as", "format"),
    "phoneme": ("ph", "alphabet"),
    "sub": ("alias",),
    "mark": ("name",),
}
_REQUIRED = {"voice": "name", "say-as": "interpret-as", "phoneme": "ph", "sub": "alias", "mark": "name"}
_TEXT_ONLY = ("say-as", "phoneme", "sub")
_EMPTY = ("break", "mark")
_START = re.compile(r"[\ufeff\s]*<")
_LATE_DECLARATION = re.compile(r"[\ufeff\s]+<\?xml\s[^<>]*\?>|\ufeff")  # which XML takes at the very start alone


def parse_ssml(text: str) -> Script:
    """Read an SSML document.

    Raises:
        TextError: It is not well-formed, has a document type, or an element or attribute that is not in the subset;
            the message names it with line and column, and `position` is its index in the text.
    """
    if not _START.match(text):
        raise TextError("SSML is a text that begins with <speak> and ends with </speak>; this one does not", 0)
    return _Reader(text).read()


@dataclass
class _Open:
    """An element that has begun."""

    name: str
    attributes: dict[str, str]
    start: int
    source: int
    place: str
    within: ExitStack


class _Reader:
    """One document's parse."""

    def __init__(self, text: str) -> None:
        if late := _LATE_DECLARATION.match(text):
            text = re.sub(r"\S", " ", late[0]) + text[late.end() :]
        self.content = text.encode("utf-8", "surrogatepass")
        self.length = len(text)
        self.ascii = text.isascii()
        self.builder = ScriptBuilder()
        self.open: list[_Open] = []
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = False
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype

    def read(self) -> Script:
        try:
            self.parser.Parse(self.content, True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise TextError(
                f"the SSML is not well-formed XML at line {error.lineno}, column {error.offset + 1}: {reason}"
            ) from error
        return self.builder.build(self.length)

    @property
    def source(self) -> int:
        """Index in the text of what is being parsed."""
        at = self.parser.CurrentByteIndex
        return at if self.ascii else len(self.content[:at].decode("utf-8", "surrogatepass"))

    def fail(self, message: str) -> TextError:
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
        return TextError(f"{message}, at line {line}, column {column} of the SSML", self.source)

    def doctype(self, *declaration: object) -> None:
        raise self.fail("a document type (DOCTYPE) is not allowed")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if name not in _ATTRIBUTES:
            raise self.fail(f"the element <{name}> is not among those that are read: {', '.join(_ATTRIBUTES)}")
        if (name == "speak") != (not self.open):
            raise self.fail("<speak> must be the outermost element, and only that")
        if self.open and self.open[-1].name in (*_TEXT_ONLY, *_EMPTY):
            raise self.fail(f"<{self.open[-1].name}> can hold no element, and holds <{name}>")
        if len(self.open) == MAX_DEPTH:
            raise self.fail(f"elements are nested more than {MAX_DEPTH} deep")
        for attribute in attributes:
            if attribute not in _ATTRIBUTES[name]:
                known = ", ".join(_ATTRIBUTES[name]) or "none"
                raise self.fail(f"<{name}> has the attribute {attribute!r}; known there are {known}")
        if name in _REQUIRED and _REQUIRED[name] not in attributes:
            raise self.fail(f"<{name}> lacks the attribute {_REQUIRED[name]!r}")
        if not attributes.get("xml:lang", "en").lower().startswith("en"):
            raise self.fail(f"<{name}> is in the language {attributes['xml:lang']!r}; only English is spoken")
        within = ExitStack()
        try:
            within.enter_context(self.context(name, attributes))
        except TextError as error:
            raise self.fail(f"{error}, in <{name}>") from error
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
        place = f", in <{name}> at line {line}, column {column} of the SSML"
        self.open.append(_Open(name, attributes, self.builder.position, self.source, place, within))

    def context(self, name: str, attributes: dict[str, str]) -> AbstractContextManager[object]:
        """What holds within an element; what has no content is done at once."""
        builder = self.builder
        if name in ("p", "s"):
            builder.boundary("paragraph" if name == "p" else "sentence")
        elif name == "break":
            builder.pause(_break_seconds(attributes))
        elif name == "mark":
            builder.mark(attributes["name"])
        elif name == "voice":
            return builder.voice(attributes["name"])
        elif name == "emphasis":
            return builder.manner(_label(attributes.get("level", "moderate"), "level", EMPHASIS))
        elif name == "prosody":
            within = ExitStack()
            within.enter_context(builder.manner(_manner(attributes)))
            if "duration" in attributes:
                seconds = script.seconds_of(attributes["duration"], "duration", MAX_STRETCH_SECONDS)
                within.enter_context(builder.lasting(seconds))
            return within
        return nullcontext()

    def end(self, name: str) -> None:
        """End the element that began last."""
        element = self.open.pop()
        element.within.close()
        if name in ("p", "s"):
            self.builder.boundary("paragraph" if name == "p" else "sentence")
        if name not in _TEXT_ONLY:
            return
        builder = self.builder
        try:
            if name == "phoneme":
                if element.attributes.get("alphabet", "ipa").lower() != "ipa":
                    raise TextError(f"the alphabet {element.attributes['alphabet']!r} is not known; ipa is")
                builder.pronounced(element.attributes["ph"], element.start)
                return
            if name == "sub":
                spoken = element.attributes["alias"]
            else:
                written = builder.since(element.start)
                spoken = say_as(written, element.attributes["interpret-as"], element.attributes.get("format", ""))
        except TextError as error:
            raise TextError(f"{error}{element.place}", element.source) from error
        builder.replace(element.start, spoken, element.source)

    def characters(self, data: str) -> None:
        """Text, in which every white space is a space."""
        if self.open[-1].name in _EMPTY:
            if data.strip():
                raise self.fail(f"<{self.open[-1].name}> can hold no text")
            return
        self.builder.add(re.sub(r"\s", " ", data), self.source)


def _break_seconds(attributes: dict[str, str]) -> float:
    if "time" in attributes:
        return script.seconds_of(attributes["time"], "time", script.MAX_PAUSE_SECONDS)
    return _label(attributes.get("strength", "medium"), "strength", _BREAKS)


def _manner(attributes: dict[str, str]) -> Manner:
    """What <prosody> asks for."""
    parts: dict[str, float] = {}
    if "rate" in attributes:
        parts["speed"] = _value(attributes["rate"], "rate", _RATES, _RATE_UNITS, script.SPEED)
    if "pitch" in attributes:
        forms: dict[str, Callable[[str], float]] = {"st": float, "%": _percent_as_semitones}
        parts["pitch"] = _value(attributes["pitch"], "pitch", _PITCHES, forms, script.PITCH)
    if "range" in attributes:
        parts["pitch_range"] = _value(attributes["range"], "range", _PITCH_RANGES, {"%": _percent}, script.PITCH_RANGE)
    if "volume" in attributes:
        decibels = _value(attributes["volume"], "volume", _VOLUMES, {"dB": float}, (-12.0, 12.0))
        parts["energy"] = 10 ** (decibels / 20)
    return Manner(**parts)


def _value(
    written: str,
    name: str,
    labels: dict[str, float],
    units: dict[str, Callable[[str], float]],
    bounds: tuple[float, float],
) -> float:
    """A label, or a number with a unit."""
    if written in labels:
        return labels[written]
    match = re.fullmatch(r"([+-]?\d{1,6}(?:\.\d{1,6})?)(\D*)", written.strip())
    if match is None or match[2] not in units:
        forms = ", ".join((*labels, *(f"a number{unit and ' with ' + unit}" for unit in units)))
        raise TextError(f"{name} is {written!r}; it can be {forms}")
    value = units[match[2]](match[1])
    if not bounds[0] <= value <= bounds[1]:
        least, most = (f"{bound:g}" for bound in bounds)
        raise TextError(f"{name} is {written!r}, which is out of range: {value:.3g}, where {least} to {most} can be")
    return value


def _percent(written: str) -> float:
    """80% and -20% are a factor of 0.8."""
    value = float(written) / 100
    return 1 + value if written[0] in "+-" else value


def _percent_as_semitones(written: str) -> float:
    factor = 1 + float(written) / 100
    return 12 * math.log2(factor) if factor > 0 else -math.inf


def _label(written: str, name: str, labels: dict[str, Value]) -> Value:
    if written not in labels:
        raise TextError(f"{name} is {written!r}; it can be {', '.join(labels)}")
    return labels[written]


_RATE_UNITS: dict[str, Callable[[str], float]] = {"%": _percent, "": float}
