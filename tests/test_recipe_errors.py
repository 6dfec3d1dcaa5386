"""What a recipe says where its user gave it what is not there or does not fit: one line, and status 2."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from voxclone.cli.ending import exit_status
from voxclone.errors import ConsentError, VoxcloneError

for name in ("accelerate", "torchaudio", "numba", "pyroomacoustics", "tensorboard", "matplotlib"):
    pytest.importorskip(name, reason="the train extra is not installed")

RECIPES = Path(__file__).parents[1] / "recipes"
SCRIPTS = sorted(path for path in RECIPES.glob("*/*.py") if "__main__" in path.read_text(encoding="utf8"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the recipe runs: a store of one recording, another network's checkpoint, and configs with faults."""
    from voxclone.training.checkpoint import Checkpoint, save_checkpoint
    from voxclone.training.features import FeatureStore

    monkeypatch.chdir(tmp_path)
    about = {"speaker": "ada", "corpus": "c", "split": "train", "language": "en", "text": "A text."}
    store = FeatureStore(tmp_path / "store")
    mel, f0 = np.zeros((200, 80), np.float16), np.zeros(200, np.float32)
    store.append("a", about, {"waveform": np.zeros(51200, np.int16), "mel": mel, "f0": f0})
    save_checkpoint(tmp_path / "run", Checkpoint(1, 0.0, 0, 0, {}, {}, {}))
    vocoder = json.loads((RECIPES / "vocoder/config.json").read_text())
    vocoder["data"]["corpus_weights"] = {"*": 1.0}
    faults = {
        "misspelt": vocoder | {"data": {"batch": 2, "corpus_weights": {"*": 1.0}}},
        "lacking": vocoder | {"data": {"corpus_weights": {"*": 1.0}}},
        "section": vocoder | {"trainers": {}},
        "unknown": vocoder | {"adversarial": {"period_channel": 4}},
        "kept": vocoder | {"keep_mark": True, "mark": {}, "adversarial": {}},
        "vocoder": vocoder,
    }
    for name, values in faults.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(values))
    (tmp_path / "not-json.json").write_text("{")
    few = "path\tspeaker\tsplit\ttext\ngone.wav\tada\tvalid\tA text.\n"
    (tmp_path / "few.tsv").write_text(few)
    (tmp_path / "unmeasured").mkdir()
    (tmp_path / "unmeasured/manifest.tsv").write_text(few)
    table = "path\tspeaker\tsplit\ttext\tseconds\na.wav\tada\tvalid\tA text.\t"
    (tmp_path / "seconds.tsv").write_text(f"{table}long\n")
    for name in ("told", "manifest"):
        (tmp_path / f"{name}.tsv").write_text(f"{table}5\n")
    (tmp_path / "latin.txt").write_bytes("A text.\nD\u00e9j\u00e0 vu.\n".encode("latin-1"))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("vocoder/train.py --features gone --out o", "gone is no store of features, or an empty one; recipes/prepare"),
        ("speaker_encoder/train.py --features gone --out o", "gone is no store of features"),
        ("acoustic/align.py --features gone --durations d --out o", "gone is no store of features"),
        ("acoustic/pace.py --features store --durations gone --out o", "gone is no store of features"),
        ("acoustic/voices.py --model gone --features store --out o", "gone"),
        ("vocoder/train.py --features store --out o --config gone.json", "gone.json cannot be read as a config: "),
        (
            "vocoder/train.py --features store --out o --config not-json.json",
            "not-json.json cannot be read as a config",
        ),
        (
            "vocoder/train.py --features store --out o --config misspelt.json",
            "misspelt.json, data: unknown key 'batch' (is 'batch_size' the one?)",
        ),
        (
            "vocoder/train.py --features store --out o --config lacking.json",
            "lacking.json, data: 'batch_size' is missing",
        ),
        *(
            (
                f"{recipe} --features store {more} --out o --config section.json",
                "section.json: unknown key 'trainers' (is 'trainer' the one?)",
            )
            for recipe, more in {
                "vocoder/train.py": "",
                "speaker_encoder/train.py": "",
                "acoustic/train.py": "--durations store --speaker-features store --speaker-model m",
            }.items()
        ),
        (
            "vocoder/train.py --features store --out o --config unknown.json",
            "unknown.json, adversarial: unknown key 'period_channel' (is 'period_channels' the one?)",
        ),
        (
            "vocoder/train.py --features store --out o --config vocoder.json --start-from gone",
            "gone holds no checkpoint",
        ),
        (
            "vocoder/train.py --features store --out o --config vocoder.json --start-from run",
            "the run run is not of this network: it lacks conv_post.bias and ",
        ),
        (
            "vocoder/train.py --features store --out o --config kept.json",
            "a mark is kept for a detector that knows it: name its run with --detector-run or --start-from",
        ),
        ("bundle/export.py --base gone --name n --out o", "gone"),
        ("evaluate/list.py --manifest few.tsv --out o", "gone.wav"),
        ("evaluate/list.py --manifest few.tsv --speakers -1 --out o", "'-1' will not do; a whole number of 1 or more"),
        ("evaluate/list.py --manifest few.tsv --per-speaker 0 --out o", "'0' will not do; a whole number of 1 or more"),
        ("evaluate/list.py --manifest gone.tsv --out o", "gone.tsv cannot be read: No such file"),
        ("evaluate/list.py --manifest seconds.tsv --out o", "line 2 of seconds.tsv gives 'long' as seconds; a number"),
        (
            "evaluate/list.py --manifest told.tsv --sentences latin.txt --out o",
            "latin.txt cannot be read: line 2 is not UTF-8; save the file as UTF-8",
        ),
        ("prepare/prepare.py gone.tsv --out o", "gone.tsv cannot be read: No such file"),
        ("finetune/compare.py gone --name n --consent c --out o", "gone"),
        ("finetune/compare.py gone --name n --consent c --out o --depths lora deep", "invalid choice: 'deep'"),
        ("corpora/get.py ljspeech --out o --archive gone.tar", "gone.tar"),
        ("speaker_encoder/map.py gone", "gone: no such folder"),
        ("speaker_encoder/map.py few.tsv", "few.tsv is a file; a folder is needed"),
        ("speaker_encoder/map.py . --most 0", "'0' will not do; a whole number of 1 or more"),
        ("speaker_encoder/map.py . --seed -1", "'-1' will not do; a whole number of 0 or more"),
        ("watermark/prepare.py --data . --out o --sounds gone", "gone: no such folder"),
        ("watermark/prepare.py --data unmeasured --out o --sounds gone", "how many seconds gone.wav has: it needs a"),
        ("speaker_encoder/cohort.py --model gone --features store", "gone"),
    ],
)
def test_a_users_mistake_is_one_line(
    place: Path, command: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, *arguments = command.split()
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(RECIPES / script), run_name="__main__")
    *_, line = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert line.startswith(f"{Path(script).name}: error: ") and told in line


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(RECIPES).as_posix())
def test_every_recipe_ends_by_that_door(script: Path) -> None:
    assert script.read_text(encoding="utf8").endswith('if __name__ == "__main__":\n    run_script(main)\n')


