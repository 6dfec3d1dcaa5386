"""How many threads are worth having: affinity, hardware threads of one core, a container's quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from voxclone.kernels.threads import usable_cores


@pytest.fixture
def _eight_threads_of_four_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for cpu in range(8):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")


@pytest.mark.usefixtures("_eight_threads_of_four_cores")
@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000\n", 4), ("250000 100000\n", 3), ("10000 100000\n", 1), ("900000 100000\n", 4)]
)
def test_cores_and_quota(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores(tmp_path / "cpu.max", tmp_path) == cores


def test_without_quota_or_topology(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5}, raising=False)
    assert usable_cores(tmp_path / "absent", tmp_path / "absent") == 2


def test_here() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
