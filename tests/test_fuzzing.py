"""benchmarks/fuzz.py begins with files that are right, and with texts that reach every rule of reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from voxclone import VoxcloneError
from voxclone.text.normalize import RULES, explain


@pytest.fixture(scope="module")
def fuzz(script: Callable[[str], ModuleType]) -> ModuleType:
    pytest.importorskip("c2pa", reason="the dev extra is not installed")
    pytest.importorskip("av", reason="the dev extra is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "benchmarks"))
        return script("benchmarks/fuzz.py")


def test_every_target_reads_its_valid_inputs(fuzz: ModuleType, tmp_path: Path) -> None:
    seeds = fuzz.prepare(tmp_path / "seeds", fuzz.TARGETS)
    for name, target in fuzz.TARGETS.items():
        work = tmp_path / name
        work.mkdir()
        read = target.reader(seeds, work)
        inputs = sorted((seeds / name).iterdir())
        assert inputs, f"{name} has nothing to damage"
        for path in inputs:
            read(path.suffix, path.read_bytes())
        with pytest.raises(VoxcloneError):
            read(inputs[0].suffix, b"\0\xff" * 9)


def test_the_texts_reach_every_rule_of_reading() -> None:
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "fuzz_texts.txt"
    if not path.exists():
        pytest.skip("without the repository")
    reached = {change.rule for text in path.read_text(encoding="utf-8").split("\n%%\n") for change in explain(text)}
    assert {rule.name for rule in RULES} - reached == set(), "add a text to benchmarks/fuzz_texts.txt"
