"""Large files from the web: resumed where they were cut, checked, and unpacked once."""

from __future__ import annotations

import os
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from tqdm import tqdm

from voxclone.errors import VoxcloneError
from voxclone.files import file_sha256

BLOCK = 1 << 20


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


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip archive into a folder, once; a file beside the archive notes that it is done.

    Raises:
        VoxcloneError: It is no archive, is damaged, or a member leads out of the folder.
    """
    done = folder / f".{archive.name}.unpacked"
    if done.exists():
        return
    try:
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                file.extractall(folder)  # leaves out what would lead elsewhere
        else:
            raise VoxcloneError(f"{archive} is neither a tar nor a zip archive")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise VoxcloneError(f"{archive} cannot be unpacked: {error}") from error
    done.touch()


def _fault(partial: Path, sha256: str) -> str:
    """What is wrong with a download that has ended; empty where nothing is. A file that is wrong is removed."""
    found = file_sha256(partial)
    if found == sha256:
        return ""
    partial.unlink()
    return f"what came has sha256 {found[:12]}…, expected is {sha256[:12]}…; it was removed, try again"
