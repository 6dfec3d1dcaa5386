"""Amounts of money: $3.50 is three dollars and fifty cents."""

from __future__ import annotations

import re

from voxclone.text.numbers import MINUS, NUMBER, SCALES, cardinal, is_of_a_thing, speak_number
from voxclone.text.rule import alternatives, rule, where_digits

# Sign or code: one, many, one hundredth, many hundredths ("" where there are none in use).
CURRENCIES: dict[str, tuple[str, str, str, str]] = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("U S dollar", "U S dollars", "cent", "cents"),
    "CA$": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "C$": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "A$": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "AU$": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "HK$": ("Hong Kong dollar", "Hong Kong dollars", "cent", "cents"),
    "NZ$": ("New Zealand dollar", "New Zealand dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "Rs.": ("rupee", "rupees", "paisa", "paise"),
    "Rs": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "", ""),
    "₽": ("ruble", "rubles", "kopek", "kopeks"),
    "₿": ("bitcoin", "bitcoins", "", ""),
    "USD": ("U S dollar", "U S dollars", "cent", "cents"),
    "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "AUD": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "GBP": ("British pound", "British pounds", "penny", "pence"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "JPY": ("yen", "yen", "", ""),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"),
    "CNY": ("yuan", "yuan", "", ""),
    "INR": ("rupee", "rupees", "paisa", "paise"),
}
_SCALE_OF = {"k": "thousand", "K": "thousand", "M": "million", "m": "million", "mn": "million", "MM": "million",
             "B": "billion", "bn": "billion", "b": "billion", "T": "trillion", "tn": "trillion"}  # fmt: skip
_PER = {"yr": "year", "mo": "month", "wk": "week", "hr": "hour", "h": "hour", "lb": "pound", "kg": "kilogram",
        "oz": "ounce", "gal": "gallon", "bbl": "barrel",
        "mi": "mile", "km": "kilometer", "min": "minute", "sec": "second"}  # fmt: skip
_SHORTENED = r"(?:(?<=/(?:yr|mo|wk|hr|lb|oz|mi))|(?<=/(?:gal|bbl|min|sec)))"  # with a stop of their own
_OVER = rf"(?:/(?P<per>[a-z]+)\b(?:{_SHORTENED}\.(?= [a-z\d(]|[,;:?!]))?)?"
_CURRENCY = alternatives(CURRENCIES)
_SCALE = rf"(?: ?(?:{'|'.join(SCALES)})\b| ?(?:mn|bn|tn)(?!\w)|(?:{alternatives(_SCALE_OF)})(?![\w]))"
_AMOUNT = rf"{NUMBER}{_SCALE}?"


def _speak_amount(sign: str, written: str, single: bool = False) -> str:
    """An amount with its scale word or letter, without sign: 3.50, 1.5 million, 5k; `single` as in a $5 bill."""
    one, many, cent, cents = CURRENCIES[sign]
    many, cents = (one, cent) if single else (many, cents)
    match = re.fullmatch(rf"({NUMBER})(?: ?(\w+))?", written)
    number, scale = (match[1], match[2]) if match else (written, None)
    if scale:
        return f"{speak_number(number)} {_SCALE_OF.get(scale, scale)} {many}"
    whole, _, fraction = number.replace(",", "").partition(".")
    if fraction and (len(fraction) != 2 or not cent):
        return f"{speak_number(number)} {many}"
    units, parts = whole.lstrip("0"), int(fraction or 0)
    spoken = [f"{speak_number(number.partition('.')[0]) if units else 'zero'} {one if units == '1' else many}"]
    if parts:
        spoken = [*(spoken if units else []), f"{cardinal(parts)} {cent if parts == 1 else cents}"]
    return " and ".join(spoken)


def _speak_money(match: re.Match[str]) -> str:
    minus = "minus " if match["minus"] or match["minus2"] else ""
    single = is_of_a_thing(match)
    spoken = minus + _speak_amount(match["sign"], match["amount"], single)
    if match["last"]:
        first = re.fullmatch(rf"({NUMBER})(?: ?(\w+))?", match["amount"])
        scale = f" {_SCALE_OF.get(first[2], first[2])}" if first and first[2] else ""
        low = speak_number(first[1]) if first else match["amount"]
        spoken = f"{minus}{low}{scale} to {_speak_amount(match['sign'], match['last'], single)}"
    per = match["per"]
    return f"{spoken} per {_PER.get(per, per)}" if per else spoken


_LAST = rf"(?: ?- ?(?:{_CURRENCY})? ?(?P<last>{_AMOUNT}))?"

_EUROPEAN = r"(\d{1,3}(?:\.\d{3}){0,4}),(\d{1,2})(?![\d,])"  # 1.000,50


def _americanize(match: re.Match[str]) -> str:
    """€1.000,5 and 1.000,5 € -> €1000.50."""
    whole, cents = (match[1], match[2]) if match[1] else (match[3], match[4])
    return f"€{whole.replace('.', '')}.{cents:0<2}"


MONEY_RULES = where_digits(
    rule("euros with a comma", rf"€ ?{_EUROPEAN}|(?<![\w.,]){_EUROPEAN} ?€", _americanize),
    rule("money", rf"(?P<minus>{MINUS})(?<!\w)(?P<sign>{_CURRENCY}) ?(?P<minus2>-?)(?P<amount>{_AMOUNT}){_LAST}"
         rf"{_OVER}", _speak_money),
    rule("money, sign last", rf"(?P<minus>{MINUS})(?P<minus2>)(?P<amount>{_AMOUNT})(?P<last>) ?"
         rf"(?P<sign>{_CURRENCY})(?!\w){_OVER}", _speak_money),
    rule("cents", rf"({NUMBER}) ?¢", lambda m: f"{speak_number(m[1])} cent{'' if m[1] == '1' else 's'}"),
)  # fmt: skip
