"""Numbers whose reading hangs on what stands beside them: Flight 370, a 747-400, call 911, a 5k run, 98.6F."""

from __future__ import annotations

import re

from voxclone.text.numbers import MINUS, NUMBER, cardinal, in_pairs, plural, speak_quantity, spell_digits
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

_JET = r"7[0-8]7"
_AFTER_JET = r" (?:jets?|jumbos?|airliners?|aircraft|planes?|pilots?|captain|flights?|took off|landed|flew|crashed)\b"
_RUN = "runs?|races?|walks?|jogs?|swims?|rows?|course|runners?|event|training|time|trail|PB|PR"
_RAN = "ran|run|runs|running|jog|jogs|jogged|jogging|race|raced|racing|walk|walked|walking|finished"
_WARM = re.compile(
    r"\b(?:temperatures?|thermometer|thermostat|fever|oven|warm|hot|cold|heat|heated|cool|cooled|chill|freez\w+|boil\w*|"
    r"bake|roast|preheat\w*|weather|thaw\w*|melts?|melting|outside|highs?|lows?|mercury|sunny|cloudy)\b"
    r"|\bit(?:'s| is| was) \d",
    re.IGNORECASE,
)
_SCALES = {"C": "Celsius", "F": "Fahrenheit"}
_PLACE_BEFORE = re.compile(
    r"\b(?:seats?|rows?|gate|apt\.?|apartment|flat|unit|suite|room|deck|platform|bay|block|building|exit|terminal|section|"
    r"class|grade|level|page|figure|table|type|vitamin|version|USB|BY) ?\Z",
    re.IGNORECASE,
)
_RANGE_BEFORE = re.compile(
    r"\b(?:between|from|pages?|pp\.?|lines?|verses?|years?|numbers?|about|ran|costs?) \Z", re.IGNORECASE
)
_COUNTED = r" (?!(?:this|was|is|as|has|his|its|across|towards|always|sometimes|minus|plus)\b)[a-z]+s\b"


def is_place(match: re.Match[str]) -> bool:
    """Whether what stands before says that a number with a letter names a place or a kind: seat 12B, gate 3M."""
    return _PLACE_BEFORE.search(match.string[max(match.start() - 12, 0) : match.start()]) is not None


def _speak_pairs(match: re.Match[str]) -> str:
    return f"{match[1]} {in_pairs(match[2])}"


def _speak_jet(match: re.Match[str]) -> str:
    """747-400 -> seven forty seven four hundred, A320neos -> A three twenty neo's; pages 737-800 are none."""
    if not match["maker"] and _RANGE_BEFORE.search(match.string[max(match.start() - 10, 0) : match.start()]):
        return match[0]
    variant = cardinal(int(match["variant"])) if match["variant"] else ""
    letters = match["letters"] if match["letters"].islower() else " ".join(match["letters"])
    spoken = " ".join(filter(None, [" ".join(match["maker"]), in_pairs(match["number"]), variant, letters]))
    if not match["many"]:
        return spoken
    return f"{spoken}'s" if letters or "'" in match["many"] else plural(spoken)


def _speak_temperature(match: re.Match[str]) -> str:
    """98.6F, -5C and 72F where it is about warmth; seat 32F and gate 5C are none."""
    quantity, text = match["quantity"], match.string
    if is_place(match):
        return match[0]
    beside = text[max(match.start() - 60, 0) : match.end() + 30]
    if quantity.startswith("-") or "." in quantity or _WARM.search(beside):
        degree = "degree" if quantity in ("1", "-1") else "degrees"
        return f"{speak_quantity(quantity)} {degree} {_SCALES[match['scale']]}"
    return match[0]


def _speak_verse(match: re.Match[str]) -> str:
    spoken = f"{match[1]} {cardinal(int(match[2]))} {cardinal(int(match[3]))}"
    return f"{spoken} to {cardinal(int(match[4]))}" if match[4] else spoken


BESIDE_RULES = where_digits(
    rule("jet", rf"(?<![\w.,$£€#-])(?P<maker>)(?P<number>{_JET})-(?P<variant>[1-9]00|10|[1-9])(?P<letters>[A-Z]{{0,3}})"
         r"(?P<many>(?:'?s)?)(?![\w-]|[.,]\d)", _speak_jet),
    rule("jet alone", rf"(?<![\w.,$£€#-])({_JET})(?={_AFTER_JET})", lambda m: in_pairs(m[1])),
    rule("Airbus", r"(?<![\w-])(?P<maker>A)(?P<number>3[0-8]0|31[89]|321)(?:-(?P<variant>[1-9]00|1000))?"
         r"(?P<letters>neo|[A-Z]{0,3})(?P<many>(?:'?s)?)(?![\w-])", _speak_jet),
    rule("telephone", r"\b(iPhone|Pixel|OnePlus|Galaxy) (\d{1,2})([acerst])(?![\w'-])",
         lambda m: f"{m[1]} {cardinal(int(m[2]))} {m[3].upper()}"),
    rule("run of kilometers", rf"(?<![\w.,-])(\d{{1,3}}) ?[kK](?= (?:fun )?(?:{_RUN})\b)",
         lambda m: f"{cardinal(int(m[1]))} K"),
    rule("kilometers run",
         rf"(?i:\b({_RAN}) ((?:an?|the|my|his|her|our|their|first|last) ){{0,2}})(5|8|10|15|20|50|100)[kK]"
         rf"(?!\w|{_COUNTED})",
         lambda m: f"{m[0][: m.start(3) - m.start()]}{cardinal(int(m[3]))} K"),
    rule("retirement plan",
         r"(?<![\w.,$-])40([13])\(?([kb])\)(?!\w)|(?<![\w.,$-])40(1)(k)(?= (?:plan|account)s?\b|s\b)",
         lambda m: f"four oh {cardinal(int(m[1] or m[3]))} {(m[2] or m[4]).upper()}"),
    rule("temperature", rf"(?<![^\W\d_]-)(?<![^\W\d_])(?P<quantity>{MINUS}{NUMBER}) ?(?P<scale>[CF])(?![\w'-]|\.\w|#)",
         _speak_temperature),
    rule("room", r"\b([Rr])m\.? (?=\d)", r"\1oom "),
    rule("number in pairs", rf"\b({_IN_PAIRS}) ([1-9]\d{{2,3}})(?![\w-]|[.,]\d)", _speak_pairs),
    rule("emergency number", r"(?<=(?:dial|call) )(?:911|999|988|112|411|311)(?![\w-]|[,.]\d| (?:people|times|of)\b)",
         lambda m: spell_digits(m[0]), re.IGNORECASE),
    rule("emergency call",
         r"(?:(?<=dialed )|(?<=called )|(?<=calling ))911(?!\w)|\b911(?= (?:call|operator|dispatcher)s?\b)",
         lambda m: spell_digits(m[0])),
    rule("postal code", rf"(?<= )({_STATES}|D\.C\.) (\d{{5}})(?:-(\d{{4}}))?(?![\w-])",
         lambda m: f"{' '.join(m[1].replace('.', ''))} {spell_digits(m[2])} {spell_digits(m[3] or '')}".rstrip()),
    rule("verse", rf"\b({_BOOKS}) (\d{{1,3}}):(\d{{1,3}})(?:-(\d{{1,3}}))?(?![\w:]| ?[ap]\.?m\b)", _speak_verse),
)  # fmt: skip
