"""Abbreviations in full: Dr., St. (Saint or Street), etc., No. 5, with the full stop of a sentence's end kept."""

from __future__ import annotations

import re

from voxclone.text.initialisms import spell
from voxclone.text.rule import alternatives, rule

# Before a capitalised name; the stop is optional for the first group.
_TITLES = {
    "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Dr": "Doctor", "Prof": "Professor", "St": "Saint",
    "Lt": "Lieutenant",
    "Capt": "Captain", "Mx": "Mix", "Sgt": "Sergeant", "Cpl": "Corporal", "Mt": "Mount",
}  # fmt: skip
_DOTTED_TITLES = {
    "Rev": "Reverend", "Hon": "Honorable", "Gen": "General", "Col": "Colonel", "Maj": "Major", "Adm": "Admiral",
    "Cmdr": "Commander", "Gov": "Governor", "Sen": "Senator", "Rep": "Representative", "Pres": "President",
    "Supt": "Superintendent", "Fr": "Father", "Sr": "Sister", "Messrs": "Messieurs", "Ft": "Fort", "Pt": "Point",
}  # fmt: skip
# Before a digit.
_NUMBERED = {
    "No": "number", "Nos": "numbers", "Vol": "volume", "Vols": "volumes", "Fig": "figure", "Figs": "figures",
    "Ch": "chapter", "Chap": "chapter", "p": "page", "pp": "pages", "Sec": "section", "Eq": "equation",
    "Art": "article",
    "Apt": "apartment", "Ste": "suite", "ext": "extension", "c": "circa", "ca": "circa", "Op": "opus", "Pt": "part",
    "Ex": "example", "Tel": "telephone", "Rte": "route", "Rt": "route", "Hwy": "highway",
    "para": "paragraph", "v": "version",
    "ver": "version", "est": "established",
}  # fmt: skip
# Anywhere, stop required.
_PLAIN = {
    "e.g": "for example", "i.e": "that is", "vs": "versus", "cf": "compare", "approx": "approximately", "viz": "namely",
    "dept": "department", "Dept": "Department", "misc": "miscellaneous", "a.k.a": "also known as", "et al": "et al",
    "min": "minimum", "max": "maximum", "govt": "government", "Govt": "Government", "Univ": "University",
    "Assn": "Association", "Bros": "Brothers", "Natl": "National", "Intl": "International", "ed": "edition",
    "avg": "average", "temp": "temperature", "asst": "assistant", "Asst": "Assistant", "mgr": "manager",
    "w.r.t": "with respect to",
}  # fmt: skip
# May end a sentence; stop required.
_CLOSING = {
    "etc": "et cetera", "Inc": "Incorporated", "Corp": "Corporation", "Co": "Company", "Ltd": "Limited", "Jr": "Junior",
    "Sr": "Senior", "Esq": "Esquire", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane", "Ct": "Court",
    "Sq": "Square", "Pkwy": "Parkway", "Hwy": "Highway", "Pl": "Place", "Ter": "Terrace", "Ph.D": "P H D",
    "B.Sc": "B S C", "M.Sc": "M S C", "B.Ed": "B ed", "M.Ed": "M ed", "D.Phil": "D phil",
    "LL.B": "L L B", "LL.M": "L L M",
}  # fmt: skip
_SAINTS = (
    "Agnes|Albans|Ambrose|Andrews?|Anne?|Anthony|Augustine|Barts|Bartholomew|Bede|Bernard|Catherine|Cecilia|Charles|"
    "Christopher|Clair|Clare|Cloud|Croix|Cuthbert|David|Dominic|Edmund|Elizabeth|Elmo|Francis|George|Gregory|Helena?s?|"
    "Ignatius|Ives|James|Jerome|Joan|John|Johns|Joseph|Jude|Kitts|Lawrence|Louis|Lucia|Lucy|Luke|Margaret|Mark|Martin|"
    "Mary|Matthew|Michael|Moritz|Nicholas|Olaf|Pancras|Patrick|Paul|Peter|Petersburg|Pierre|Simon|Stephen|Swithin|"
    "Teresa|Thomas|Tropez|Valentine|Vincent|Vitus"
)
_STATES = {
    "Ala": "Alabama", "Ariz": "Arizona", "Ark": "Arkansas", "Calif": "California", "Colo": "Colorado",
    "Conn": "Connecticut", "Del": "Delaware", "Fla": "Florida", "Ga": "Georgia", "Ill": "Illinois", "Ind": "Indiana",
    "Kan": "Kansas", "Ky": "Kentucky", "La": "Louisiana", "Mass": "Massachusetts", "Md": "Maryland", "Mich": "Michigan",
    "Minn": "Minnesota", "Miss": "Mississippi", "Mo": "Missouri", "Mont": "Montana", "Neb": "Nebraska",
    "Nev": "Nevada", "Okla": "Oklahoma", "Ore": "Oregon", "Pa": "Pennsylvania", "Tenn": "Tennessee", "Tex": "Texas",
    "Va": "Virginia", "Vt": "Vermont", "Wash": "Washington", "Wis": "Wisconsin", "Wyo": "Wyoming",
}  # fmt: skip
_NO_TOWN = frozenset(  # before a comma and somebody who is called so: "Goodbye, Pa." and "Yes, Miss."
    (
        "Ah Alas And Aye But Bye Cheers Come Dear Evening Goodbye Goodnight Hello Here Hey Hi Hush Indeed Listen Look "
        "Love Morning Nay Night No Nonsense Now Oh OK Ok Okay Ow Pardon Please Really Regards Right See So Sorry Sure "
        "Thanks There Wait Well What Why Yeah Yes Yours"
    ).split()
)
_STARTERS = (
    r"A(?!\.)|After|All|Although|An|And|As|At|Because|Before|But|Can|Did|Do|Does|Each|Even|Every|Everyone|Finally|For|"
    r"From|He|Her|Here|His|How|However|I(?!\.)|If|In|Instead|Is|It|Its|Just|Later|Let|Many|Maybe|Meanwhile|Most|My|No|"
    "Nobody|Not|Now|Nothing|On|Once|One|Or|Our|People|Perhaps|Please|She|Since|So|Some|Soon|Still|Suddenly|Ten|"
    "That|The|Their|Then|There|These|They|This|Those|Three|Thus|To|Today|Tomorrow|Two|Until|Was|We|Well|Were|"
    "What|When|Where|Which|While|Who|Why|Will|With|Would|Yes|Yesterday|Yet|You|Your"
)
_ANY_CAPITAL = re.compile(r"(?! (?:[NS][EW]?|[EW])\b)[\"')\]]*(?: ?\Z| [\"'(]*[A-Z])")  # 5th Ave. NW goes on
_STARTER = re.compile(rf"[\"')\]]*(?: ?\Z| [\"'(]*(?:{_STARTERS})\b)")
_END = re.compile(r"[\"')\]]*(?: ?\Z|[,;:?!]| [\"'(]*[a-z])")
_STREET_BEFORE = re.compile(r"(?:\d(?:st|nd|rd|th)?|\b[A-Z][\w']*\w) \Z")
_HOUSE_BEFORE = re.compile(r"\d[A-Z]? (?:[NSEW]\.? )?(?:[A-Z0-9][\w']* ){1,3}\Z")
_NUMBER_WORDS = {key.lower(): word for key, word in _NUMBERED.items()}


