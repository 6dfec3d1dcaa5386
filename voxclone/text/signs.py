"""Last rules: signs that are spoken, brackets and quotes that are not, and one form for every pause."""

from __future__ import annotations

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

# Signs beside digits: before the numbers are read.
SIGN_RULES = where_digits(
    rule("multiplication", rf"({NUMBER}) ?× ?(?=[\d.]{{1,20}} ?=)", r"\1 times "),
    rule("dimensions", rf"({NUMBER}) ?[xX×] ?(?=\.?\d)", r"\1 by "),
    rule("number sign", r"(?<![\w&])# ?(?=\d)", "number "),
    rule("about", r"(?<!\w)~ ?(?=[\d$£€¥.])", "about "),
    rule("multiplied", r"(?<=\d) ?\* ?(?=\d)", " times "),
)

LETTER_SIGN_RULES = (
    rule("sharp", r"\b([CF])#(?!\w)", r"\1 sharp"),
    rule("letter range", r"(?<![\w-])([A-Za-z])-([A-Za-z])(?=[^\w'-]|\Z)", r"\1 to \2"),
)

CLOSING_RULES = (
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
