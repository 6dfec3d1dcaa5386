"""What HTML draws and nobody says: known tags and comments; references such as &amp; become their characters.

Tags of SSML in a text that is none are not said either; `stray_ssml` finds them, for a warning.
"""

from __future__ import annotations

import html
import re

from voxclone.text.rule import rule

_WITHIN = (
    "a abbr b big cite code del em font i img input ins kbd label mark q s samp small span strike strong sub sup tt u "
    "var wbr"
)  # a sentence
_AROUND = (
    "address article aside blockquote body caption center dd details div dl dt figcaption figure footer form h1 h2 h3 "
    "h4 h5 h6 head header hr html li main nav ol p pre section summary table tbody tfoot thead title tr ul"
)
_BESIDE = "br td th"
_SSML = "break emphasis phoneme prosody say-as speak voice"  # and what HTML has too: mark, p, s and sub
_ATTRIBUTE = r"""\s{1,20}[a-zA-Z][\w:.-]{0,40}=(?:"[^"<>]{0,1000}"|'[^'<>]{0,1000}'|[\w#%:./?&;+-]{1,300})"""


def _tag(names: str) -> str:
    return rf"</?(?i:{'|'.join(names.split())})(?:{_ATTRIBUTE}){{0,20}}\s{{0,20}}/?>"


_COMMENT = r"<!--[^<>]{0,1000}-->"
MARKUP = re.compile(rf"{_COMMENT}|{_tag(f'{_WITHIN} {_AROUND} {_BESIDE} {_SSML}')}")
_STRAY = re.compile(rf"(?={_tag(f'{_SSML} mark sub')})<(?:(?P<name>(?i:{_SSML.replace(' ', '|')}))\b|"
                    r"(?P<shared>mark(?= name=)|sub(?= alias=)))")  # fmt: skip


def stray_ssml(text: str) -> re.Match[str] | None:
    """The first beginning of an element that only SSML has, in a text that is no SSML document."""
    return _STRAY.search(text)


# Before line ends are spaces: what stands around paragraphs is as good as an empty line.
TAG_RULES = (
    rule("comment", _COMMENT, ""),
    rule("address in angle brackets",
         r"<((?:https?://|mailto:)[^<>\s]{1,1000}|[\w.+-]{1,60}@[\w-]{1,60}\.[\w.-]{1,60})>", r"\1"),
    rule("raised number", r"(?:(?<=\d)|(?<=\b[A-Za-z]))<sup>(-?\d{1,4})</sup>", r"^\1"),
    rule("tag within a sentence", _tag(f"{_WITHIN} {_SSML.removeprefix('break ')}"), ""),
    rule("tag around a paragraph", _tag(_AROUND), "\n\n"),
    rule("tag beside a line", _tag(f"{_BESIDE} break"), ", "),
    rule("character reference", r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-zA-Z][\da-zA-Z]{1,30});",
         lambda m: html.unescape(m[0])),
)  # fmt: skip