def final_stop(match: re.Match[str], *, any_capital: bool = False) -> str:
    """The full stop that the abbreviation shares with its sentence's end, or ""."""
    ends = _ANY_CAPITAL if any_capital else _STARTER
    return "." if ends.match(match.string, match.end()) else ""


def _before(match: re.Match[str]) -> str:
    return match.string[max(match.start() - 80, 0) : match.start()]


def _is_thoroughfare(match: re.Match[str]) -> bool:
    """Whether St. or Dr. closes an address (12 Oak St., on Mulholland Dr.) rather than opening a name."""
    before, text, end = _before(match), match.string, match.end()
    if not _STREET_BEFORE.search(before):
        return False
    if match[1] == "St" and re.match(rf" (?:{_SAINTS})\b", text[end : end + 20]):
        return bool(_HOUSE_BEFORE.search(before)) and not re.search(r"\d \Z", before)
    return bool(_END.match(text, end) or _STARTER.match(text, end) or _HOUSE_BEFORE.search(before))


def _speak_thoroughfare(match: re.Match[str]) -> str:
    dot = match[0].endswith(".")
    if _is_thoroughfare(match):
        return {"St": "Street", "Dr": "Drive"}[match[1]] + (final_stop(match) if dot else "")
    return match[0]


def _gap(match: re.Match[str]) -> str:
    return " " if match.string[match.end() : match.end() + 1].isalpha() else ""


def _speak_numbered(match: re.Match[str]) -> str:
    """No. 5 -> number 5, Vol. I -> volume I; "No. I won't" and "She said no. 5 left" are sentences' ends."""
    word = match[1].lower()
    alone = re.match(r"I\b", match.string[match.end() : match.end() + 2])
    if alone and (match[1].islower() or word in ("no", "ex", "p", "c", "ca", "v", "est")):
        return match[0]
    if match[1] == "no" and re.search(r"\b(?:say|says|said|answered|replied|oh) \Z", _before(match), re.IGNORECASE):
        return match[0]
    return f"{_NUMBER_WORDS[word].capitalize() if alone else _NUMBER_WORDS[word]} "


def _speak_state(match: re.Match[str]) -> str:
    """Boston, Mass. and (D-Mass.)."""
    if match.string[match.start() - 1] == " ":
        town = re.search(r"\b([A-Z]\w*), \Z", _before(match))
        if town is None or town[1] in _NO_TOWN:
            return match[0]
    return _STATES[match[1]] + final_stop(match)


def _speak_dotted_title(match: re.Match[str]) -> str:
    if match[1] in _CLOSING and re.search(r"\w,? \Z", _before(match)):  # John Smith Sr.
        return match[0]
    return _DOTTED_TITLES[match[1]] + _gap(match)


