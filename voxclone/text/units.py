"""Quantities with a unit: 5 km, 20 °C, 60 mph, 5'10", 50 %."""

from __future__ import annotations

import re
from functools import partial

from voxclone.text.abbreviations import final_stop
from voxclone.text.beside import is_place
from voxclone.text.numbers import FRACTION, MINUS, NUMBER, QUANTITIES, QUANTITY, is_of_a_thing, is_one, speak_quantity
from voxclone.text.rule import alternatives, rule, where_digits

# Symbol: one, many.
_REGULAR = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "μm": "micrometer", "nm": "nanometer",
    "mi": "mile", "yd": "yard", "yds": "yard", "nmi": "nautical mile", "ly": "light year",
    "kg": "kilogram", "g": "gram", "mg": "milligram", "μg": "microgram", "lb": "pound", "lbs": "pound", "oz": "ounce",
    "L": "liter", "l": "liter", "ml": "milliliter", "mL": "milliliter", "dl": "deciliter", "cl": "centiliter",
    "gal": "gallon", "qt": "quart", "tsp": "teaspoon", "tbsp": "tablespoon", "ha": "hectare",
    "h": "hour", "hr": "hour", "hrs": "hour", "min": "minute", "mins": "minute", "s": "second", "sec": "second",
    "secs": "second", "ms": "millisecond", "μs": "microsecond", "ns": "nanosecond", "wk": "week", "wks": "week",
    "yr": "year", "yrs": "year", "B": "byte", "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte",
    "TB": "terabyte", "PB": "petabyte", "KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte", "kb": "kilobit",
    "Mb": "megabit", "Gb": "gigabit", "MP": "megapixel", "px": "pixel", "W": "watt", "kW": "kilowatt", "MW": "megawatt",
    "GW": "gigawatt", "kWh": "kilowatt hour", "MWh": "megawatt hour", "V": "volt", "kV": "kilovolt", "mV": "millivolt",
    "mA": "milliamp", "mAh": "milliamp hour", "Ω": "ohm", "kΩ": "kilohm", "J": "joule", "kJ": "kilojoule",
    "cal": "calorie", "kcal": "kilocalorie", "N": "newton", "Pa": "pascal", "kPa": "kilopascal", "hPa": "hectopascal",
    "dB": "decibel", "K": "kelvin", "kbit": "kilobit", "Mbit": "megabit", "Gbit": "gigabit", "cc": "cubic centimeter",
    "kgs": "kilogram", "kms": "kilometer", "ltr": "liter", "ltrs": "liter", "mcg": "microgram", "bbl": "barrel",
    "deg": "degree", "mos": "month",
}  # fmt: skip
UNITS: dict[str, tuple[str, str]] = {symbol: (name, name + "s") for symbol, name in _REGULAR.items()} | {
    "ft": ("foot", "feet"),
    "in.": ("inch", "inches"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "mph": ("mile per hour", "miles per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "mpg": ("mile per gallon", "miles per gallon"),
    "psi": ("pound per square inch", "pounds per square inch"),
    "rpm": ("revolution per minute", "revolutions per minute"),
    "bpm": ("beat per minute", "beats per minute"),
    "fps": ("frame per second", "frames per second"),
    "dpi": ("dot per inch", "dots per inch"),
    "ppm": ("part per million", "parts per million"),
    "kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "hp": ("horsepower", "horsepower"),
    "pct": ("percent", "percent"),
    "%": ("percent", "percent"),
    "‰": ("per mille", "per mille"),
}
_LENGTHS = ("km", "m", "cm", "mm", "μm", "mi", "yd", "ft", "in")
_POWERS = {"²": "square", "^2": "square", "³": "cubic", "^3": "cubic"}
for _length in _LENGTHS:
    for _mark, _power in _POWERS.items():
        _one, _many = UNITS["in." if _length == "in" else _length]
        UNITS[_length + _mark] = (f"{_power} {_one}", f"{_power} {_many}")
for _short, _power in {"sq": "square", "cu": "cubic"}.items():
    for _length in ("ft", "in", "yd", "mi", "m", "cm", "km"):
        _one, _many = UNITS["in." if _length == "in" else _length]
        for _written in (f"{_short} {_length}", f"{_short}. {_length}", f"{_short}. {_length}."):
            UNITS[_written] = (f"{_power} {_one}", f"{_power} {_many}")
_PER = {"h": "hour", "hr": "hour", "s": "second", "sec": "second", "min": "minute", "s²": "second squared",
        "s^2": "second squared", "m": "meter", "m²": "square meter", "m³": "cubic meter", "km": "kilometer",
        "kg": "kilogram",
        "L": "liter", "l": "liter", "dL": "deciliter", "mL": "milliliter", "cm": "centimeter",
        "cm²": "square centimeter",
        "cm³": "cubic centimeter", "gal": "gallon", "day": "day", "week": "week", "month": "month", "year": "year",
        "yr": "year", "hour": "hour", "second": "second", "minute": "minute", "mi": "mile", "lb": "pound"}  # fmt: skip
_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}
# Symbols that are read as units with no number before them, and in no other sense.
_BARE = ("km", "cm", "kg", "mph", "GB", "MB", "TB", "kHz", "MHz", "GHz", "Hz", "dB", "kW", "kWh", "Mbps", "Gbps")
_UNIT = rf"(?:{alternatives(UNITS)})"
_OVER = rf"(?:/(?P<per>{alternatives(_PER)}))?(?![\w²³^/])(?:\.(?= [a-z\d(]|[,;:?!]))?"
_SPACED = ("B", "K")  # 5 B is bytes and 300 K kelvin, but 5B is billions, 300K thousands and a 10-K a form


def _speak_unit(match: re.Match[str]) -> str:
    quantity, unit = match["quantity"], match["unit"]
    if unit in _SPACED and match["gap"] != " ":
        return match[0]
    one, many = UNITS[unit]
    single = is_one(quantity) or match["gap"] == "-" or is_of_a_thing(match)
    per = f" per {_PER[match['per']]}" if match["per"] else ""
    stop = final_stop(match) if unit.endswith(".") and not match[0].endswith("..") else ""
    return f"{speak_quantity(quantity)} {one if single else many}{per}{stop}"


def _speak_feet(match: re.Match[str]) -> str:
    """5'11" is a height, 5'30" a time."""
    feet, inches = match[1], match[2]
    if float(inches) >= 12:
        return (f"{speak_quantity(feet)} minute{'' if feet == '1' else 's'} "
                f"{speak_quantity(inches)} seconds")  # fmt: skip
    return (f"{speak_quantity(feet)} {'foot' if feet == '1' else 'feet'} "
            f"{speak_quantity(inches)} {'inch' if inches == '1' else 'inches'}")  # fmt: skip


def _speak_position(match: re.Match[str]) -> str:
    parts = [f"{speak_quantity(match[1])} degree{'' if match[1] == '1' else 's'}"]
    if match[2]:
        parts.append(f"{speak_quantity(match[2])} minute{'' if match[2] == '1' else 's'}")
    if match[3]:
        parts.append(f"{speak_quantity(match[3])} second{'' if match[3] == '1' else 's'}")
    compass = _COMPASS.get(match[4] or "", "")
    return " ".join([*parts, compass]).strip()


def _speak_position_after(match: re.Match[str]) -> str:
    return f"{_COMPASS[match[1]]} "


def _speak_inches(match: re.Match[str]) -> str:
    """5" in a sentence with no quotation open before it."""
    quoted = False
    for mark in re.finditer(r'(\d?)"', match.string[max(match.start() - 400, 0) : match.start()]):
        quoted = not (quoted or mark[1])  # behind a number it ends a quotation, or is of inches and begins none
    if quoted:
        return match[0]
    return f"{speak_quantity(match[1])} {'inch' if match[2] is not None else 'inches'}"


def _speak_scale(scale: str, match: re.Match[str]) -> str:
    """10K -> ten thousand, 2B -> two billion; seat 12B and gate 3M are places."""
    if match[0][-1].isupper() and is_place(match):
        return match[0]
    return f"{speak_quantity(match[1])} {scale}"


def _speak_bare(match: re.Match[str]) -> str:
    return UNITS[match[1]][1] + (f" per {_PER[match['per']]}" if match["per"] else "")


UNIT_RULES = where_digits(
    rule(
        "position", rf"({NUMBER}) ?°(?: ?(\d{{1,2}}) ?')?(?: ?(\d{{1,2}}(?:\.\d+)?) ?\")? ?([NSEW])\b", _speak_position
    ),
    rule("compass", r"\b([NSEW]) (?=\d{1,3}(?:\.\d{1,8})? ?°)", _speak_position_after),
    rule("angle", rf"({NUMBER}) ?°(?: ?(\d{{1,2}}) ?')(?: ?(\d{{1,2}}(?:\.\d+)?) ?\")?()", _speak_position),
    rule(
        "angle of a thing",
        rf"({NUMBER})°(?= (?:angle|turn|bend|rotation|view|arc|heat|weather)s?\b)",
        lambda m: f"{speak_quantity(m[1])} degree",
    ),
    rule("feet and inches", r"(?<![\w.])(\d{1,2}) ?' ?(\d{1,2}(?:\.\d)?) ?(?:\"|'')", _speak_feet),
    rule(
        "feet and inches in letters",
        r"(?<![\w.])(\d{1,4}) ?ft\.? ?(\d{1,2}(?:\.\d)?) ?in(?:\.(?= [a-z])|\b)",
        _speak_feet,
    ),
    rule("inches", r"(?<![\d.])(\d{1,3}\.\d{1,3})\"(?!\w)", lambda m: f"{speak_quantity(m[1])} inch"),
    rule(
        "whole inches",
        rf"(?<![\w.,\"])((?:{FRACTION}|\d{{1,3}})(?: \d/\d{{1,2}})?)\""
        r"(?:(?= [xX×] ?\d)|(?= (?:of|with|and|or|in|on|at|by|for|to|is|was|wide|tall|long|high|deep|thick|across)\b)|"
        r"(?= [a-z])()|(?=[,.]))",
        _speak_inches,
    ),
    rule(
        "feet",
        r"(?<![\w.'])(\d{1,3})'(?= (?:tall|long|wide|high|deep|[xX×] ?\d))",
        lambda m: f"{speak_quantity(m[1])} {'foot' if m[1] == '1' else 'feet'}",
    ),
    rule(
        "unit",
        rf"(?<![^\W\d_])(?<![A-Z]-)(?P<quantity>{QUANTITIES})(?P<gap>[ -]?)(?P<unit>{_UNIT}){_OVER}",
        _speak_unit,
    ),
    rule(
        "resolution", r"(?<![\w.,$£€¥-])([248])K(?= (?:[a-z]|TV|HDR|UHD|OLED|LED))|(?<=\bin )([48])K(?!\w)", r"\1\2 K"
    ),
    rule(
        "thousands",
        rf"(?<![^\W\d_])(?<![A-Z]-)({MINUS}{NUMBER})[kK](?!\w)",
        partial(_speak_scale, "thousand"),
    ),
    rule(
        "millions",
        rf"(?<![^\W\d_])(?<![A-Z]-)({MINUS}{NUMBER})(?:M| ?mn)(?!\w)",
        partial(_speak_scale, "million"),
    ),
    rule(
        "billions",
        rf"(?<![^\W\d_])(?<![A-Z]-)({MINUS}{NUMBER})(?:B| ?bn)(?!\w| [A-Z][a-z])",
        partial(_speak_scale, "billion"),
    ),
    rule("per unit", rf"({QUANTITY})/({alternatives(_PER)})(?!\w)", lambda m: f"{m[1]} per {_PER[m[2]]}"),
)
BARE_UNIT_RULES = (
    rule("unit alone", rf"(?<![\w/.-])({'|'.join(sorted(_BARE, key=len, reverse=True))}){_OVER}", _speak_bare),
)
