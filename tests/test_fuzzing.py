"""benchmarks/fuzz.py begins with files that are right, and with texts that reach every rule of reading."""

from __future__ import annotations

import json
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


def test_minutes_of_a_result_count_where_the_target_is_the_same(fuzz: ModuleType, tmp_path: Path) -> None:
    known = {"inputs": 5, "processor_minutes": 1.5, "wall_minutes": 2.0, "restarts": 0, "commits": ["a" * 40]}
    targets = {
        "voice": known | {"what": fuzz.TARGETS["voice"].what},
        "text": known | {"what": "what it read at another time"},
        "gone": known | {"what": "what nobody reads any more"},
    }
    result = tmp_path / "fuzz.json"
    result.write_text(json.dumps({"targets": targets}))
    fuzz.take_over(tmp_path / "work", result)
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["voice"]
    done = json.loads((tmp_path / "work" / "voice" / fuzz.DONE).read_text())
    assert (done["inputs"], done["processor_seconds"], done["commits"]) == (5, 90.0, ["a" * 40])
