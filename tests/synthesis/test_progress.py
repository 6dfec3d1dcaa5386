"""Lines that say what long work is at, few of them, and on standard error alone."""

from __future__ import annotations

import sys

import pytest

from voxclone.synthesis import progress
from voxclone.synthesis.progress import LINE_SECONDS, Stages


class Clock:
    """A clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(progress, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_stage_has_a_line_and_another_each_half_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    stages = Stages(True)
    stages.begin("cutting recordings")
    for _ in stages.through(range(100), 100, "cutting"):
        clock.now += 1.0
    stages.begin("saving")
    clock.now += LINE_SECONDS - 1
    stages.at("too soon")
    told = capsys.readouterr()
    lines = ["cutting recordings", *(f"cutting: {done} of 100" for done in (30, 60, 90)), "saving"]
    assert told.err.splitlines() == lines and told.out == ""


def test_a_terminal_has_bars_instead_of_lines_within_a_stage(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = Stages(True)
    stages.begin("cutting recordings")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    clock.now += 2 * LINE_SECONDS
    stages.at("cutting: 3 of 4")
    assert capsys.readouterr().err == "cutting recordings\n"


def test_nothing_is_told_where_it_is_not_wanted(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    stages = Stages(False)
    stages.begin("cutting recordings")
    clock.now += 2 * LINE_SECONDS
    assert list(stages.through("ab", 2, "cutting")) == ["a", "b"]
    assert capsys.readouterr().err == ""
