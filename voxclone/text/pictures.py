"""Emoji and other pictures, spoken by their names in Unicode: 🚀 is "rocket", 🇺🇸 "flag U S"."""

from __future__ import annotations

import re
import unicodedata

from voxclone.text.rule import rule

_PICTURES = (
    "\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f1e5\U0001f200-\U0001faff"  # and what is none of them
)
_TONES = "\U0001f3fb-\U0001f3ff"  # of skin
_REGIONAL_A = 0x1F1E6
_UNSPOKEN = {"black", "white", "heavy", "sign", "symbol"}


def _speak_flag(match: re.Match[str]) -> str:
    return " , flag " + " ".join(chr(ord("A") + ord(letter) - _REGIONAL_A) for letter in match[0]) + " , "


def _speak_pictures(match: re.Match[str]) -> str:
    """Names of a run of pictures, each once: 😂😂🚀 is "face with tears of joy, rocket"."""
    names: dict[str, None] = {}
    for picture in match[0]:
        words = unicodedata.name(picture, "").lower().split()
        kept = [word for word in words if word not in _UNSPOKEN] or words
        if not kept:
            return match[0]
        names[" ".join(kept).replace("-", " ")] = None
    return f" , {' , '.join(names)} , "


PICTURE_RULES = (
    rule("tone of skin", f"(?<=[{_PICTURES}])[{_TONES}]", ""),
    rule("flag", "[\U0001f1e6-\U0001f1ff]{2}", _speak_flag),
    rule("pictures", f"[{_PICTURES}]+", _speak_pictures),
)
