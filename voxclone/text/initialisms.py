"""Words in capitals: shouted text, Roman numerals, initialisms that are spelled and acronyms that are words."""

from __future__ import annotations

import re

from voxclone.text.numbers import cardinal, ordinal, plural, year
from voxclone.text.rule import rule

# Acronyms that are spoken as words.
ACRONYMS = frozenset(
    (
        "NASA NATO UNESCO UNICEF OPEC AIDS FEMA NAFTA SCUBA RADAR LASER SONAR COVID SARS MERS SWAT NASDAQ NASCAR PIN "
        "SIM RAM ROM LAN WAN CUDA CAPTCHA OSHA NOAA POTUS SCOTUS FLOTUS YOLO TED ASEAN HIPAA ERISA MIDI CAD GIF WASP "
        "NIMBY DARPA LIDAR ZIP BIOS RAID MENSA ICANN BASIC FORTRAN COBOL LISP SALT START NORAD CENTCOM PAC IKEA LEGO "
        "VISA JSON NVIDIA SCSI"
    ).split()
)
# Four letters and more that look like words and are spelled; short ones are spelled unless they are words below.
_SPELLED = frozenset(
    (
        "UCLA YMCA YWCA NCAA IEEE USAF AARP ACLU NAACP USSR USDA ESPN ISBN HVAC AAPL AIAA IPCC OECD UNHCR ISIL USMC "
        "USPS UCSF UCSB AFAIK MMORPG EEOC USGA ICAO IAEA ISSN ADHD BYOB"
    ).split()
)  # fmt: skip
# Words of two and three letters that are only emphasised when in capitals.
_SHORT_WORDS = frozenset(
    (
        "AM AN AS AT BE BY DO GO HE HI IF IN IS ME MY NO OF OH ON OR OX SO TO UP WE YE AH HA HO LO ACT ADD AGE AGO "
        "AIR ALL AND ANY ARE ARM ART ASK BAD BAG BAR BED BIG BIT BOX BOY BUS BUT BUY CAN CAR CAT CRY CUT DAD DAY DID "
        "DIE DOG DRY EAR EAT EGG END EYE FAR FEW FIT FLY FOR FUN GET GOD GOT GUN GUY HAD HAS HAT HER HEY HIM HIS HIT "
        "HOT HOW ICE ILL ITS JOB JOY KEY KID LAW LAY LEG LET LIE LOT LOW MAD MAN MAP MAY MEN MOM NET NEW NEXT NOR NOT "
        "NOW ODD OFF OIL OLD ONE OUR OUT OWN PAY PUT RAN RED RUN SAD SAT SAW SAY SEA SEE SET SHE SIT SIX SKY SON SUN "
        "TEN THE TOO TOP TRY TWO USE WAR WAS WAY WET WHO WHY WIN WON YES YET YOU NEED STOP ACE APE BAT BEE BET BIN "
        "BOW BUD BUG BUN CAB CAP COW CUP DEN DIG DIM DIP DOT DUE EGO ERA EVE FAN FAT FED FEE FIG FIX FLU FOG FOX FUR "
        "GAP GAS GEM GUM GUT HAM HAT HEN HID HIP HOP HUG HUT INK INN JAM JAR JAW JET JOG LAB LAP LID LIP LOG MET MIX "
        "MUD MUG NAP NOD NUT OAK OAT OWE OWL PAN PAT PAW PEA PEN PET PIE PIG PIT POT RAG RAT RAW RAY RIB RID RIP ROB "
        "ROD ROW RUB RUG SAP SEW SHY SIN SIP SOB SPY SUM TAG TAN TAP TAR TAX TEA TIE TIN TIP TOE TON TOY TUB VAN VET "
        "VOW WAX WEB WIG WIT ZOO "
        "SHH HMM BRR GRR ZZZ UGH AWW WOW OW YAY BOO DUH HUH EEK YUM BYE YEP NAH UH UM EH YO EX AID AIM ATE BAN "
        "BEG BID COP CUB DYE ELF FIN FOE FRY GIG HAY HERS HUM ICY JUG KIN KIT LIT MAT MOB MOP NIL NUN OURS PAD PAL PEG "
        "POD POP PRO PUB PUP RIM ROT SKI SLY SUE TUG VIA WED WOE"
    ).split()
)
_INITIALISMS = frozenset(
    (
        "FBI CIA BBC CNN NBC CBS USA UK EU UN TV DVD CD PC CEO GPS DNA RNA NFL NBA MLB NHL HTML HTTP PDF IBM MTV KGB "
        "NSA IRS FDA GDP CPU GPU USB SUV VIP FAQ UFO LCD AI ID IQ HIV NYC LSD BMW ATM BTW CFO CTO COO DIY DOB ETA "
        "FYI GPT IDK OMG RSVP SSN TBA TBD WTF API URL SQL CSS XML EPA IMF WTO NGO LGBT LLM AWS SSH SDK RGB MRI"
    ).split()
)  # kept in shouted text, since they are no words
_REGENTS = (
    "Adrian|Albert|Alexander|Alfonso|Amadeus|Antiochus|Baldwin|Benedict|Boniface|Carlos|Catherine|Charles|"
    "Christian|Clement|Constantine|Cosimo|Darius|David|Edward|Elizabeth|Emmanuel|Felipe|Ferdinand|Francis|"
    "Frederick|George|Gregory|Gustav|Haakon|Harald|Henry|Innocent|Isabella|Ivan|James|John|Joseph|Julius|Karl|"
    "Leo|Leopold|Louis|Ludwig|Malcolm|Manuel|Margaret|Mary|Maximilian|Mehmed|Napoleon|Nicholas|Olaf|Otto|Paul|"
    "Peter|Philip|Pius|Ptolemy|Ramesses|Ramses|Rainier|Richard|Robert|Rudolf|Sixtus|Stephen|Suleiman|Thutmose|"
    "Umberto|Urban|Wilhelm|William|Xerxes"
)
_NUMBERED = (
    "chapter|book|part|volume|act|scene|section|article|appendix|phase|type|class|stage|level|title|canto|war|"
    "bowl|figure|table|plate|amendment|lesson|episode|season|division|grade|group|vatican|apollo|no|number|"
    "world war|mark"
)
_NUMERAL = r"(?:C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_ROMAN = rf"(?=[IVXLC]+\b){_NUMERAL}"
_LONG_ROMAN = r"(?=[IVX]{2,8}\b)X{0,3}(?:IX|IV|V?I{0,3})"
_TITLES = {"MR": "mister", "MRS": "missus", "MS": "miz", "DR": "doctor", "ST": "saint", "PROF": "professor",
           "CAPT": "captain", "REV": "reverend"}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
