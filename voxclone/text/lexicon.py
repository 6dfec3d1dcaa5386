"""User lexicons: how words are said, from JSON, TSV, or PLS files (https://www.w3.org/TR/pronunciation-lexicon/)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

from voxclone.errors import TextError
from voxclone.files import read_text
from voxclone.json_limits import parse_json

Lexicon = Mapping[str, str] | str | os.PathLike[str]
MAX_JSON_CHARACTERS = 50_000_000
_LEXEME_PARTS = ("grapheme", "phoneme")


def as_lexicon(lexicon: Lexicon | None) -> Mapping[str, str]:
    """A lexicon that is given as one or as the file that holds it.

    Raises:
        TextError: It is neither, or the file cannot be read as a lexicon: says where.
    """
    if lexicon is None:
        return {}
    if isinstance(lexicon, Mapping):
        return lexicon
    if not isinstance(lexicon, str | os.PathLike):
        raise TextError(
            f"a lexicon is a mapping of words to IPA, or a file that holds it; this is {type(lexicon).__name__}"
        )
    return read_lexicon(lexicon)


def read_lexicon(path: str | os.PathLike[str]) -> dict[str, str]:
    """Words and their IPA.

    Args:
        path: .json: an object. .tsv: a word, a tab, IPA on each line; # begins a comment. .pls, .xml: PLS 1.0 with
            alphabet="ipa"; lexemes with several graphemes are as many words.

    Raises:
        TextError: The file is missing, of another kind, or wrong: says where.
    """
    readers = {".json": _from_json, ".tsv": _from_tsv, ".pls": _from_pls, ".xml": _from_pls}
    suffix = Path(path).suffix.lower()
    if suffix not in readers:
        raise TextError(f"lexicon {path}: a file named {', '.join(readers)} is needed")
    text = read_text(Path(path), TextError)
    try:
        return readers[suffix](text)
    except TextError as error:
        raise TextError(f"lexicon {path}: {error}") from error


def _from_json(text: str) -> dict[str, str]:
    try:
        content = parse_json(text, MAX_JSON_CHARACTERS)
    except ValueError as error:
        raise TextError(f"it is not JSON: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise TextError('an object of words and IPA is needed, as {"Siobhan": "ʃɪvˈɔːn"}')
    return content


def _from_tsv(text: str) -> dict[str, str]:
    words = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) != 2 or not all(parts):
            raise TextError(f"line {number}: a word, a tab and IPA are needed, found {line[:60]!r}")
        words[parts[0]] = parts[1]
    return words


def _from_pls(text: str) -> dict[str, str]:
    return _Pls().read(text)


class _Pls:
    """One PLS document's parse; it takes no document type, so no entities."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}
        self.alphabet = ""
        self.lexeme: dict[str, list[str]] = {}
        self.path: list[str] = []
        self.parser = expat.ParserCreate("utf-8")
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype

    def read(self, text: str) -> dict[str, str]:
        try:
            self.parser.Parse(text.encode(), True)
        except expat.ExpatError as error:
            raise TextError(f"line {error.lineno}: {expat.ErrorString(error.code)}") from error
        return self.words

    def fail(self, message: str) -> TextError:
        return TextError(f"line {self.parser.CurrentLineNumber}: {message}")

    def doctype(self, *declaration: Any) -> None:
        raise self.fail("a document type (DOCTYPE) is not allowed")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        inside = self.path[-1] if self.path else ""
        wanted = {"": ("lexicon",), "lexicon": ("lexeme", "meta", "metadata"), "lexeme": (*_LEXEME_PARTS, "example")}
        if inside not in ("metadata",) and name not in wanted.get(inside, ()):
            place = f"in <{inside}>" if inside else "as the outermost element"
            raise self.fail(f"<{name}> is not read {place}")
        if name == "lexicon":
            self.alphabet = attributes.get("alphabet", "")
        elif name == "lexeme":
            self.lexeme = {part: [] for part in _LEXEME_PARTS}
        elif name == "phoneme" and attributes.get("alphabet", self.alphabet).lower() != "ipa":
            raise self.fail('only the alphabet "ipa" is read')
        if name in self.lexeme:
            self.lexeme[name].append("")
        self.path.append(name)

    def end(self, name: str) -> None:
        self.path.pop()
        if name != "lexeme":
            return
        graphemes, phonemes = (list(map(str.strip, self.lexeme[part])) for part in _LEXEME_PARTS)
        if not graphemes or not phonemes or not all((*graphemes, *phonemes)):
            raise self.fail("the <lexeme> lacks a <grapheme> or a <phoneme>")
        self.words |= dict.fromkeys(graphemes, phonemes[0])  # the first is the preferred one
        self.lexeme = {}

    def characters(self, data: str) -> None:
        if self.path and self.path[-1] in self.lexeme:
            self.lexeme[self.path[-1]][-1] += data
