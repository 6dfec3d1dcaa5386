"""JSON from strangers: of bounded size and depth, with finite numbers and no key twice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NoReturn

MAX_BYTES = 1_000_000


def parse_json(text: str | bytes, max_bytes: int = MAX_BYTES) -> Any:
    """Read a JSON text.

    Raises:
        ValueError: It is longer than `max_bytes` (a text: characters), not JSON or not UTF-8, nested deeper than
            Python's stack, has NaN or Infinity, or an object with a key twice.
    """
    if len(text) > max_bytes:
        raise ValueError(f"JSON of {len(text)} bytes; at most {max_bytes} are read")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None


def read_json(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Any:
    """Read a JSON file, without reading more than `max_bytes` of it.

    Raises:
        ValueError: See `parse_json`.
        OSError: The file cannot be opened.
    """
    with Path(path).open("rb") as file:
        return parse_json(file.read(max_bytes + 1), max_bytes)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a JSON object with a key twice")
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON with {name}, which is no number")
