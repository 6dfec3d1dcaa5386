"""Files of JSON lines: what a kill leaves is cut off, what else is damaged is told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from voxclone.errors import VoxcloneError
from voxclone.json_lines import read_json_lines

LINES = b'{"n": 1}\n{"n": 2}\n{"n": 3}\n'


def number(value: Any) -> int:
    return int(value["n"])


def read(path: Path) -> list[int]:
    return list(read_json_lines(path, number, "mend it"))


def test_every_line_is_an_item_and_a_missing_file_has_none(tmp_path: Path) -> None:
    assert read(tmp_path / "gone.jsonl") == []
    path = tmp_path / "index.jsonl"
    path.write_bytes(LINES)
    assert read(path) == [1, 2, 3] and path.read_bytes() == LINES


@pytest.mark.parametrize("cut", [b'{"n": 4', b'{"n": 4}', '{"t": "ü'.encode()[:-1], b"\0\0\0"])
def test_a_last_line_without_an_end_is_cut_off(cut: bytes, tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    path.write_bytes(LINES + cut)
    assert read(path) == [1, 2, 3] and path.read_bytes() == LINES


def test_what_ends_lines_elsewhere_ends_none_here(tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    text = "one\u2028two\x85three"
    path.write_text(json.dumps({"text": text}, ensure_ascii=False) + "\n" + '{"text": ""}\n', encoding="utf-8")
    assert list(read_json_lines(path, lambda value: value["text"], "mend it")) == [text, ""]


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"\xff", b"null", b"[1]", b'{"m": 2}', b'{"n": "two"}', b'{"n": ' + b"[" * 100_000],
)
def test_a_damaged_line_is_named_and_the_file_stays(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    content = b'{"n": 1}\n' + line + b'\n{"n": 3}\n'
    path.write_bytes(content)
    with pytest.raises(VoxcloneError, match=r"index\.jsonl is damaged in line 2: mend it"):
        read(path)
    assert path.read_bytes() == content
