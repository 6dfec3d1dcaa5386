"""A run's log goes on after a kill, whatever line it was at."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorboard", reason="the train extra is not installed")

from voxclone.training.report import Report


@pytest.mark.parametrize("whole", [[], ["10\t0.5"]])
def test_a_line_that_a_kill_cut_is_dropped_before_another_is_added(whole: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log.tsv"
    log.write_text("\n".join(["step\ttotal", *whole, "20\t0."]))
    report = Report(tmp_path, 10)
    report.step = 20
    report.row({"total": 0.25})
    report.close()
    assert log.read_text().splitlines() == ["step\ttotal", *whole, "20\t0.25"]
