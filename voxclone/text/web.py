"""Addresses and codes: URLs, e-mail, handles, hashtags, IP addresses, phone numbers, versions, digit groups."""

from __future__ import annotations

import re

from voxclone.text.numbers import cardinal, spell_code, spell_digits
from voxclone.text.rule import rule, where_digits

_SIGNS = {".": "dot", "/": "slash", "-": "dash", "_": "underscore", "?": "question mark", "=": "equals", "&": "and",
          "#": "hash", "%": "percent", "~": "tilde", ":": "colon", "+": "plus", "@": "at", ",": "comma",
          ";": "semicolon",
          "!": "exclamation mark", "*": "star", "$": "dollar", "(": "", ")": "", "'": "", "[": "", "]": ""}  # fmt: skip
_SPOKEN_NAMES = {"com", "org", "net", "gov", "edu", "info", "co", "me", "to", "app", "dev", "mail", "biz", "mil", "int"}
_SHORT_NAMES = frozenset("an as at be by do go he hi if in is it my no of on or so up us we".split())
_SPELLED_NAMES = {
    "html",
    "php",
    "pdf",
    "api",
    "url",
    "ftp",
    "exe",
    "csv",
    "svg",
    "aac",
    "yml",
    "ini",
}  # beside names of two letters or no vowel
_TOP = "com|org|net|edu|gov|mil|info|biz|io|ai|dev|app|co|me|tv|uk|us|ca|de|fr|eu|au|nz|jp|ch|ly|gg|fm|xyz"
_ENDINGS = (
    "md|py|txt|js|ts|json|csv|tsv|pdf|docx?|xlsx?|pptx?|png|jpe?g|gif|svg|mp3|mp4|wav|flac|ogg|opus|zip|tar|gz|exe|"
    "html?|css|xml|ya?ml|toml|ini|cfg|ipynb|onnx|srt|vtt"
)
_VERSIONED = ("version|versions|release|Python|Ubuntu|Debian|Fedora|Windows|Android|iOS|macOS|Java|Node|Linux|kernel|"
              "PyTorch|CUDA|Firefox|Chrome")  # fmt: skip
_PIECE = re.compile(r"\d+|[^\W\d_]+|.", re.DOTALL)
_HUMP = re.compile(r"\d+|[^\W\d_]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])|[A-Z]|.", re.DOTALL)


def _speak_digits(written: str) -> str:
    return cardinal(int(written)) if len(written) < 3 and written[0] != "0" else spell_digits(written)


def _speak_name(name: str, *, domain: bool = False) -> str:
    """A letter run of an address: spelled where it is no word; so are countries' domains (.is, .in)."""
    lower = name.lower()
    if lower in _SPOKEN_NAMES or (lower in _SHORT_NAMES and not domain):
        return lower
    if name.isascii() and (len(name) <= 2 or lower in _SPELLED_NAMES or not re.search("[aeiouy]", lower)):
        return " ".join(name.upper())
    return lower if name.isupper() else name


def _speak_address(address: str) -> str:
    spoken = []
    before = ""
    for piece in _PIECE.findall(address):
        if piece.isdecimal() and piece.isascii():
            spoken.append(_speak_digits(piece))
        elif piece[0].isalpha():
            spoken.append(_speak_name(piece, domain=before == "."))
        else:
            spoken.append(_SIGNS.get(piece, piece))
        before = piece
    return " ".join(filter(None, spoken))


def _speak_url(match: re.Match[str]) -> str:
    address = match["address"]
    kept = address.rstrip(".,;:!?)'\"]")
    return _speak_address(kept.rstrip("/")) + address[len(kept) :]


def _speak_tag(match: re.Match[str]) -> str:
    pieces = [_speak_digits(p) if p.isdecimal() and p.isascii() else _SIGNS.get(p, p) for p in _HUMP.findall(match[2])]
    return f"{'at' if match[1] == '@' else 'hashtag'} {' '.join(pieces)}"


def _speak_phone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    if len(groups) == 1 and len(groups[0]) > 7:  # +15550123456
        own = 1 if groups[0][0] == "1" else 2
        number = groups[0][own:]
        middle = [number[at : at + 3] for at in range(0, len(number) - 4, 3)]
        groups = [groups[0][:own], *middle, number[3 * len(middle) :]]
    plus = "plus " if match[0].startswith("+") else ""
    return plus + ", ".join(map(spell_digits, groups))


def _speak_groups(match: re.Match[str]) -> str:
    return ", ".join(spell_digits(g) if g[0].isdigit() else g for g in re.findall(r"\d+|[A-Z]", match[0]))


