"""An evaluation into a folder that holds an earlier one: what was spoken is kept, and no report is lost to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voxclone import EvaluationError, VoxClone
from voxclone.evaluation import Item, Report, evaluate
from voxclone.evaluation.speaking import WARM_TEXT

BASIS = "a test's own random numbers"
SILENT: dict[str, Any] = {"recogniser": "none", "verifier": "none", "naturalness": ()}


@pytest.fixture
def items(tmp_path: Path, recording: tuple[NDArray[np.float32], int], tiny_model: VoxClone) -> list[Item]:
    samples, rate = recording
    soundfile.write(tmp_path / "eve.wav", samples, rate)
    return [
        Item("clone", tmp_path / "eve.wav", "One thing.", "eve"),
        Item("given", tmp_path / "eve.wav", "Another one.", "eve", voice=tiny_model.voices["ada"]),
    ]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that a model is asked to speak, but those that warm it."""
    texts: list[str] = []
    generate: Callable[..., Any] = VoxClone.generate

    def listen(model: VoxClone, text: str, *args: Any, **options: Any) -> Any:
        if text == "Stop.":
            raise KeyboardInterrupt
        texts.extend([text] if text != WARM_TEXT else [])
        return generate(model, text, *args, **options)

    monkeypatch.setattr(VoxClone, "generate", listen)
    return texts


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(model: VoxClone, items: list[Item], out: Path, **options: Any) -> Report:
    consent = BASIS if any(item.voice is None for item in items) else None
    return evaluate(model, items, out, **({"consent": consent} | SILENT | options))


def test_what_was_spoken_is_kept_and_more_may_come(
    tiny_model: VoxClone, items: list[Item], tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(tiny_model, items[:1], tmp_path / "out")
    assert first.about["kept"] is None and set(said) == {"One thing."}
    before = files(tmp_path / "out/audio")
    said.clear()
    both = run(tiny_model, items, tmp_path / "out")
    assert set(said) == {"Another one."} and both.about["kept"] == 1
    assert [each.kept for each in both.utterances] == [True, False]
    assert replace(both.utterances[0], kept=False) == first.utterances[0]
    assert first.utterances[0].words and first.utterances[0].phonemes
    assert files(tmp_path / "out/audio").items() >= before.items()
    said.clear()
    monkeypatch.setattr(VoxClone, "clone", None)  # nor is anybody cloned again
    (tmp_path / "judge.py").write_text("def score(samples, rate): return 3.0\n")
    judged = run(tiny_model, items, tmp_path / "out", naturalness=[f"python:{tmp_path / 'judge.py'}:score"])
    assert said == [] and judged.about["kept"] == 2
    assert [each.naturalness for each in judged.utterances] == [{"judge.py:score": 3.0}] * 2


def test_an_interrupted_evaluation_goes_on(
    tiny_model: VoxClone, items: list[Item], tmp_path: Path, said: list[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model, [items[1], replace(items[0], text="Stop.")], tmp_path / "out")
    assert not (tmp_path / "out/report.json").exists()
    said.clear()
    found = run(tiny_model, [items[1], items[0]], tmp_path / "out")
    assert set(said) == {"One thing."} and [each.kept for each in found.utterances] == [True, False]


def test_what_is_damaged_is_spoken_again(
    tiny_model: VoxClone, items: list[Item], tmp_path: Path, said: list[str]
) -> None:
    run(tiny_model, items, tmp_path / "out")
    soundfile.write(tmp_path / "out/audio/clone.wav", np.zeros(1000), 16000)
    (tmp_path / "out/spoken/given.json").write_text('{"digest": 7')
    said.clear()
    assert run(tiny_model, items, tmp_path / "out").about["kept"] is None
    assert set(said) == {"One thing.", "Another one."}


def test_a_report_of_other_speech_is_not_written_over(
    tiny_model: VoxClone, items: list[Item], tmp_path: Path, said: list[str]
) -> None:
    out = tmp_path / "out"
    run(tiny_model, items, out)
    (tmp_path / "bob.wav").write_bytes((tmp_path / "eve.wav").read_bytes() + b" ")
    clone, given = items
    before = files(out)
    said.clear()
    for other, options, count in (
        ([given], {}, "1 of its 2 utterances, such as 'clone'"),
        ([clone, replace(given, name="x")], {}, "1 of its 2 utterances, such as 'given'"),
        ([replace(clone, text="Two."), given], {}, "1 of its 2 utterances, such as 'clone'"),
        ([replace(clone, reference=tmp_path / "bob.wav"), given], {}, "1 of its 2 utterances, such as 'clone'"),
        ([clone, replace(given, voice=tiny_model.voices["bob"])], {}, "1 of its 2 utterances, such as 'given'"),
        (items, {"consent": "another ground"}, "1 of its 2 utterances, such as 'clone'"),
        (items, {"options": {"speed": 0.8}}, "2 of its 2 utterances"),
        (items, {"options": {"seed": 1}}, "2 of its 2 utterances"),
    ):
        with pytest.raises(EvaluationError) as told:
            run(tiny_model, other, out, **options)
        assert str(told.value).startswith(f"{out / 'report.json'} is a report of other speech: {count}")
        assert str(told.value).endswith("choose another folder, or delete that file to have it written over")
    assert files(out) == before and said == []
    (out / "report.json").write_text('{"utterances": [{"name": "clone", "system": "cloned", "audio": "a.wav"}]}')
    with pytest.raises(EvaluationError, match=r"report\.json is no report of this voxclone"):
        run(tiny_model, items, out)
    (out / "report.json").unlink()
    assert run(tiny_model, [given], out).about["kept"] == 1
    (out / "report.json").unlink()
    assert run(tiny_model, [given], out, options={"speed": 0.8}).about["kept"] is None


def test_what_was_made_elsewhere_is_known_by_its_files(items: list[Item], tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (tmp_path / "judge.py").write_text("def score(samples, rate): return samples.mean() * 10\n")
    asked: dict[str, Any] = SILENT | {"made": made, "naturalness": [f"python:{tmp_path / 'judge.py'}:score"]}
    soundfile.write(made / "clone.wav", np.full(16000, 0.1), 16000)
    heard = evaluate(None, items, tmp_path / "out", **asked).utterances[0].naturalness
    assert heard["judge.py:score"] == pytest.approx(1, abs=0.01)
    soundfile.write(made / "given.wav", np.full(16000, 0.2), 16000)  # the rest of it
    assert evaluate(None, items, tmp_path / "out", **asked).about["failed"] == 0
    soundfile.write(made / "clone.wav", np.full(16000, 0.3), 16000)
    with pytest.raises(EvaluationError, match="is a report of other speech: 1 of its 2 utterances, such as 'clone'"):
        evaluate(None, items, tmp_path / "out", **asked)
    (tmp_path / "out/report.json").unlink()
    heard = evaluate(None, items, tmp_path / "out", **asked).utterances[0].naturalness  # of the new file
    assert heard["judge.py:score"] == pytest.approx(3, abs=0.01)


def test_settings_are_known_by_what_they_change(tiny_model: VoxClone, tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text('{"Siobhan": "ʃɪvˈɔːn"}')
    plain, told = tiny_model.settings_id(), tiny_model.settings_id(lexicon={"Siobhan": "ʃɪvˈɔːn"})
    assert len(plain) == 64 and plain == tiny_model.settings_id(progress=True)
    assert told == tiny_model.settings_id(lexicon=tmp_path / "words.json")
    assert len({plain, told, tiny_model.settings_id(seed=1), tiny_model.settings_id(speed=0.9)}) == 4
