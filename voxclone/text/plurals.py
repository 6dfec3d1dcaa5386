"""A number with an s behind it is of seconds or in the plural: 10s of silence, in her 30s, two 737s, 1s and 0s.

What is written for time after the number decides first, then what stands before it. With neither, tens from 20 to 90
are years, and 737 or 4090 are kinds of things; all other numbers are seconds.
"""

from __future__ import annotations

import re

from voxclone.text.numbers import cardinal, in_pairs, is_of_a_thing, plural
from voxclone.text.rule import rule, where_digits

_TENS = frozenset("20 30 40 50 60 70 80 90".split())
_COUNTS = {"10": "tens", "100": "hundreds", "1000": "thousands", "10000": "tens of thousands",
           "100000": "hundreds of thousands", "1000000": "millions"}  # fmt: skip
_BILLS = {"1": "ones", "2": "twos", "5": "fives", "10": "tens", "50": "fifties", "20": "twenties", "100": "hundreds"}

# A 30s timeout, whatever stands before; a 90s video is of the nineties.
_TIMED = re.compile(
    r" (?:timeouts?|time limits?|delays?|pauses?|countdowns?|timers?|rests?|waits?|intervals?|sprints?|exposures?|"
    r"penalt(?:y|ies)|cooldowns?|planks?|holds?|limits?|windows?|marks?|gaps?|leads?|lags?|laps?|latency|bursts?|"
    r"chunks?|snippets?|ranges?|segments?|shutter|steps?)\b"
)
_RECORDED = re.compile(r" (?:clips?|videos?|ads?|spots?|recordings?|samples?|loops?|breaks?|trailers?|jingles?)\b")
_LASTING = (
    "audio|silence|speech|sound|music|video|footage|recordings?|noise|rest|work|data|latency|delay|waiting|downtime|"
    "exposure|quiet|talking|singing|training|playback|playing"
)
_TIME_AFTER = re.compile(
    r" ?(?:ago|later|left|remaining|elapsed|long|longer|max|maximum|min|minimum|per|each|apart|faster|slower|ahead|"
    rf"behind|earlier|total|tops|flat|or (?:less|more|so)|of (?:{_LASTING}))\b| (?:on|off)(?=[,;./]|\Z)"
)
_TIME_BEFORE = re.compile(
    r"(?:\b(?:in(?: under| over)?|for|after|every|within|than|wait(?:s|ed|ing)?|takes?|took|taking|lasts?|lasted|"
    r"lasting|ran|first|next|final|past|opening|closing|another|extra|additional|least|most|only|about|roughly|"
    r"approximately|up to|sleep|times?|total|elapsed|runtime|timeout|duration|latency|delay|interval|pause|exposure|"
    r"timer|hold|rest|min|minutes?|hours?|of|last)|[<>~≈=≤≥×:]|\b[xX]|\d[hm]) ?\Z"
)
# What may follow a time: not the noun of an age, as in "in 80s clothes".
_NO_NOUN = re.compile(
    r"[^\w ]|\Z| [^\w ]| (?:and|or|to|then|but|before|after|if|when|while|it|he|she|they|we|i|you|the|an?|this|that|"
    r"by|with|on|at|between|per|without|during|over|in|for|from|is|was|of|into|until|at|as)\b",
    re.IGNORECASE,
)
_OWN = re.compile(
    r"(?:\bin (?:the|his|her|their|my|your|our|its|one's)|\b(?:his|her|their|my|your|our|early|late|mid|low|lower|"
    r"upper|high))[ -]\Z",
    re.IGNORECASE,
)
_PLURAL_BEFORE = re.compile(
    r"(?:\b(?:the|these|those|both|all|his|her|their|my|your|our|its|straight|few|several|many|some|any|no|new|old|"
    r"other|more|fewer|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|dozen|hundred|"
    r"(?:pairs?|sets?|packs?|rows?|fleets?|strings?|lots?|stacks?|full|made|bunch|lot|kinds?) of|sizes?|boeing|airbus|"
    r"porsche|levi's|forms?|rtx|gtx|threw|rolled|rolling|count(?:s|ed|ing)? (?:up |down )?(?:by|in))|\d) \Z"
    r"|[a-z]-\Z",
    re.IGNORECASE,
)
_PLURAL_AFTER = re.compile(r" (?:place|column|digit)s?\b")
_KIND = re.compile(r"\d{4}|\d\d[1-9]")
_CONTEXT = 40  # characters


def _speak_list(match: re.Match[str]) -> str:
    """All numbers of a list or range in the same way: 20-30s, 1s and 0s, 15s, then 5s."""
    numbers = re.findall(r"\d+", match[0])
    seconds = _are_seconds(match, numbers)
    timed = _TIMED.match(match.string, match.end()) or _RECORDED.match(match.string, match.end())
    single = bool(timed) or is_of_a_thing(match)

    def speak(item: re.Match[str]) -> str:
        written = item["number"]
        to = {"/": " ", "": ""}.get(item["to"], " to ")
        if not seconds:
            return plural(in_pairs(written)) + to
        if not item["s"]:
            return cardinal(int(written)) + to
        return f"{cardinal(int(written))} second{'' if single or written == '1' else 's'}{to}"

    return re.sub(r"(?P<number>\d+)(?P<s>'?s)?(?P<to>(?:(?: ?-|/)(?=\d))?)", speak, match[0])


def _are_seconds(match: re.Match[str], numbers: list[str]) -> bool:
    text, end = match.string, match.end()
    before = text[max(match.start() - _CONTEXT, 0) : match.start()]
    if "'" in match[0] or _PLURAL_AFTER.match(text, end):
        return False
    tens = all(number in _TENS for number in numbers)
    if _TIMED.match(text, end) or (_RECORDED.match(text, end) and max(map(int, numbers)) <= 40):
        return True
    if tens and _OWN.search(before):
        return False
    if _TIME_AFTER.match(text, end):
        return True
    if not tens and re.search(r"\d ?-", match[0]):
        return True
    if _PLURAL_BEFORE.search(before) or "0" in numbers:
        return False
    if tens or all(_KIND.fullmatch(number) for number in numbers):
        return bool(_TIME_BEFORE.search(before) and _NO_NOUN.match(text, end))
    return True


_A_WHOLE = "the|an?|this|that|each|my|his|her|our|your|their"  # of which there are seconds, not tens
_ONE = r"(?:[1-9]\d{0,3}|0)"

# Behind dates and durations, which know 1980s and 1m 30s.
PLURAL_RULES = where_digits(
    rule("tens of", rf"(?<![\w.,$£€-])(?<!first )(?<!last )(?<!next )(?!10s of (?:{_A_WHOLE})\b)"
         rf"(10{{1,6}}|1,000|100?,000|1,000,000)'?s(?= of (?!(?:{_LASTING})\b))",
         lambda m: _COUNTS[m[1].replace(",", "")]),
    rule("bills", r"(?<!\w)\$(100|[125]0|[125])'?s(?!\w)", lambda m: _BILLS[m[1]]),
    rule("boards", r"(?<![\w.,-])([1246])[xX×]([2468]|1[02])'?s(?!\w)",
         lambda m: f"{cardinal(int(m[1]))} by {plural(cardinal(int(m[2])))}"),
    rule("number with an s",
         rf"(?:(?<![\w.,$£€'-])|(?<=[A-Za-z]-))(?:{_ONE} ?-)?{_ONE}'?s(?!\w)"
         rf"(?:(?:,? (?:and|or|to|then) |, | ?-|/){_ONE}'?s(?!\w))*", _speak_list),
)  # fmt: skip
