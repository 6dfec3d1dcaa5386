"""Features computed once: a folder of flat arrays and an index, appended to, resumable, read as memory maps."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from voxclone.errors import VoxcloneError
from voxclone.json_lines import read_json_lines

REMEDY = "delete that line; what filled this store makes it anew when it is run again"


@dataclass(frozen=True)
class ArrayKind:
    """One feature: its element type and the width of a row (0: a flat sequence)."""

    dtype: str
    width: int = 0

    @property
    def row_shape(self) -> tuple[int, ...]:
        return (self.width,) if self.width else ()

    @property
    def row_bytes(self) -> int:
        return np.dtype(self.dtype).itemsize * max(1, self.width)


KINDS: dict[str, ArrayKind] = {
    "waveform": ArrayKind("int16"),  # samples, full scale
    "mel": ArrayKind("float16", 80),  # frames of natural-log mel
    "f0": ArrayKind("float32"),  # Hz for each frame, 0 = unvoiced
    "phoneme_ids": ArrayKind("int16"),
    "durations": ArrayKind("int16"),  # frames for each phoneme
}


@dataclass(frozen=True)
class Entry:
    """One recording in a store: what the manifest says of it, and where its rows lie."""

    key: str
    about: dict[str, Any]
    rows: dict[str, tuple[int, int]] = field(repr=False)  # kind -> (first row, number of rows)


class FeatureStore:
    """Append-only features of many recordings. An entry exists once its index line is whole, so a kill loses one.

    Raises:
        VoxcloneError: A line of the index is damaged, other than the last by a kill.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.entries = list(read_json_lines(self.folder / "index.jsonl", _entry, REMEDY))
        self.keys = {entry.key for entry in self.entries}
        self._maps: dict[str, NDArray[Any]] = {}

    @classmethod
    def filled(cls, folder: Path) -> Self:
        """A store that is there to be read.

        Raises:
            VoxcloneError: It holds nothing.
        """
        store = cls(folder)
        if not store.entries:
            raise VoxcloneError(
                f"{folder} is no store of features, or an empty one; recipes/prepare/prepare.py fills --out/speech and "
                "--out/speaker, recipes/acoustic/align.py the durations"
            )
        return store

    def append(self, key: str, about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Write one recording's arrays, then its index line.

        Raises:
            VoxcloneError: The key is there already, or an array has not its kind's shape.
        """
        if key in self.keys:
            raise VoxcloneError(f"{key} is already in {self.folder}")
        for kind, array in arrays.items():
            if array.shape[1:] != KINDS[kind].row_shape:
                raise VoxcloneError(f"{kind} of {key} has rows of {array.shape[1:]}, not of {KINDS[kind].row_shape}")
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = {}
        for kind, array in arrays.items():
            first = self._used_rows(kind)
            with open(self.folder / f"{kind}.bin", "r+b" if first else "wb") as file:
                file.seek(first * KINDS[kind].row_bytes)
                file.write(np.ascontiguousarray(array, KINDS[kind].dtype).tobytes())
            rows[kind] = (first, len(array))
            self._maps.pop(kind, None)  # it ends before these rows
        entry = Entry(key, about, rows)
        with open(self.folder / "index.jsonl", "a", encoding="utf8") as file:
            file.write(json.dumps({"key": key, "about": about, "rows": rows}, ensure_ascii=False) + "\n")
        self.entries.append(entry)
        self.keys.add(key)

    def read(self, entry: Entry, kind: str, start: int = 0, length: int | None = None) -> NDArray[Any]:
        """Rows [start, start + length) of an entry's feature, as a copy; all from `start` on without a length.

        Raises:
            VoxcloneError: The entry has fewer rows, or the file of the feature is shorter than the index says.
        """
        first, count = entry.rows[kind]
        length = count - start if length is None else length
        if not 0 <= start <= start + length <= count:
            raise VoxcloneError(f"{entry.key} has {count} rows of {kind}; [{start}, {start + length}) was asked for")
        if kind not in self._maps:
            path, shape = self.folder / f"{kind}.bin", KINDS[kind]
            whole = path.stat().st_size // shape.row_bytes  # a kill may have cut the last row
            rows = (whole, *shape.row_shape)
            self._maps[kind] = np.memmap(path, shape.dtype, "r", shape=rows) if whole else np.zeros(rows, shape.dtype)
        found = np.array(self._maps[kind][first + start : first + start + length])
        if len(found) < length:
            raise VoxcloneError(
                f"{self.folder / kind}.bin is damaged: it ends before the rows of {entry.key}; delete {self.folder}, "
                "and run again what filled it"
            )
        return found

    def _used_rows(self, kind: str) -> int:
        for entry in reversed(self.entries):
            if kind in entry.rows:
                return sum(entry.rows[kind])
        return 0


def _entry(item: Any) -> Entry:
    """Of an index line's value.

    Raises:
        TypeError, ValueError, KeyError or AttributeError: It is none.
    """
    if not isinstance(item["key"], str):
        raise TypeError("the key is no text")
    rows = {kind: (int(first), int(count)) for kind, (first, count) in item["rows"].items() if KINDS[kind]}
    return Entry(item["key"], dict(item["about"]), rows)
