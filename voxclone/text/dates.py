"""Dates, years, eras, times of day and durations."""

from __future__ import annotations

import re

from voxclone.text.numbers import cardinal, ordinal, plural, spell_digits, two_digits, year
from voxclone.text.rule import rule, where_digits

MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTH_OF = {month[:3]: month for month in MONTHS} | {"Sept": "September"} | {month: month for month in MONTHS}
_DAY_OF = {day[:3]: day for day in _DAYS} | {"Tues": "Tuesday", "Thur": "Thursday", "Thurs": "Thursday"}
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTH_OF, key=len, reverse=True))})\b(?:\.(?!\s*\Z|\s+[\"'(]*[A-Z]))?"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?!\w)"
_YEAR = r"(?P<year>[12]\d{3})(?![\w-]|[,.]\d)"
_HALF = r"(?: ?(?P<half>[ap])\.?m\b(?P<dot>\.)?)"
_CLOCK = (
    r"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:\.\d+)?)?(?![\d:])(?P<h>h\b)?"
)
_WEEKDAY = rf"(?:{'|'.join(sorted(_DAY_OF, key=len, reverse=True))})"
_SHORT_MONTH = r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
_SENTENCE_END = re.compile(rf"[\"')\]]*(?:\s*\Z| (?!(?:{'|'.join(MONTHS + _DAYS)}|[A-Z]{{2,}})\b)[\"'(]*[A-Z])")


def _day_of(match: re.Match[str]) -> str:
    return ordinal(int(match["day"]))


def _speak_date(month: str, day: int, written_year: str) -> str:
    return f"{month} {ordinal(day)}, {year(int(written_year))}"


def _speak_iso(match: re.Match[str]) -> str:
    return _speak_date(MONTHS[int(match["month"]) - 1], int(match["day"]), match["year"]) + (", " if match["t"] else "")


def _speak_slashed(match: re.Match[str]) -> str:
    """Month first, as in the United States, unless that month cannot be."""
    month, day, written = int(match[1]), int(match[2]), match[3]
    if month > 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    if len(written) == 2:
        written = ("20" if int(written) < 50 else "19") + written
    return _speak_date(MONTHS[month - 1], day, written)


def _speak_dotted(match: re.Match[str]) -> str:
    """Day first, as where dates are written with points."""
    return _speak_date(MONTHS[int(match["month"]) - 1], int(match["day"]), match["year"])


def _speak_month_day(match: re.Match[str]) -> str:
    spoken = f"{_MONTH_OF[match['month']]} {_day_of(match)}"
    if match["last"]:
        spoken += f" to {ordinal(int(match['last']))}"
    if match["year"]:
        spoken += f", {year(int(match['year']))}"
    return spoken


def _speak_day_month(match: re.Match[str]) -> str:
    first = f"{ordinal(int(match['first']))} to the " if match["first"] else ""
    spoken = f"the {first}{_day_of(match)} of {_MONTH_OF[match['month']]}"
    return f"{spoken}, {year(int(match['year']))}" if match["year"] else spoken


def _speak_decade(match: re.Match[str]) -> str:
    century, tens = match["century"], match["tens"]
    if tens == "00":
        return plural(cardinal(int(century) * 100)) if century.endswith("0") else f"{cardinal(int(century))} hundreds"
    return f"{cardinal(int(century))} {plural(cardinal(int(tens)))}"


def _speak_era(match: re.Match[str]) -> str:
    end = "." if match["era"].endswith(".") and _SENTENCE_END.match(match.string, match.end()) else ""
    return f"{year(int(match['year']))} {' '.join(match['era'].replace('.', ''))}{end}"


def _speak_half(match: re.Match[str]) -> str:
    if not match["half"]:
        return ""
    ends = match["dot"] and _SENTENCE_END.match(match.string, match.end())
    return f" {match['half'].upper()} M{'.' if ends else ''}"


def _speak_clock(match: re.Match[str]) -> str:
    hour, minute, half = int(match["hour"]), int(match["minute"]), _speak_half(match)
    if minute:
        spoken = f"{cardinal(hour)} {two_digits(match['minute'])}"
    elif half:
        spoken = cardinal(hour)
    else:
        spoken = f"{cardinal(hour)} o'clock" if 1 <= hour <= 12 else f"{cardinal(hour)} hundred"
    if match["second"]:
        seconds = int(match["second"])
        spoken += f" and {cardinal(seconds)} second{'' if seconds == 1 else 's'}"
    if match["h"]:
        spoken = spoken.removesuffix(" o'clock") + " hours"
    return spoken + half


def _speak_military(match: re.Match[str]) -> str:
    """0600 hours -> oh six hundred hours."""
    hour, minute = match[1], match[2]
    spoken = f"oh {cardinal(int(hour[1]))}" if hour[0] == "0" else cardinal(int(hour))
    return f"{spoken} {'hundred' if minute == '00' else two_digits(minute)} hours"


def _speak_short_date(match: re.Match[str]) -> str:
    """Due 12/1 -> December first; "by 2/3" may be a share, and since 9/11 is a name."""
    month, day = int(match["month"]), int(match["day"])
    if (month, day) == (9, 11) or (match["by"] and month < day):
        return match[0]
    return f"{match['word']} {MONTHS[month - 1]} {ordinal(day)}"


def _speak_duration(match: re.Match[str]) -> str:
    parts = []
    for value, unit in ((match[1], "hour"), (match[2], "minute"), (match[3], "second")):
        if value:
            parts.append(f"{cardinal(int(value))} {unit}{'' if int(value) == 1 else 's'}")
    return " ".join(parts)


DAY_RULES = (
    rule("weekdays", rf"\b({_WEEKDAY})\.?(?:-| (?:to|through) )({_WEEKDAY})\b(?:\.(?= [a-z\d]))?",
         lambda m: f"{_DAY_OF[m[1]]} to {_DAY_OF[m[2]]}"),
    rule("months", rf"\b({_SHORT_MONTH})\.?-({_SHORT_MONTH})\b(?:\.(?= [a-z\d]))?",
         lambda m: f"{_MONTH_OF[m[1]]} to {_MONTH_OF[m[2]]}"),
    rule("dotted weekday", r"\b(Mon|Tues?|Wed|Thu(?:rs?)?|Fri)\.(?= [a-z]|,)", lambda m: _DAY_OF[m[1]]),
    rule("dotted month or weekday at an end", rf"(?<=\b(?:in|of|on|by) )({_SHORT_MONTH}|Mon|Tues?|"
         r"Wed|Thurs?|Fri|Sat|Sun)(?=\.(?:\s*\Z|\s+[\"'(]*[A-Z]))", lambda m: (_MONTH_OF | _DAY_OF)[m[1]]),
    rule("dotted month", rf"\b({_SHORT_MONTH})\.(?= [a-z]|,)", lambda m: _MONTH_OF[m[1]]),
)  # fmt: skip

DATE_RULES = where_digits(
    rule("ISO date", r"(?<![\w-])(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])"
         r"(?:(?P<t>T)(?=\d\d:)|(?![\w-]))", _speak_iso),
    rule("date with slashes", r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\w/])", _speak_slashed),
    rule("short date with a slash", r"\b(?P<word>(?P<by>by)|on|due|until|till|since) (?P<month>0?[1-9]|1[0-2])/"
         r"(?P<day>0?[1-9]|[12]\d|3[01])(?![\w/]|[.,]\d| (?:of|an?)\b)", _speak_short_date, re.IGNORECASE),
    rule("quarter", r"\b([QH][1-4])'(?=\d\d\b)", r"\1 "),
    rule("date with dashes", r"(?<![\w-])(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])-((?:19|20)\d\d)(?![\w-])",
         _speak_slashed),
    rule("date with points", r"(?<![\w.])(?P<day>0?[1-9]|[12]\d|3[01])\.(?P<month>0?[1-9]|1[0-2])\."
         r"(?P<year>(?:19|20)\d\d)(?!\w|\.\d)", _speak_dotted),
    rule("weekday", rf"\b({_WEEKDAY})\b\.?(?=,? (?:(?:{'|'.join(_MONTH_OF)})\b|"
         r"\d{1,2}(?::\d\d| ?[ap]\.?m\b|-\d{1,2}\b)))",
         lambda m: _DAY_OF[m[1]]),
    rule("day and month", rf"(?:\b[Tt]he )?(?<![\w.,/:$£€-])(?:(?P<first>[12]?\d|3[01])-)?"
         rf"{_DAY} (?:of )?{_MONTH}(?:,? {_YEAR})?", _speak_day_month),
    rule("month and day", rf"\b{_MONTH} {_DAY}(?![:.,]\d|/)(?:-(?P<last>\d{{1,2}})\b)?(?:,? {_YEAR})?",
         _speak_month_day),
    rule("month and year", rf"\b{_MONTH} {_YEAR}", lambda m: f"{_MONTH_OF[m['month']]} {year(int(m['year']))}"),
    rule("duration", r"(?<![\w.,:])(\d{1,4})h(?: ?(\d{1,4})(?:m|min)?)?(?: ?(\d{1,4})s)?(?!\w)", _speak_duration),
    rule("short duration", r"(?<![\w.,:])()(\d{1,4})m(?:in)? ?(\d{1,4})s(?!\w)", _speak_duration),
    rule("decade", r"(?<![\w.,])'?(?!1000)(?P<century>1\d|20)(?P<tens>\d0)'?s\b", _speak_decade),
    rule("short decade", r"(?<![\w.,$£€])'(?P<tens>[2-9]0)'?s\b", lambda m: plural(cardinal(int(m["tens"])))),
    rule("short year", r"(?<![\w'])'(\d)(\d)(?![\w'])",
         lambda m: two_digits(m[1] + m[2])),
    rule("year and era", r"(?<![\w.,])(?P<year>\d{1,4}) ?(?P<era>BCE?|CE|AD|B\.C\.(?:E\.)?|C\.E\.|A\.D\.)(?!\w)",
         _speak_era),
    rule("military time", r"(?<![\w.,:])([01]\d|2[0-3])([0-5]\d) ?(?:hours|hrs|h)\b", _speak_military),
    rule("era and year", r"\b(?:AD|A\.D\.) ?(\d{1,4})(?![\w,.]\d|\w)", lambda m: f"A D {year(int(m[1]))}"),
    rule("time with a point", r"(?<![\w:.,$£€])(1[0-2]|0?[1-9])\.([0-5]\d)(?= ?[ap]\.?m\b)", r"\1:\2", re.IGNORECASE),
    rule("split time", r"(?<![\d:.,])(\d{1,2}):([0-5]\d)\.(\d{1,3})(?![\w:]|\.\d)",
         lambda m: f"{cardinal(int(m[1]))} {two_digits(m[2])} point {spell_digits(m[3])}"),
    rule("minutes and seconds", r"(?<= )(in|at|ran|lasts|lasted|clocked) (2[5-9]|[3-9]\d):([0-5]\d)(?![\d:])",
         lambda m: f"{m[1]} {cardinal(int(m[2]))} {two_digits(m[3])}"),
    rule("time range", r"(\d(?: ?[ap]\.?m\.?)?) ?- ?(?=\d{1,2}(?::[0-5]\d| ?[ap]\.?m\b))", r"\1 to ", re.IGNORECASE),
    rule("time", rf"{_CLOCK}{_HALF}?", _speak_clock, re.IGNORECASE),
    rule("hour", rf"(?<![\w:.,])(?P<hour>1[0-2]|0?[1-9]){_HALF}",
         lambda m: f"{cardinal(int(m['hour']))}{_speak_half(m)}", re.IGNORECASE),
    rule("ratio", r"(?<![\d:.])(\d{1,6}):(?=\d{1,6}(?![\d:]))", r"\1 to "),
)  # fmt: skip