# What cannot follow a person's "I", so that behind "chapter", "type" and the like it is a numeral.
_NO_PERSON = re.compile(
    r" ?(?:[.,;:?!)\"]|\Z)| (?:is|has|of|the|an?|in|to|on|at|by|for|with|from|through|as|(?:and|or) [IVX]+)\b"
    r"| (?:diabetes|errors?|trials?|study|studies|clinical|cancers?|tumou?rs?|diseases?|hypersensitivity|collagen|"
    r"interferons?|fibers?|devices?|drugs?|survey)\b"
)
_PERSON = re.compile(  # what follows it behind a capitalised one: "the Part I like"
    r" (?:am|have|do|don't|can|can't|could|will|would|should|must|might|may|think|know|like|love|want|need|mean|read|"
    r"wrote|got|said|told|gave|never|always|really|just)\b"
)
_INITIAL = re.compile(  # "Charles V. Smith" and "Charles V Smith", but "Charles V. He died"
    r"\.? (?!(?:He|She|It|They|We|The|This|That|His|Her|In|At|On|But|And|After|When|As|An?|I)\b)[A-Z]"
)
_AFTER_FIRST = r"(?= ?(?:[.,;:?!)\"]|\Z| (?:of|was|is|and|had|died|reigned|ruled|became|in|on|from|at|to|the)\b)|'s)"


def roman(numeral: str) -> int:
    """XIV -> 14."""
    values = [_VALUES[letter] for letter in numeral.upper()]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def spell(word: str) -> str:
    """FBI -> F B I, which G2P reads as letter names."""
    return " ".join(word.upper())


def _unshout(match: re.Match[str]) -> str:
    """Text with no lower-case letter and more than three words is ordinary words, as in LibriSpeech transcripts."""
    text = match[0]
    words = _WORD.findall(text)
    if len(words) <= 3 or any(c.islower() for c in text) or 2 * sum(len(w) > 1 for w in words) <= len(words):
        return text
    text = re.sub(r"(?<![\w.])(MRS?|MS|DR|ST|PROF|CAPT|REV)(?:\.(?= )|(?![\w.']))", lambda m: _TITLES[m[1]], text)
    return re.sub(rf"(?<![\w.]){_WORD.pattern}(?![\w]|\.\w)", _lower, text)


def _lower(match: re.Match[str]) -> str:
    word = match[0]
    if word.startswith("I'"):
        return "I" + word[1:].lower()
    kept = word in _INITIALISMS or re.fullmatch(_LONG_ROMAN, word) or (len(word) == 1 and word != "A")
    return word if kept else word.lower()


def _speak_word(match: re.Match[str]) -> str:
    word, suffix = match["word"], (match["suffix"] or "").lower()
    ending = "'s" if suffix else ""
    if word in ACRONYMS:
        return word + ("s" if suffix == "s" else ending)
    if word in _SPELLED or word in _INITIALISMS or not _is_word(word):
        return spell(word) + ending
    return word.lower() + suffix


def _speak_behind(match: re.Match[str]) -> str:
    """ChatGPT -> Chat G P T, iOS -> i O S."""
    word, letters, plural_s = match[1], match[2], match[3]
    if letters in ACRONYMS or (letters not in _INITIALISMS and _is_word(letters)):
        return match[0]
    return f"{word} {spell(letters)}{chr(39) + plural_s if plural_s else ''}"