def _speak_version(match: re.Match[str]) -> str:
    numbers = " point ".join(cardinal(int(part)) for part in match["numbers"].split("."))
    word = match["word"]
    return f"{'version ' if word == 'v' else word}{numbers}"


_START = r"(?<![\w.@+/-])"
_ALONE = r"(?<![\w.,$£€¥-])"
_VERSION = r"(?P<numbers>\d{1,4}(?:\.\d{1,4})"

ADDRESS_RULES = (
    rule("e-mail", rf"{_START}(?P<address>\w[\w.+-]{{0,63}}@[A-Za-z0-9-]{{1,63}}(?:\.[A-Za-z0-9-]{{1,63}}){{1,8}})",
         _speak_url),
    rule("URL", r"(?<!\w)(?:https?|ftp)://(?P<address>[^\s<>\"]{1,2000})", _speak_url, re.IGNORECASE),
    rule("web address", rf"{_START}(?P<address>(?:www\.[a-z0-9-]{{1,63}}(?:\.[a-z0-9-]{{1,63}}){{1,8}}|"
         rf"(?=[a-z0-9.-]{{0,200}}[a-z])(?:[a-z0-9-]{{1,63}}\.){{1,8}}(?:{_TOP}))(?![\w@-])(?:[/?#][^\s<>\"]{{0,2000}})?)",
         _speak_url, re.IGNORECASE),
    rule("file name", rf"{_START}(?P<address>[\w-]{{1,100}}\.(?:{_ENDINGS}))(?!\w|\.\w)",
         lambda m: _speak_address(m["address"])),
    rule("hidden name", rf"(?:(?<=/)|(?<![^ (]))\.((?:NET|com|org|net|edu|gov|io|env|config|ssh|git[a-z]{{0,10}}|"
         rf"[a-z]{{2,10}}rc|{_ENDINGS})\b)", lambda m: f"dot {m[1].lower()}"),
    rule("handle", r"(?<![\w@.])(@)([A-Za-z_]\w{0,63})", _speak_tag),
    rule("hashtag", r"(?<![\w#&])(#)(\d{0,8}[A-Za-z_]\w{0,99})", _speak_tag),
)  # fmt: skip

CODE_RULES = where_digits(
    rule("extension", r"(?<=\d{3}[ .-]\d{4}) ?x ?(?=\d{2,5}(?!\w))", " extension "),
    rule("IP address", r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\w)",
         lambda m: " dot ".join(map(spell_digits, m[0].split(".")))),
    rule("phone number", rf"{_ALONE}(?<!\+)(?:\+?1[ .-]?)?(?:\(\d{{3}}\) ?|\d{{3}}[ .-])\d{{3}}[.-]\d{{4}}"
         r"(?![\w-]|\.\d)", _speak_phone),
    rule("phone number, spaced", rf"{_ALONE}(?<!\d )(?:\+?1[ -])?(?:\(\d{{3}}\)|\d{{3}})[ -]\d{{3}}[ -]\d{{4}}"
         r"(?![\w-]| \d)", _speak_phone),
    rule("phone number, foreign", r"(?<!\w)\+\d{1,3}(?:[ .-]?\(?\d{2,5}\)?){2,5}(?![\w-])", _speak_phone),
    rule("phone number, national",
         rf"{_ALONE}(?<!\d )(?:0\d{{2,4}}|\(0\d{{2,4}}\))(?: \d{{3,8}}){{1,3}}(?![\w-]| \d)", _speak_phone),
    rule("phone number, local", rf"{_ALONE}(?<!/)\d{{3}}-\d{{4}}(?![\w/-]|[.,]\d)", _speak_phone),
    rule("digit groups", rf"{_ALONE}\d{{1,7}}(?:-\d{{1,7}}){{2,7}}(?:-[X\d])?(?![\w-])", _speak_groups),
    rule("card number", rf"{_ALONE}(?<!\d )\d{{4}} \d{{4}} \d{{4}} \d{{4}}(?![\w-]| \d)", _speak_groups),
    rule("version", rf"\b(?P<word>(?:{_VERSIONED}) v?|[vV](?=\d)){_VERSION}{{1,5}})(?!\w|\.\d)",
         _speak_version),
    rule("version number", rf"(?<![\w.,])(?P<word>){_VERSION}{{2,5}})(?!\w|\.\d)", _speak_version),
    rule("ISBN", r"\bISBN:? ?(\d{9,13}X?)\b",
         lambda m: f"ISBN {spell_code(m[1].rstrip('X'))}{' X' * m[1].endswith('X')}"),
)  # fmt: skip
