"""Large files from the web: resumed where they were cut, checked, and unpacked once."""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Self

from tqdm import tqdm

from voxclone.errors import VoxcloneError
from voxclone.files import file_sha256

BLOCK = 1 << 20
ASIDE = ".unpacking"  # ends the name of the folder into which an archive is unpacked first
# What a damaged or foreign archive makes the standard library raise; RuntimeError is of zip files with a password.
_DAMAGES = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
    RuntimeError,
)  # fmt: skip


def download(url: str, target: Path, sha256: str) -> Path:
    """Fetch a file unless it is there and whole.

    Args:
        url: Where it is.
        target: Where to; what has come yet is kept under this name with ".partial" added.
        sha256: Of the whole, 64 hex digits.

    Raises:
        VoxcloneError: The server refuses, or what came is not what was expected; a damaged file is removed.
    """
    if target.exists():
        if file_sha256(target) == sha256:
            return target
        raise VoxcloneError(f"{target} is not the file that is expected (its sha256 differs); move it away")
    partial = target.with_name(target.name + ".partial")
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            if have and answer.status != 206:  # the server starts anew
                have = 0
            total = have + int(answer.headers.get("Content-Length") or 0)
            target.parent.mkdir(parents=True, exist_ok=True)
            bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=target.name, disable=None)
            with partial.open("ab" if have else "wb") as file, bar:
                while block := answer.read(BLOCK):
                    file.write(block)
                    bar.update(len(block))
        if partial.stat().st_size < total:
            raise OSError(f"{partial.stat().st_size} of {total} bytes came")
    except urllib.error.HTTPError as error:
        if error.code != 416:  # nothing is left to send
            raise VoxcloneError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (urllib.error.URLError, OSError) as error:
        raise VoxcloneError(f"{url} cannot be fetched: {error}; the same command goes on where it stopped") from error
    if fault := _fault(partial, sha256):
        raise VoxcloneError(f"{url}: {fault}")
    os.replace(partial, target)
    return target


def unpack(archive: Path, folder: Path, sha256: str) -> None:
    """Unpack a tar or zip archive into a folder, once; a file there notes which archive that was.

    It is unpacked aside, read to its end, and only then moved in: of a damaged archive nothing stays. Another archive
    of the same name is unpacked over the former, with a warning.

    Args:
        archive: What to unpack.
        folder: Where to; it is made if need be.
        sha256: Of the archive, 64 hex digits.

    Raises:
        VoxcloneError: It is no archive, is damaged, or a member leads out of the folder.
    """
    done, aside = folder / f".{archive.name}.unpacked", folder / f".{archive.name}{ASIDE}"
    noted = done.read_text(encoding="utf-8").strip() if done.exists() else None
    if noted == sha256 and not aside.exists():
        return
    shutil.rmtree(aside, ignore_errors=True)
    try:
        _extract(archive, aside)
    except _DAMAGES as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise VoxcloneError(
            f"{archive} cannot be unpacked: {error}; nothing of it was kept. If it is damaged, fetch it again"
        ) from error
    if noted:
        warnings.warn(
            f"{folder} holds what another {archive.name} held, which stays where this one has no file of that name; "
            "take an empty folder for this one alone",
            stacklevel=1,
        )
    done.unlink(missing_ok=True)
    _move(aside, folder)
    done.write_text(sha256 + "\n", encoding="utf-8")


def unfinished(folder: Path) -> list[str]:
    """Names of the archives whose unpacking into a folder was cut off, by a kill or a full disk."""
    return sorted(path.name[1 : -len(ASIDE)] for path in folder.glob(f".*{ASIDE}"))


class _Member(tarfile.TarInfo):
    """A header that is damaged or not there ends the archive with an error; tarfile takes it for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the mark of its end
                raise
            raise tarfile.ReadError(str(error)) from error


def _extract(archive: Path, folder: Path) -> None:
    """Unpack all of an archive, and read on to the end of its stream, where its checksum is."""
    if tarfile.is_tarfile(archive):
        folder.mkdir(parents=True)
        with tarfile.open(archive, tarinfo=_Member) as tar:
            tar.extractall(folder, filter="data")
            while tar.fileobj is not None and tar.fileobj.read(BLOCK):
                pass
    elif zipfile.is_zipfile(archive):
        folder.mkdir(parents=True)
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)  # leaves out what would lead elsewhere, and checks each member
    else:
        raise VoxcloneError(f"{archive} is neither a tar nor a zip archive, or its beginning or end is damaged")


def _move(source: Path, target: Path) -> None:
    """Move a folder's content into another, file by file where both have a folder, and remove what is left of it."""
    for each in list(source.iterdir()):
        place = target / each.name
        if each.is_dir() and place.is_dir() and not each.is_symlink():
            _move(each, place)
        else:
            os.replace(each, place)
    source.rmdir()


def _fault(partial: Path, sha256: str) -> str:
    """What is wrong with a download that has ended; empty where nothing is. A file that is wrong is removed."""
    found = file_sha256(partial)
    if found == sha256:
        return ""
    partial.unlink()
    return f"what came has sha256 {found[:12]}…, expected is {sha256[:12]}…; it was removed, try again"
