"""Texts that are read, sums of files, and files that are written whole or not at all, and whether they can be."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voxclone.errors import VoxcloneError

TEXT_SUFFIXES = (".txt", ".lab", ".normalized.txt")  # of files beside a recording that hold what is said in it


def read_text(path: Path, refusal: type[VoxcloneError]) -> str:
    """A UTF-8 file, with or without a byte order mark.

    Raises:
        VoxcloneError: As `refusal`: it is in another encoding, or cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + error.object.count(b"\n", 0, error.start)
        raise refusal(f"{path} cannot be read: line {line} is not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise refusal(f"{path} cannot be read: {error.strerror}") from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits, whatever its size.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Write a file aside, then put it in place in one step; a failure leaves the path as it was.

    Raises:
        OSError: The folder does not exist, or cannot be written to; `path` is named in it.
    """
    partial = path.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # of the same subclass
    finally:
        partial.unlink(missing_ok=True)


def require_place(path: Path, refusal: type[VoxcloneError]) -> None:
    """Check that a file can be put at a path, before what goes into it is made.

    Raises:
        VoxcloneError: As `refusal`: the path is a folder or no plain file, or its folder does not exist or cannot be
            written to.
    """
    mode = _mode(path, refusal)
    if mode is not None and stat.S_ISDIR(mode):
        raise refusal(f"{path} is a folder; a file name is needed")
    if mode is not None and not stat.S_ISREG(mode):
        raise refusal(f"{path} is a device or a pipe, which a file cannot take the place of; another name is needed")
    folder = path.parent
    found = _mode(folder, refusal)
    if found is None:
        raise refusal(f"{path}: the folder {folder} does not exist; create it first")
    _require_open(folder, found, refusal)


def require_folder(path: Path, refusal: type[VoxcloneError]) -> None:
    """Check that files can be put into a folder, or that it can be made where it is not there yet.

    Raises:
        VoxcloneError: As `refusal`: the path, or one above it, is a file, or cannot be written to.
    """
    for folder in (path, *path.absolute().parents):
        if (mode := _mode(folder, refusal)) is not None:
            _require_open(folder, mode, refusal)
            return


def _mode(path: Path, refusal: type[VoxcloneError]) -> int | None:
    """What is at a path, as `stat` tells; None where nothing is."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise refusal(f"{path} cannot be written: {error.strerror}") from error


def _require_open(folder: Path, mode: int, refusal: type[VoxcloneError]) -> None:
    """Check that what has a mode is a folder in which files can be made, by making one."""
    if not stat.S_ISDIR(mode):
        raise refusal(f"{folder} is a file; a folder is needed there, into which files are written")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise refusal(f"the folder {folder} cannot be written to: {error.strerror}") from error


def remove_leftovers(folder: Path) -> None:
    """Remove what a process left in a folder that was killed while it wrote a file there."""
    for path in folder.iterdir():
        if re.fullmatch(r"\.[0-9a-f]{32}\.(partial|sidecar)", path.name):
            path.unlink(missing_ok=True)


@contextmanager
def removed_where_refused(folder: Path) -> Iterator[None]:
    """Take away a folder that was made within, and the empty ones above it, where a VoxcloneError ends the work.

    A folder that was there before stays as it is.
    """
    new = [each for each in (folder, *folder.absolute().parents) if not each.exists()]
    try:
        yield
    except VoxcloneError:
        if new and folder.exists():
            shutil.rmtree(folder)
        for each in new:
            if each.exists() and not any(each.iterdir()):
                each.rmdir()
        raise
