"""Last rules: signs that are spoken, brackets and quotes that are not, and one form for every pause."""

from __future__ import annotations

import re

from voxclone.text.numbers import NUMBER
from voxclone.text.rule import alternatives, rule, where_digits

_SPOKEN = {
    "&": "and", "+": "plus", "=": "equals", "@": "at", "%": "percent", "‰": "per mille", "§": "section",
    "¶": "paragraph",
    "©": "copyright", "®": "registered", "™": "trademark", "°": "degrees", "×": "times", "÷": "divided by",
    "<": "less than", ">": "greater than", "≤": "less than or equal to", "≥": "greater than or equal to",
    "≠": "not equal to", "≈": "approximately", "±": "plus or minus", "→": "to", "√": "square root of", "∞": "infinity",
    "π": "pi", "μ": "micro", "Ω": "ohm", "¢": "cents", "$": "dollar", "£": "pound", "€": "euro", "¥": "yen",
    "~": "tilde",
    "*": "asterisk", "_": "underscore", "\\": "backslash", "|": "vertical bar", "^": "caret", "#": "hash", "/": "slash",
    "²": "squared", "³": "cubed", "<=": "less than or equal to", ">=": "greater than or equal to", "!=": "not equal to",
    "==": "equals", "->": "to", "=>": "to",
}  # fmt: skip


def _speak_alternatives(match: re.Match[str]) -> str:
    """he/she -> he or she, s/he too; and/or -> and or."""
    first, second = match[1], match[2]
    if first.lower() == "and":
        return f"{first} {second}"
    return f"{'she' if first == 's' else first} or {second}"


# Signs beside digits: before the numbers are read.
SIGN_RULES = where_digits(
    rule("lengths", r"(?<=\d)( ?(?:mm|cm|m|km|in|ft|yd|px)) ?[xX×] ?(?=\.?\d)", r"\1 by "),
    rule("one name", r"(?<![\w/.])(?:24 / 7|9 / 11)(?!\w|[/.]\w)", lambda m: m[0].replace(" ", "")),
    rule("division", r"(?<=\d) / (?=\d)", " divided by "),
    rule("aperture", r"(?<![\w/])[fF]/(?=\d)", "F "),
    rule("multiplication", rf"({NUMBER}) ?× ?(?=[\d.]{{1,20}} ?=)", r"\1 times "),
    rule("times a power of ten", rf"({NUMBER}) ?[xX×] ?(?=10\^)", r"\1 times "),
    rule("power", rf"({NUMBER})\^(-?\d{{1,4}})(?!\d)", r"\1 to the power of \2"),
    rule("difference", r"(?<=\d)-(?=\d{1,20} ?=)", " minus "),
    rule("dimensions", rf"({NUMBER}) ?[xX×] ?(?=\.?\d)", r"\1 by "),
    rule("number sign", r"(?<![\w&])# ?(?=\d)", "number "),
    rule("multiplied", r"(?<=\d) ?\* ?(?=\d)", " times "),
)

LETTER_SIGN_RULES = (
    rule("mass and light", r"\bmc(?=²|\^2)", "M C "),
    rule("grade", r"(?:(?<=\b[Aa] )|(?<=\b[Aa]n ))([A-DF])-(?=\Z|[ ,;.!?])", r"\1 minus"),
    rule(
        "letter to a power",
        r"(?<![\w^])([A-Za-z]{1,2})\^(?:([23])|(-?\d{1,4}|[a-z]))(?![\w^])",
        lambda m: f"{m[1]} {'squared' if m[2] == '2' else 'cubed'}" if m[2] else f"{m[1]} to the power of {m[3]}",
    ),
    rule(
        "alternatives",
        r"(?<![\w/])((?i:he|she|s|his|him|her|yes|sir|mr|and))/((?i:he|she|her|hers|his|him|no|madam|mrs|ms|or))(?![\w/])",
        _speak_alternatives,
    ),
    rule("per", r"(?<=[a-z])/(?=(?:second|minute|hour|night|day|week|month|year|person|capita)\b(?!/))", " per "),
    rule(
        "initialisms",
        r"(?<![\w/])([A-Z]{1,5})/([A-Z]{1,5})(?![\w/])|(?<![\w/])(?:n/a|a/c)(?![\w/])",
        lambda m: m[0].upper().replace("/", " "),
    ),
    rule("sharp", r"\b([CF])#(?!\w)", r"\1 sharp"),
    rule("letter range", r"(?<![\w-])([A-Za-z])-([A-Za-z])(?=[^\w'-]|\Z)", r"\1 to \2"),
)

CLOSING_RULES = (
    rule("drawn line", r" ?([&+=@%<>~*_\\|^#/$])\1{3,} ?", ", "),
    rule("sign", rf" ?({alternatives(_SPOKEN)})", lambda m: f" {_SPOKEN[m[1]]} "),
    rule("bullet", r"[•·●▪]", ", "),
    rule("bracket", r" ?[()\[\]{}] ?", ", "),
    rule("quote", r"[\"`]", ""),
    rule("loose apostrophe", r"(?<![^\W_])'|'(?![^\W_])", ""),
    rule("hyphen in a word", r"(?<=[^\W_])-(?=[^\W_])", " "),
    rule("loose hyphen", r"(?<!-) ?-+ ?", ", "),
    rule("point in a word", r"([.:;?!,])(?=[^\W_])(?<=[^\W_].)", r"\1 "),
    rule("white space", r"[^\S ]\s*| \s+", " "),
    rule("pauses", r"(?<![.,?!;: ]) ?[.,?!;:](?: ?[.,?!;:])*", lambda m: strongest(m[0])),
    rule("ends", r"\A[ ,;:.]+(?=[^ ,;:.])|,? ?\Z", ""),
    rule("space after a pause", r"(?<=[.,?!;:])(?=[^\s.,?!;:])", " "),
)  # fmt: skip


def strongest(marks: str) -> str:
    """One mark for a run of them: "?!" is "?", ", ." is "."."""
    return max(marks.replace(" ", ""), key=" ,;:.!?".index)
