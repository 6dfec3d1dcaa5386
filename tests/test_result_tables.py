"""The tables of README.md and docs/results.md tell the numbers that were measured, and not those of another day."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def tables(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("benchmarks/tables.py")


def test_the_tables_are_those_of_the_results(tables: ModuleType) -> None:
    placed: list[str] = []
    for path in tables.PAGES:
        page = path.read_text(encoding="utf-8")
        placed += [place[2] for place in tables.PLACE.finditer(page)]
        assert page.count("<!-- table: ") == page.count("<!-- end of table -->") == len(tables.PLACE.findall(page))
        assert page == tables.with_tables(page), f"{path.name}: run python benchmarks/tables.py"
    assert sorted(placed) == sorted(tables.TABLES)


def test_a_table_has_the_shape_of_its_head(tables: ModuleType) -> None:
    for name, table in tables.TABLES.items():
        rows = table().splitlines()
        assert len(rows) >= 4 and {row.count("|") for row in rows} == {rows[0].count("|")}, name


@pytest.mark.parametrize(
    ("value", "digits", "told"), [(0.615, 2, "0.62"), (1.0, 2, "1.00"), (64.5, 0, "65"), (3.27, 1, "3.3")]
)
def test_halves_are_rounded_away_from_zero(tables: ModuleType, value: float, digits: int, told: str) -> None:
    assert tables.rounded(value, digits) == told


def test_a_number_that_was_changed_by_hand_is_noticed(tables: ModuleType) -> None:
    page = tables.PAGES[0].read_text(encoding="utf-8")
    changed = re.sub(r"(cloned speech\*\* \| )\d\.\d\d", r"\g<1>4.90", page)
    assert changed != page and tables.with_tables(changed) == page


def test_the_list_of_commits_is_that_of_the_results() -> None:
    results = ROOT / "benchmarks" / "results"
    if not results.exists():
        pytest.skip("without the repository")
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if re.match(r"\| .*\(`.*\.json`\).* \| ", line)]
    assert len(lines) >= 10
    for line in lines:
        told, commits = line.split(" | ")[:2]
        files = [path for name in re.findall(r"`([\w*-]+\.json)`", told) for path in results.glob(name)]
        found = {json.loads(path.read_text(encoding="utf-8"))["environment"]["commit"][:7] for path in files}
        assert found == set(re.findall(r"\b[0-9a-f]{7}\b", commits)), line
