"""Chapters are found by their headings, parts keep to paragraphs, and every place stays what it was in the book."""

from __future__ import annotations

import pytest

from voxclone.text.book import Chapter, chapters, parts, unwrap

BOOK = """A STORY
by nobody

Chapter I. The storm

It was dark that night, and the wind had not stopped
for a week. Chapter houses fell.

No boat went out.

CHAPTER II

* * *

Epilogue

They slept.
"""


def test_chapters_begin_at_their_headings() -> None:
    found = chapters(BOOK)
    assert [chapter.title for chapter in found] == ["", "Chapter I. The storm", "CHAPTER II", "Epilogue"]
    for chapter in found:
        assert chapter.text.split() == BOOK[chapter.start : chapter.start + len(chapter.text)].split()
    assert "".join(chapter.text for chapter in found).split() == BOOK.split()


def test_markdown_headings_are_spoken_without_their_marks() -> None:
    text = "# The storm\nIt came.\n\n## After it\n\nIt went.\n"
    assert chapters(text) == [
        Chapter("The storm", "  The storm\nIt came.\n\n", 0),
        Chapter("After it", "   After it\n\nIt went.\n", 22),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "He read\nchapter 4\nof it.",
        "Part of it was lost.\n\nLetter by letter.",
        "One day.\n\nIntroduction to everything that there is\n\nEnd.",
        "Nothing here.",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text: str) -> None:
    assert [chapter.title for chapter in chapters(text)] == [""]


def test_a_text_with_nothing_to_speak_has_no_chapter() -> None:
    assert chapters("") == chapters("* * *\n\n# \n") == []


def test_wrapped_lines_are_one_paragraph_and_verse_is_not() -> None:
    wrapped = "It was dark that night, and the wind had not stopped\nfor a week.\n\nA rose\nis a rose.\n"
    assert unwrap(wrapped) == wrapped.replace("stopped\nfor", "stopped for")


def test_parts_are_the_chapter() -> None:
    text = "".join(f"{'One two three. ' * (1 + n % 5)}\n\n" for n in range(40))
    chapter = Chapter("", text, 7)
    found = list(parts(chapter, 200))
    assert "".join(part.text for part in found) == text
    assert all(len(part.text) <= 200 for part in found)
    assert all(text[part.start - 7 :].startswith(part.text) for part in found)
    assert all(part.text.endswith("\n\n") for part in found)
    assert len(found) < 30


def test_a_long_paragraph_is_cut_at_a_sentence() -> None:
    found = list(parts(Chapter("", "One two three four. " * 30, 0), 100))
    assert all(part.text.rstrip().endswith(".") for part in found)
