"""RESPONSIBLE_USE.md tells the numbers that were measured, and not those of another day."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def threats(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("benchmarks/threats.py")


def test_the_numbers_are_those_of_the_results(threats: ModuleType) -> None:
    page = threats.PAGE.read_text(encoding="utf-8")
    assert page == threats.with_table(page, threats.table()), "run: python benchmarks/threats.py"


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0, "0 %"), (0.00028, "0.028 %"), (0.0098, "1.0 %"), (0.0167, "1.7 %"), (0.1077, "11 %"), (1.0, "100 %")],
)
def test_a_share_is_told_in_as_few_digits_as_it_needs(threats: ModuleType, share: float, told: str) -> None:
    assert threats.percent(share) == told


def test_every_layer_has_its_numbers(threats: ModuleType) -> None:
    rows = threats.table().splitlines()
    assert rows[0].count("|") == 4 and {row.count("|") for row in rows} == {4}
    for name in ("verified consent: who speaks", "the phrase", "all checks", "mark", "files and texts from others"):
        assert any(name in row.split("|")[1] for row in rows), name
