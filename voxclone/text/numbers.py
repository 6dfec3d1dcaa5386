"""Numbers in American words, without hyphens and "and": one hundred twenty three, nineteen oh five."""

from __future__ import annotations

import functools
import re

from voxclone.text.rule import rule, where_digits

_LONGEST = 36  # digits; longer numbers are read digit by digit
_CODE = 10  # digits; ungrouped numbers from here on are codes, unless they are round
_DIGITS = "zero one two three four five six seven eight nine".split()

# Not inside another number; grouped or plain; with a fraction part.
INTEGER = r"(?<!\d)(?<!\d[.,])(?:\d{1,3}(?:,\d{3})+(?![\d])|\d+)"
NUMBER = rf"(?:{INTEGER}(?:\.\d+)?|(?<![\w.])\.\d+)"
MINUS = r"(?:(?<![\w)\]%°.])-)?"
FRACTION = r"(?<![\d/.,])\d{1,4}/\d{1,4}(?![\d/])"
QUANTITY = rf"{MINUS}(?:{FRACTION}|{NUMBER}(?: \d{{1,3}}/\d{{1,3}}(?![\d/]))?)"  # 5, -2.5, 3/4, 3 3/4
QUANTITIES = rf"(?:{QUANTITY} ?(?:-|to) ?)?{QUANTITY}"  # 5 or 5-10
_THING_AFTER = re.compile(  # 100m dash, a 12V battery, the $5 bill
    r" (?:dash|relay|race|sprint|hurdles|freestyle|backstroke|butterfly|breaststroke|medley|batter(?:y|ies)|bulbs?|"
    r"bottles?|engines?|lens|lenses|pistols?|rifles?|guns?|cannons?|winds|limit|zone|radius|screens?|monitors?|film|"
    r"bills?|notes?|fees?|fines?|prizes?|tickets?|gift|deal|budget|loans?|grants?|donation|investment|settlement|"
    r"lawsuit|contract|house|home|tip|outlets?|sockets?|chargers?|adapters?|motors?|fuses?|SSDs?|drives?)\b"
)
_ARTICLE = re.compile(r"\b(?:an?|another) \Z", re.IGNORECASE)
_THING_AFTER_ARTICLE = re.compile(r" (?!(?:of|and|or|to|in|at|per|for|from|by)\b)[a-zA-Z]{2}")
SCALES = ("hundred", "thousand", "million", "billion", "trillion")


@functools.lru_cache(maxsize=4096)
def _words(value: int, kind: str) -> str:
    from num2words import num2words  # 45 ms: not at import

    words: str = num2words(value, to=kind)
    return words.replace("-", " ").replace(",", "").replace(" and ", " ")


def cardinal(value: int) -> str:
    """123 -> one hundred twenty three; negative numbers get "minus"."""
    return f"minus {cardinal(-value)}" if value < 0 else _words(value, "cardinal")


def ordinal(value: int) -> str:
    """22 -> twenty second."""
    return _words(value, "ordinal")


def spell_digits(written: str) -> str:
    """555 -> five five five; other characters are left out."""
    return " ".join(_DIGITS[int(c)] for c in written if c in "0123456789")


def spell_code(written: str) -> str:
    """A long digit string, with a comma after each four digits."""
    return ", ".join(spell_digits(written[at : at + 4]) for at in range(0, len(written), 4))


def year(value: int) -> str:
    """1066 -> ten sixty six, 1905 -> nineteen oh five, 2007 -> two thousand seven, 1800 -> eighteen hundred."""
    century, rest = divmod(value, 100)
    if value < 1000 or value > 9999 or value % 1000 < 10:
        return cardinal(value)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {two_digits(f'{rest:02d}')}"


def two_digits(written: str) -> str:
    """The last two digits of a year or of a time of day: 05 -> oh five, 42 -> forty two."""
    return f"{'oh ' if written[0] == '0' else ''}{cardinal(int(written))}"


def in_pairs(written: str) -> str:
    """747 -> seven forty seven, 101 -> one oh one, 4090 -> forty ninety, 300 -> three hundred."""
    if len(written) == 4:
        return year(int(written))
    if written.endswith("00") or len(written) < 3:
        return cardinal(int(written))
    return f"{cardinal(int(written[0]))} {two_digits(written[1:])}"


