"""What comes through standard input."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from voxclone.errors import TextError, VoxcloneError

READ_BYTES = 4096


def standard_input() -> BinaryIO:
    """The bytes of standard input.

    Raises:
        VoxcloneError: It is closed.
    """
    if sys.stdin is None:
        raise VoxcloneError("standard input is closed, so that nothing can be read from it")
    return sys.stdin.buffer


def arriving_text(source: BinaryIO) -> Iterator[str]:
    """UTF-8 text as it comes through a pipe.

    Raises:
        TextError: It is not UTF-8.
    """
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    read: Callable[[int], bytes] = getattr(source, "read1", source.read)
    try:
        while data := read(READ_BYTES):
            yield decode(data)
        yield decode(b"", True)
    except UnicodeDecodeError as error:
        raise TextError(f"standard input is not UTF-8 text: {error}") from error
