"""Files of JSON that are added to, a line at a time: a kill may cut the last line, and no other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from voxclone.errors import VoxcloneError

Item = TypeVar("Item")


def read_json_lines(path: Path, read: Callable[[Any], Item], remedy: str) -> Iterator[Item]:
    """What each line of a file says; a last line without an end, as a kill leaves it, is cut off from the file.

    Args:
        path: The file; one that is not there has no lines.
        read: Makes an item of a line's JSON value, and raises TypeError, ValueError, KeyError or AttributeError where
            that is not what it should be.
        remedy: For whoever finds a line damaged: what to do.

    Raises:
        VoxcloneError: A line is damaged; it is named.
        OSError: The file cannot be read, or not be cut.
    """
    if not path.exists():
        return
    whole = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                os.truncate(path, whole)
                return
            whole += len(line)
            try:
                item = read(json.loads(line))
            except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
                raise VoxcloneError(f"{path} is damaged in line {number}: {remedy}") from error
            yield item