def _last_year(first: int, last: str) -> str:
    """The end of a span of years that is written with two digits: 1999/00 ends with two thousand."""
    return year((first // 100 + 1) * 100) if last == "00" else two_digits(last)


def plural(words: str) -> str:
    """Last word in the plural: nineteen ninety -> nineteen nineties, two thirds."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")


def speak_number(written: str) -> str:
    """One written number without sign: 1,234 · 3.14 · .5 · 007 · a code of ten digits and more."""
    whole, _, fraction = written.replace(",", "").partition(".")
    if fraction:
        return f"{speak_number(whole) + ' ' if whole else ''}point {spell_digits(fraction)}"
    if len(whole) > 1 and whole[0] == "0":
        return spell_digits(whole) if len(whole) < _CODE else spell_code(whole)
    if len(whole) > _LONGEST or (len(whole) >= _CODE and "," not in written and not whole.endswith("000000")):
        return spell_code(whole)
    return cardinal(int(whole))


def speak_fraction(numerator: int, denominator: int) -> str:
    """3/4 -> three quarters; unusual denominators are "over"."""
    if denominator == 0 or (denominator > 20 and denominator not in (32, 64, 100, 1000)) or denominator == 1:
        return f"{cardinal(numerator)} over {cardinal(denominator)}"
    part = {2: "half", 4: "quarter"}.get(denominator) or ordinal(denominator)
    if numerator != 1:
        part = "halves" if part == "half" else plural(part)
    return f"{cardinal(numerator)} {part}"


def speak_quantity(written: str) -> str:
    """A quantity or a range of two: -2.5 · 3/4 · 3 3/4 · 10-20."""
    if match := re.fullmatch(rf"({QUANTITY}) ?(?:-|to) ?({QUANTITY})", written):
        return f"{speak_quantity(match[1])} to {speak_quantity(match[2])}"
    if written.startswith("-"):
        return f"minus {speak_quantity(written[1:])}"
    whole, _, fraction = written.rpartition(" ")
    if "/" in fraction:
        top, bottom = map(int, fraction.split("/"))
        spoken = speak_fraction(top, bottom)
        if not whole:
            return spoken
        return f"{speak_number(whole)} and {'a' + spoken[3:] if spoken == 'one half' else spoken}"
    return speak_number(written)


def is_one(written: str) -> bool:
    """Whether the unit after this quantity is singular: 1, and fractions up to one; never a range."""
    if re.search(r"\d ?(?:-|to)", written):
        return False
    top, slash, bottom = written.lstrip("-").partition("/")
    if slash:
        return " " not in top and int(top) <= int(bottom)
    return top == "1"


def is_of_a_thing(match: re.Match[str]) -> bool:
    """Whether a quantity says which thing it is, and so is singular: a 5 kg bag, the 100 m dash."""
    text, end = match.string, match.end()
    if _THING_AFTER.match(text, end):
        return True
    return bool(
        _ARTICLE.search(text[max(match.start() - 8, 0) : match.start()]) and _THING_AFTER_ARTICLE.match(text, end)
    )


def _speak_slashed(match: re.Match[str]) -> str:
    top, bottom = int(match[2]), int(match[3])
    if not match[1] and len(match[2]) == 4 and len(match[3]) == 2 and (top + 1) % 100 == bottom:  # 2019/20
        return f"{year(top)} {_last_year(top, match[3])}"
    shares = top + bottom == 100 and top % 5 == 0 and top >= bottom > 0  # 80/20
    if not match[1] and ((top, bottom) in ((24, 7), (9, 11)) or top == bottom or shares):
        return f"{cardinal(top)} {cardinal(bottom)}"
    return speak_quantity(match[0])


def _speak_bare(written: str) -> str:
    """A number that no other rule wanted; four plain digits up to 2099 are a year."""
    if len(written) == 4 and written.isdigit() and "1000" <= written <= "2099":
        return year(int(written))
    return speak_number(written)


def _speak_range(match: re.Match[str]) -> str:
    first, last = match[1], match[2]
    if len(first) == 4 and first[0] in "12" and len(last) == 2:  # 1990-95
        return f"{year(int(first))} to {_last_year(int(first), last)}"
    if first == last == "50":
        return "fifty fifty"
    return f"{first} to {last}"


def _speak_scientific(match: re.Match[str]) -> str:
    return f"{speak_number(match[1])} times ten to the power of {cardinal(int(match[2]))}"


def _speak_between(match: re.Match[str]) -> str:
    """A bare number, with a space where a letter touches it."""
    text, start, end = match.string, match.start(), match.end()
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    return f"{' ' if before.isalnum() else ''}{_speak_bare(match[0])}{' ' if after.isalpha() else ''}"


# One form for grouped digits: 1'000'000, 1_000_000 and 1 000 000; and ~5.
GROUP_RULES = where_digits(
    rule("grouped digits", r"(?<![\w.,'])[1-9]\d{0,2}(?:(?:'\d{3})+|(?:_\d{3})+)(?![\w'])",
         lambda m: m[0].replace("'", ",").replace("_", ",")),
    rule("spaced digits", r"(?<![\w.,'+-])(?<!\d )[1-9]\d{0,2}(?: \d{3}){0,4} 000(?![\w-]| \d)",
         lambda m: m[0].replace(" ", ",")),
    rule("about", r"(?<!\w)~ ?(?=[\d$£€¥.])", "about "),
)  # fmt: skip

# Forms around numbers: before capitals beside digits are read.
NUMBER_FORM_RULES = where_digits(
    rule("scientific", rf"({NUMBER})[eE]([+-]?\d{{1,3}})(?!\w)", _speak_scientific),
    rule("fraction", rf"(?<![\d/.,])((?:{INTEGER} )?)(\d{{1,4}})/(\d{{1,4}})(?![\d/])", _speak_slashed),
    rule("score", r"(?<![\w/.,])(\d{1,2}\.\d{1,2})/(5|10|20|100)(?![\d/])", r"\1 out of \2"),
    rule("times", rf"({NUMBER}) ?[xX×](?!\w)", r"\1 times"),
    rule("range", rf"({NUMBER})-({NUMBER})(?!-?\w)", _speak_range),
    rule("ordinal", r"(?<![\d.])(\d{1,3}(?:,\d{3}){0,4}|\d{1,15})(?:st|nd|rd|th)(?![a-z])",
         lambda m: ordinal(int(m[1].replace(",", ""))), re.IGNORECASE),
)  # fmt: skip

NUMBER_RULES = where_digits(
    rule("minus", rf"(?<![\w)\]])-(?={NUMBER})", "minus "),
    rule("subtraction", r"(?<=\d) - (?=\.?\d)", " minus "),
    rule("number", rf"{NUMBER}|\d+", _speak_between),
)
