"""A file is written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from voxclone.errors import VoxcloneError
from voxclone.files import removed_where_refused, replace_file


def test_a_file_is_replaced(tmp_path: Path) -> None:
    for content in (b"one", b"two, longer", b""):
        replace_file(tmp_path / "a.json", content)
        assert (tmp_path / "a.json").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"before")

    def half(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.json'") as caught:
        replace_file(target, b"after that")
    assert caught.value.filename == str(target)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.json", b"before")]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        replace_file(tmp_path / "none" / "a.json", b"x")
    assert caught.value.filename == str(tmp_path / "none" / "a.json")


@pytest.mark.parametrize("error", [VoxcloneError, OSError])
def test_what_a_refusal_leaves_is_removed_with_the_folders_that_were_made(
    error: type[Exception], tmp_path: Path
) -> None:
    """Anything else, such as a full disk, leaves what the work can go on from."""
    with pytest.raises(error), removed_where_refused(tmp_path / "new/out/work"):
        (tmp_path / "new/out/work/deep").mkdir(parents=True)
        (tmp_path / "new/other").write_text("another's")
        raise error("no")
    assert (tmp_path / "new/out").exists() == (error is OSError)
    assert (tmp_path / "new/other").exists()


def test_a_folder_that_was_there_before_a_refusal_stays(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(VoxcloneError), removed_where_refused(tmp_path / "work"):
        (tmp_path / "work/file").write_text("kept")
        raise VoxcloneError("no")
    assert (tmp_path / "work/file").exists()


def test_what_was_made_stays_where_nothing_is_refused(tmp_path: Path) -> None:
    with removed_where_refused(tmp_path / "out/work"):
        (tmp_path / "out/work").mkdir(parents=True)
    assert (tmp_path / "out/work").exists()
    with pytest.raises(VoxcloneError), removed_where_refused(tmp_path / "never/made"):
        raise VoxcloneError("no")
