"""The table of recordings that benchmarks are given; recipes/prepare/README.md says its columns."""

from __future__ import annotations

import csv
from pathlib import Path


def manifest_rows(manifest: Path, split: str | None = None) -> list[dict[str, str]]:
    """The table's rows, of one split ("train", "valid") or of all. A text may begin with a quotation mark."""
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return rows if split is None else [row for row in rows if row["split"] == split]