def _speak_dotted(match: re.Match[str]) -> str:
    """U.S.A. -> U S A, with its possessive or its sentence's full stop."""
    if match[2]:
        return f"{spell(match[1].replace('.', ''))}'s"
    return spell(match[1].replace(".", "")) + final_stop(match)


def _speak_initial(match: re.Match[str]) -> str:
    before = re.search(r"([\w'.]+) ?\Z", _before(match))
    word = before[1] if before else ""
    numbered = word[:1].isdecimal() or word.lower() in _NUMBER_NAMES
    joined = word.lower() in _JOINING and not _NO_END.match(match.string, match.end())  # "A and B. Then"
    is_label = re.fullmatch("[A-Z]", word) or word.lower() in _LABELS or joined or numbered or final_stop(match)
    return match[0] if is_label else match[1]


_LABELS = {"plan", "vitamin", "type", "grade", "class", "hepatitis", "group", "team", "section", "part", "exhibit",
           "appendix", "option", "answer", "category", "am", "letter", "point"}  # fmt: skip
_JOINING = {"and", "or"}
_NO_END = re.compile(r" (?:[A-Z]\.|[a-z])")
_NUMBER_NAMES = frozenset(
    "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty seventy "
    "eighty ninety hundred thousand".split()
)

ABBREVIATION_RULES = (
    rule("with and without", r"(?<!\w)w/(o?)(?![\w/])", lambda m: "without" if m[1] else "with"),
    rule("with", r"(?<!\w)w/(?=[a-z]{2})", "with "),
    rule("born or died", r"(?<!\w)([bd])\. ?(?=(?:1\d|20)\d\d\b)", lambda m: "born " if m[1] == "b" else "died "),
    rule("care of", r"(?<!\w)c/o(?!\w)", "care of"),
    rule("and", r"(?<!\w)'n'(?!\w)", "and"),
    rule("because", r"(?<![\w/])b/c(?![\w/])", "because"),
    rule("also known as", r"(?<![\w.])aka(?![\w.])", "also known as"),
    rule("street or drive", r"(?<![\w.])(St|Dr)\b\.?(?!\w)", _speak_thoroughfare),
    rule("numbered", rf"(?<![\w.'])({alternatives(_NUMBERED)})\. ?(?=\d|[IVX]+\b)",
         _speak_numbered, re.IGNORECASE),
    rule("numbered in brackets", r"(?<![\w.'])(Eq|Fig|Sec)\. ?(?=\(\d)",
         lambda m: _NUMBER_WORDS[m[1].lower()] + " ", re.IGNORECASE),
    rule("state", rf"(?:(?<=[a-z], )|(?<=\([DRI]-))({alternatives(_STATES)})\.(?!\w)", _speak_state),
    rule("title", rf"(?<![\w.'])({alternatives(_TITLES)})(?:\.(?= ?[A-Z])|(?= [A-Z]))",
         lambda m: _TITLES[m[1]] + _gap(m)),
    rule("dotted title", rf"(?<![\w.'])({alternatives(_DOTTED_TITLES)})\.(?= ?[A-Z])",
         _speak_dotted_title),
    rule("abbreviation", rf"(?<![\w.'])({alternatives(_PLAIN)})\.(?!\w)", lambda m: _PLAIN[m[1]] + final_stop(m)),
    rule("closing abbreviation", rf"(?<![\w'])({alternatives(_CLOSING)})\.(?!\w)",
         lambda m: _CLOSING[m[1]] + final_stop(m, any_capital=m[1] not in ("Jr", "Sr"))),
    rule("versus", r"(?<![\w.])vs(?![\w.])|(?<=[\w.] )v\.(?= [A-Z])", "versus"),
    rule("maximum or minimum", r"(?<![\w.'])M(?:ax|in)\.(?= [a-z])",
         lambda m: "Maximum" if m[0] == "Max." else "Minimum"),
    rule("doctors", r"\bPh\.D\.'?s(?!\w)", "P H D's"),
    rule("degree", r"\b(PhD|BSc|MSc)('?s)?\b", lambda m: spell(m[1]) + ("'s" if m[2] else "")),
    rule("doctor", r"(?<![\w.'])(Mr|Mrs|Dr|Prof)\b\.", lambda m: _TITLES[m[1]] + final_stop(m)),
    rule("dotted letters", r"(?<![\w.])((?:[A-Za-z]\.){1,12}[A-Za-z])(?:\.|(?='s))('?s)?(?!\w)", _speak_dotted),
    rule("initial", r"(?<![\w.'])([A-HJ-Z]|I(?=\. ?[A-Z]\.))\.(?= ?[A-Z][\w'.]| [a-z]{2})", _speak_initial),
    rule("small initials", r"(?<![\w.'])([a-z])\. ([a-z])\. (?=[a-z]{2})", lambda m: f"{m[1].upper()} {m[2].upper()} "),
)  # fmt: skip
