"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path


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


def remove_leftovers(folder: Path) -> None:
    """Remove what a process left in a folder that was killed while it wrote a file there."""
    for path in folder.iterdir():
        if re.fullmatch(r"\.[0-9a-f]{32}\.(partial|sidecar)", path.name):
            path.unlink(missing_ok=True)
