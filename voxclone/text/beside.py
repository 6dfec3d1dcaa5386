"""Numbers whose reading hangs on the word beside them: Flight 370, Room 101, call 911, MO 63101, Psalm 23:4."""

from __future__ import annotations

import re

from voxclone.text.numbers import cardinal, spell_digits, two_digits, year
from voxclone.text.rule import rule, where_digits

_IN_PAIRS = (
    "Boeing|Airbus|Flight|flight|Room|room|Suite|suite|Highway|highway|Interstate|Route|route|Apartment|apartment|"
    "Unit|Peugeot|Porsche|RTX|GTX|Amtrak|Bus|bus"
)
_STATES = (
    "AK|AZ|AR|CA|CT|DC|FL|GA|IA|IL|KS|KY|MI|MN|MT|NC|ND|NE|NH|NJ|NM|NV|NY|RI|SC|SD|TN|TX|UT|VA|VT|WA|WI|WV|WY|"
    "AL|CO|DE|HI|ID|IN|LA|MA|MD|ME|MO|MS|OH|OK|OR|PA"
)
_BOOKS = (
    "Genesis|Exodus|Leviticus|Deuteronomy|Joshua|Judges|Ruth|Samuel|Kings|Chronicles|Ezra|Nehemiah|Esther|Job|Psalms?|"
    "Proverbs|Ecclesiastes|Isaiah|Jeremiah|Lamentations|Ezekiel|Daniel|Hosea|Joel|Amos|Obadiah|Jonah|Micah|Nahum|"
    "Habakkuk|Zephaniah|Haggai|Zechariah|Malachi|Matthew|Mark|Luke|John|Acts|Romans|Corinthians|Galatians|Ephesians|"
    "Philippians|Colossians|Thessalonians|Timothy|Titus|Philemon|Hebrews|James|Peter|Jude|Revelation|Surah?"
)


def _speak_pairs(match: re.Match[str]) -> str:
    """747 -> seven forty seven, 101 -> one oh one, 4090 -> forty ninety."""
    name, written = match[1], match[2]
    if len(written) == 4:
        return f"{name} {year(int(written))}"
    if written.endswith("00"):
        return f"{name} {cardinal(int(written))}"
    return f"{name} {cardinal(int(written[0]))} {two_digits(written[1:])}"


def _speak_verse(match: re.Match[str]) -> str:
    spoken = f"{match[1]} {cardinal(int(match[2]))} {cardinal(int(match[3]))}"
    return f"{spoken} to {cardinal(int(match[4]))}" if match[4] else spoken


BESIDE_RULES = where_digits(
    rule("number in pairs", rf"\b({_IN_PAIRS}) ([1-9]\d{{2,3}})(?![\w-]|[.,]\d)", _speak_pairs),
    rule("emergency number", r"(?<=(?:dial|call) )(?:911|999|988|112|411|311)(?![\w-]|[,.]\d| (?:people|times|of)\b)",
         lambda m: spell_digits(m[0]), re.IGNORECASE),
    rule("emergency call",
         r"(?:(?<=dialed )|(?<=called )|(?<=calling ))911(?!\w)|\b911(?= (?:call|operator|dispatcher)s?\b)",
         lambda m: spell_digits(m[0])),
    rule("postal code", rf"(?<= )({_STATES}) (\d{{5}})(?:-(\d{{4}}))?(?![\w-])",
         lambda m: " ".join([" ".join(m[1]), spell_digits(m[2]), *([spell_digits(m[3])] if m[3] else [])])),
    rule("verse", rf"\b({_BOOKS}) (\d{{1,3}}):(\d{{1,3}})(?:-(\d{{1,3}}))?(?![\w:]| ?[ap]\.?m\b)", _speak_verse),
)  # fmt: skip
