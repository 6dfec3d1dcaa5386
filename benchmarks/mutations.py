"""Damage to valid files, for benchmarks/fuzz.py: by bytes, by tokens, and inside JSON and safetensors headers."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

INTERESTING = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"\xff\xff\xff\x7f",
    b"\x00" * 8,
)
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, -(10**30), 1e308, -0.5, "", " ", "\x00", "\u202e", "../../x",
    "x" * 5000,
    [], {}, [[]], [None] * 100, {"": {}}, [1, "a", None], "NaN", "9" * 400,
)  # fmt: skip


def damaged(content: bytes, draw: random.Random, others: Sequence[bytes] = (), tokens: Sequence[bytes] = ()) -> bytes:
    """The content with one to eight changes: bits, bytes, cuts, repetitions, tokens, and pieces of other files."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 5, 8))):
        at = draw.randrange(len(changed) + 1)
        head = draw.randrange(min(len(changed), 200) + 1)  # headers are small, and decide most
        at = head if draw.random() < 0.5 else at
        kind = draw.randrange(8)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            new = draw.choice(INTERESTING)
            changed[at : at + len(new)] = new
        elif kind == 2:
            changed[at : at + 4] = draw.randbytes(draw.randrange(1, 9))
        elif kind == 3:
            del changed[at:]
        elif kind == 4:
            del changed[at : at + draw.randrange(1, 64)]
        elif kind == 5:
            changed[at:at] = changed[at : at + draw.randrange(1, 256)] * draw.choice((1, 2, 50))
        elif kind == 6 and tokens:
            changed[at:at] = draw.choice(tokens) * draw.choice((1, 1, 1, 2, 500))
        elif kind == 7 and others:
            other = draw.choice(others)
            start = draw.randrange(len(other) + 1)
            changed[at:] = other[start : start + draw.randrange(1, 4096)] if draw.random() < 0.5 else other[start:]
    return bytes(changed)


def damaged_json(content: bytes, draw: random.Random) -> bytes:
    """A JSON text with one to three values replaced, removed, doubled, or put under another key."""
    values = json.loads(content)
    for _ in range(draw.choice((1, 1, 2, 3))):
        inner = [holder for holder in _holders(values) if holder]
        if not inner:
            break
        holder = draw.choice(inner)
        key: Any = draw.choice(sorted(holder)) if isinstance(holder, dict) else draw.randrange(len(holder))
        kind = draw.randrange(4)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[draw.choice(("", "unknown", "\ud800", key + "\x00"))] = holder[key]
        else:
            holder[key] = copy.deepcopy(draw.choice((*STRANGE, [holder[key]] * 3)))
    return json.dumps(values).encode("utf-8", "surrogatepass")


def damaged_safetensors(content: bytes, draw: random.Random) -> bytes:
    """A safetensors file whose header still parses, with something else in it."""
    length = int.from_bytes(content[:8], "little")
    header = damaged_json(content[8 : 8 + length], draw)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def _holders(values: Any) -> list[Any]:
    """All lists and objects in a JSON value."""
    found = [values] if isinstance(values, (dict, list)) else []
    children = values.values() if isinstance(values, dict) else values if isinstance(values, list) else ()
    for child in children:
        found += _holders(child)
    return found
