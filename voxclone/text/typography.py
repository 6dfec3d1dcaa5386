"""First rules: one form for every quote, dash, space and fraction character."""

from __future__ import annotations

import re
import unicodedata

from voxclone.text.rule import alternatives, rule

_CHARACTERS = {
    **dict.fromkeys("‘’‛ʼ′`´", "'"),
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‐‑‒−", "-"),
    **dict.fromkeys("   ", " "),  # no-break, thin, narrow no-break
    **dict.fromkeys("\u2002\u2003\u2007\u200a", " "),  # en, em, figure, hair
    "⁄": "/", "µ": "μ", "Ω": "Ω", "ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl", "℃": "°C", "℉": "°F",
    "№": "No. ",
}  # fmt: skip
_FRACTIONS = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5",
    "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
}  # fmt: skip

_EXPONENTS, _INDICES = "⁰¹²³⁴⁵⁶⁷⁸⁹", "₀₁₂₃₄₅₆₇₈₉"
_EXPONENT_OF, _INDEX_OF = (str.maketrans(signs, "0123456789") for signs in (_EXPONENTS, _INDICES))


def _compose(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", match[0])


def _speak_exponent(match: re.Match[str]) -> str:
    """10⁻³ -> 10^-3; a single ² or ³ stays, for units."""
    if match[0] in ("²", "³"):
        return match[0]
    return "^" + match[0].replace("⁻", "-").translate(_EXPONENT_OF)


_INVISIBLE = (  # soft hyphen, zero widths, marks of direction (no overrides), joiners, variants, keycap
    "\u00ad\u200b-\u200f\u2060\ufeff\ufe0e\ufe0f\u20e3"
)

TYPOGRAPHY_RULES = (
    rule("invisible characters", f"[{_INVISIBLE}]+", ""),
    rule("composed characters", r"[\x00-\x7f]?[^\x00-\x7f]+", _compose),
    rule("typographic character", f"[{alternatives(_CHARACTERS).replace('|', '')}]", lambda m: _CHARACTERS[m[0]]),
    rule("fraction character", rf"(?:(\d) ?)?({alternatives(_FRACTIONS)})",
         lambda m: f"{m[1]} {_FRACTIONS[m[2]]}" if m[1] else _FRACTIONS[m[2]]),
    rule("index", f"(?<=[^\\W_])[{_INDICES}]+", lambda m: m[0].translate(_INDEX_OF)),
    rule("exponent", f"(?<=[^\\W_])⁻?[{_EXPONENTS}]+", _speak_exponent),
    rule("paragraph", r"(?<=[\w\"')\]])[ \t]*\r?\n[ \t]*\r?\n\s*", ". "),
    rule("white space", r"(?<!\s)(?:[^\S ]\s*| \s+)|\A\s+", " "),
    rule("ellipsis before a clause", r"(?<![.…])(?:\.{2,}+|…\.*+)(?= ?[a-z])", ", "),
    rule("ellipsis", r"(?<![.…])(?:\.{2}|…)[.…]*+", ". "),
    rule("dash in a range", r"(?<=\d) ?[–—] ?(?=[\d.$£€¥])|(?<=\d[ap]m) ?[–—] ?(?=\d)", "-"),
    rule("dash", r" ?(?:[–—―]|(?<!-)--++)[–—―]*+ ?", ", "),
    rule("emphasis marks", r"(?<![\w*_~])([*_]{1,3}|~~)(\w[^*_~]{0,80})\1(?![\w*_~])", r"\2"),
)  # fmt: skip
