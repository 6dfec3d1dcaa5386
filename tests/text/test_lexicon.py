"""Lexicons in each format say the same; what is wrong is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxclone import TextError
from voxclone.text.lexicon import as_lexicon, read_lexicon

HEAD = '<?xml version="1.0"?>\n<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" '
FILES = {
    "a.json": '{"Siobhan": "ʃɪvˈɔːn", "tomato": "təmˈɑːtoʊ"}',
    "a.tsv": "# names\nSiobhan\tʃɪvˈɔːn\n\ntomato\ttəmˈɑːtoʊ\n",
    "a.pls": HEAD + 'alphabet="ipa" xml:lang="en-US"><lexeme><grapheme>Siobhan</grapheme><phoneme>ʃɪvˈɔːn</phoneme>'
    "<phoneme>ʃɪvˈɑːn</phoneme></lexeme>\n<lexeme><grapheme> tomato </grapheme><phoneme>təmˈɑːtoʊ</phoneme>"
    "<example>one</example></lexeme></lexicon>",
}


@pytest.mark.parametrize("name", FILES)
def test_formats(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    expected = {"Siobhan": "ʃɪvˈɔːn", "tomato": "təmˈɑːtoʊ"}
    assert read_lexicon(tmp_path / name) == expected
    assert as_lexicon(str(tmp_path / name)) == expected
    assert as_lexicon(expected) is expected
    assert as_lexicon(None) == {}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "a file named .json, .tsv, .pls, .xml is needed"),
        ("a.json", "{", "it is not JSON"),
        ("a.json", '["a"]', "an object of words and IPA"),
        ("a.json", '{"a": 1}', "an object of words and IPA"),
        ("a.tsv", "a\tb\nc d\n", "line 2: a word, a tab and IPA"),
        ("a.pls", HEAD + 'alphabet="ipa">\n<lexeme></lexeme></lexicon>', "line 3: the <lexeme> lacks"),
        (
            "a.pls",
            HEAD + 'alphabet="x-sampa">\n<lexeme><phoneme>a</phoneme></lexeme></lexicon>',
            "line 3: only the alphabet",
        ),
        (
            "a.pls",
            HEAD + 'alphabet="ipa">\n<lexeme><alias>a</alias></lexeme></lexicon>',
            "line 3: <alias> is not read in",
        ),
        ("a.pls", "<speak/>", "<speak> is not read as the outermost"),
        ("a.pls", '<!DOCTYPE lexicon [<!ENTITY a "b">]><lexicon/>', "DOCTYPE"),
        ("a.pls", "<lexicon>", "line 1: no element found"),
        ("a.tsv", None, "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(TextError) as caught:
        read_lexicon(tmp_path / name)
    assert message in str(caught.value)
    assert name in str(caught.value)