def _is_word(word: str) -> bool:
    """Whether capitals are emphasis: a known short word, or long enough and pronounceable."""
    if len(word) <= 3:
        return word in _SHORT_WORDS
    unlikely = r"[^AEIOUY]{5}|\A[^AEIOUYSL][^AEIOUYHLRW]|[AIU]{3}"
    return bool(re.search("[AEIOUY]", word)) and not re.search(unlikely, word)


def _speak_regent(match: re.Match[str]) -> str:
    if match[2] in ("C", "L") or _INITIAL.match(match.string, match.end()):  # John C. Calhoun
        return match[0]
    return f"{match[1]} the {ordinal(roman(match[2]))}"


def _speak_numbered(match: re.Match[str]) -> str:
    """Type II -> type two; "Section C" is a letter, and "the part I like" a person."""
    word, numeral = match[1].lower(), match[2]
    if numeral in ("C", "L") or (word == "no" and len(numeral) == 1):
        return match[0]
    if numeral == "I" and word != "world war":
        capital = match[1][0].isupper()
        if _PERSON.match(match.string, match.end()) if capital else not _NO_PERSON.match(match.string, match.end()):
            return match[0]
    return f"{match[1]} {cardinal(roman(numeral))}"


def _speak_mixed(match: re.Match[str]) -> str:
    """A token of letters and digits: MP3 -> M P 3, iPhone15 -> iPhone 15, MP3s -> M P threes."""
    pieces = re.findall(r"\d+|[^\W\d_]+", match[0])
    if pieces[-1] == "s" and len(pieces) > 2 and len(pieces[-2]) <= 9:  # longer ones are codes, read digit by digit
        pieces[-2:] = [plural(cardinal(int(pieces[-2])))]
    return " ".join(
        spell(p) if (p.isalpha() and len(p) <= 2) or (p.isupper() and p not in ACRONYMS) else p for p in pieces
    )


SHOUT_RULES = (rule("shouted text", r"\A.+\Z", _unshout, re.DOTALL),)

CAPITAL_RULES = (
    rule(
        "regent",
        rf"\b(?=[A-Za-z]{{3,12}} [IVXLC])((?i:{_REGENTS})) ((?!I\b){_ROMAN})(?<!Malcolm X)(?!\w| [A-Z]\b)",
        _speak_regent,
    ),
    rule("first regent", rf"\b({_REGENTS}) (I)\b{_AFTER_FIRST}", _speak_regent),
    rule(
        "Roman number",
        rf"(?<!question )(?<!exclamation )\b((?i:{_NUMBERED})) ({_ROMAN})(?!\w|'(?:m|d|ll|ve)\b| [A-Z]\b)",
        _speak_numbered,
    ),
    rule("small Roman number", rf"\b((?i:{_NUMBERED})) (?=[ivx]{{2,8}}\b)({_ROMAN.lower()})(?![\w-])", _speak_numbered),
    rule(
        "Roman year",
        r"\b(?=[MDCLXVI]{5,15}\b)M{1,2}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})(?!\w)",
        lambda m: year(roman(m[0])),
    ),
    rule("century", rf"\b({_ROMAN})(?= [Cc]entur(?:y|ies)\b)", lambda m: ordinal(roman(m[1]))),
    rule("Roman ordinal", rf"\b(?=[IVXLC]+th\b)({_NUMERAL})th\b", lambda m: ordinal(roman(m[1]))),
    rule("world war", r"\bWW(II?)\b", lambda m: f"World War {'two' if m[1] == 'II' else 'one'}"),
    rule("Roman number after a name", rf"\b([A-Z]\w*[a-z]) ({_LONG_ROMAN})(?![\w-])", _speak_numbered),
    rule("long Roman number", r"\b(?=[IVX]{3,8}\b)X{0,3}(?:IX|IV|V?I{0,3})(?!\w)", lambda m: cardinal(roman(m[0]))),
    rule("hyphen at a digit", r"(?<=[^\W\d_])-(?=\d)|(?<=\d)-(?=[^\W\d_])", " "),
    rule("letters and digits", r"(?<![\w'])(?=[^\W_]*\d)(?=\d*[^\W\d_])[^\W_]+(?!\w)", _speak_mixed),
    rule(
        "small Roman number alone",
        r"(?<![\w'.-])(?:iii|vii|viii|xii|xiii|xiv|xvi{1,3}|xix)(?![\w'-])",
        lambda m: cardinal(roman(m[0])),
    ),
    rule("World Health Organization", r"(?<=\b[Tt]he )WHO(?!\w)", "W H O"),
    rule("letters behind a word", r"(?<![\w'])(?!Mc|MoMA\b)([A-Z]?[a-z]{1,20})([A-Z]{2,5})(s?)(?!\w)", _speak_behind),
    rule("letters and sign", r"\b([A-Z]{1,4})&([A-Z]{1,4})\b", lambda m: f"{spell(m[1])} and {spell(m[2])}"),
    rule("capitals", r"(?<![\w'])(?P<word>[A-Z]{2,})(?P<suffix>'?s|'S)?(?!\w)", _speak_word),
)
