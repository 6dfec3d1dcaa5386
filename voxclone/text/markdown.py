"""What Markdown draws and nobody says: headings' hashes, bullets, quotes, rules, tables, fences, links' addresses."""

from __future__ import annotations

import re

from voxclone.text.rule import rule
from voxclone.text.tags import MARKUP

_LINE = r"^[ \t]{0,20}"
_END = r"[ \t]*\r?$"
_FENCE = rf"{_LINE}```[\w+-]{{0,20}}{_END}"


def says_something(text: str) -> bool:
    """Whether a written text has a letter or digit that is spoken: the word behind a fence is not, nor is a tag."""
    if "```" in text:
        text = re.sub(_FENCE, "", text, flags=re.MULTILINE)
    if "<" in text:
        text = MARKUP.sub("", text)
    return any(map(str.isalnum, text))


def _speak_row(match: re.Match[str]) -> str:
    """| a | b | -> a, b."""
    return ", ".join(cell for cell in map(str.strip, match["cells"].split("|")) if cell) + "."


# Before line ends are spaces. A single hash before a digit is a number sign, and one before a letter a hashtag.
MARKDOWN_RULES = (
    rule("fence", _FENCE, "", re.MULTILINE),
    rule("underlined heading", rf"(?<=\w)[ \t]*\r?\n[ \t]{{0,3}}(?:={{3,80}}|-{{3,80}}){_END}", ".", re.MULTILINE),
    rule("line across", rf"{_LINE}(?:(?:\*[ \t]?){{3,80}}|(?:-[ \t]?){{3,80}}|(?:_[ \t]?){{3,80}}){_END}", "",
         re.MULTILINE),
    rule("line of a table", rf"{_LINE}\|(?=[ \t|:]*-)[ \t|:-]*\|{_END}", "", re.MULTILINE),
    rule("row of a table", rf"{_LINE}\|(?P<cells>[^\n|]*\|[^\n]*)\|{_END}", _speak_row, re.MULTILINE),
    rule("heading", rf"{_LINE}(?:\#(?=[ \t]+[^\W\d])|\#{{2,6}}(?=[ \t]))[ \t]+"
         r"(?P<title>[^\n]{0,300}?)[ \t#]{0,20}(?P<end>\r?\n|\Z)",
         lambda m: f"{m['title']}.{m['end']}" if m["end"] else m["title"], re.MULTILINE),
    rule("quotation", rf"{_LINE}>(?:[ \t]?>)*[ \t]+(?=[^\W\d]|[\"'“*#])", "", re.MULTILINE),
    rule("box to tick", rf"{_LINE}(?P<bullet>[-*+•][ \t]+)\[[ xX]\](?=[ \t]+[^\W_])", r"\g<bullet>", re.MULTILINE),
    rule("bullet", rf"{_LINE}[*+•][ \t]+(?=[^\W_]|[\"'“(\[*_`])", ", ", re.MULTILINE),
    rule("numbered line", r"(?<=[\w\"'”’)*`])[ \t]*\r?\n[ \t]*(?=\d{1,3}[.)] )", ". "),
    rule("picture or link", r"!?\[([^\[\]\n]{1,300})\]"
         r"\((?:https?://|mailto:|[./#])(?:[^()\s]|\([^()\s]{0,200}\)){0,1000}\)", r"\1"),
)  # fmt: skip