TRAINING = [path for path in SCRIPTS if "import Trainer" in path.read_text(encoding="utf8")]


@pytest.mark.parametrize("script", TRAINING, ids=lambda path: path.relative_to(RECIPES).as_posix())
def test_every_recipe_that_trains_seeds_what_its_networks_begin_with(script: Path) -> None:
    *_, main = script.read_text(encoding="utf8").partition("args = parser.parse_args()")
    begun, _, made = main.partition("begin_training(args.threads")
    assert " Trainer(" in made and "Step(" not in begun


def test_only_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: BaseException) -> int:
        def run() -> None:
            raise error

        return exit_status(run, "x.py")

    assert exit_status(lambda: None, "x.py") == 0 and exit_status(lambda: 1, "x.py") == 1
    assert fail(VoxcloneError("two\nlines")) == 2
    assert fail(ConsentError("no consent")) == 2
    assert fail(FileNotFoundError(2, "No such file", "a")) == 2
    assert fail(KeyboardInterrupt()) == 130
    expected = [
        "x.py: error: two lines",
        "x.py: error: no consent",
        "x.py: error: a: No such file",
        "x.py: interrupted",
    ]
    assert capsys.readouterr().err.splitlines() == expected
    for fault in (KeyError("data"), TypeError("unexpected"), RuntimeError("sizes"), AssertionError()):
        with pytest.raises(type(fault)):
            fail(fault)
