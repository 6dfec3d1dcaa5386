"""SSML's say-as: a text in the words that its kind is read with."""

from __future__ import annotations

import re
from collections.abc import Callable

from voxclone.errors import TextError
from voxclone.text.numbers import cardinal, ordinal, spell_digits

_MONTHS = "January February March April May June July August September October November December".split()
_DATE_FORMATS = ("mdy", "dmy", "ymd", "md", "dm", "ym", "my", "y", "m", "d")
MAX_DIGITS = 36


def say_as(text: str, kind: str, form: str = "") -> str:
    """Rewrite a text so that normalising it gives the words wanted.

    Args:
        text: What is written.
        kind: A key of `KINDS` (SSML's interpret-as).
        form: Of a date, the order of its parts: mdy, dmy, ymd, md, dm, ym, my, y, m or d.

    Raises:
        TextError: The kind is unknown, or the text is nothing of that kind.
    """
    if kind not in KINDS:
        raise TextError(f"interpret-as {kind!r} is not known; known are {', '.join(KINDS)}")
    if form and kind != "date":
        raise TextError(f"format {form!r} is for dates; interpret-as is {kind!r}")
    try:
        return KINDS[kind](text.strip(), form)
    except _Unfit as error:
        raise TextError(f"{text[:40]!r} cannot be said as {kind}; it needs another interpret-as, or none") from error


class _Unfit(Exception):
    """A text that is nothing of a kind."""


def _characters(text: str, form: str) -> str:
    names = {".": "dot", "-": "dash", "_": "underscore", "/": "slash", "@": "at", "&": "and", "+": "plus", "#": "hash"}
    spoken = []
    for character in text:
        if character.isspace():
            spoken.append(",")
        elif character.isdigit():
            spoken.append(spell_digits(character))
        else:
            spoken.append(names.get(character, character.upper()))
    return " ".join(filter(None, spoken)).replace(" ,", ",")


def _digits(text: str, form: str) -> str:
    return ", ".join(" ".join(spell_digits(c) for c in group) for group in re.findall(r"\d+", _only(text, r"[\d\s-]+")))


def _cardinal(text: str, form: str) -> str:
    return cardinal(_integer(text))


def _ordinal(text: str, form: str) -> str:
    return ordinal(_integer(re.sub(r"(?<=\d)(?:st|nd|rd|th)$", "", text)))


def _telephone(text: str, form: str) -> str:
    plus = "plus " if text.startswith("+") else ""
    return plus + ", ".join(map(spell_digits, re.findall(r"\d+", _only(text, r"\+?[\d\s().-]+"))))


def _date(text: str, form: str) -> str:
    parts = re.findall(r"\d+", text)
    form = form or "mdy"[: len(parts)]
    if form not in _DATE_FORMATS:
        raise TextError(f"the date format {form!r} is not known; known are {', '.join(_DATE_FORMATS)}")
    if len(parts) != len(form):
        raise TextError(f"the date {text!r} has {len(parts)} numbers; the format {form!r} has {len(form)}")
    values = dict(zip(form, map(int, parts), strict=True))
    month, day = values.get("m"), values.get("d")
    if (month is not None and not 1 <= month <= 12) or (day is not None and not 1 <= day <= 31):
        raise TextError(f"the date {text!r} is none in the format {form!r}")
    words = [] if month is None else [_MONTHS[month - 1]]
    if day is not None:
        words.append(ordinal(day))
    if "y" in values:
        from voxclone.text.numbers import year

        words.append(", " * (day is not None) + year(values["y"]))
    return " ".join(words).replace(" ,", ",")


def _fraction(text: str, form: str) -> str:
    return _only(text, r"(?:\d+ )?\d{1,4}/\d{1,4}")


def _as_written(text: str, form: str) -> str:
    return text


def _integer(text: str) -> int:
    plain = _only(text, r"[+-]?[\d,]+").replace(",", "")
    if len(plain) > MAX_DIGITS:
        raise TextError(f"{text[:40]!r} has more than {MAX_DIGITS} digits; say it as digits")
    return int(plain)


def _only(text: str, pattern: str) -> str:
    if not text.isascii() or not re.fullmatch(pattern, text) or not re.search(r"\d", text):
        raise _Unfit
    return text


KINDS: dict[str, Callable[[str, str], str]] = {
    "characters": _characters,
    "spell-out": _characters,
    "verbatim": _characters,
    "digits": _digits,
    "cardinal": _cardinal,
    "number": _cardinal,
    "ordinal": _ordinal,
    "fraction": _fraction,
    "date": _date,
    "telephone": _telephone,
    "time": _as_written,  # the normaliser reads these by themselves
    "currency": _as_written,
    "unit": _as_written,
}
