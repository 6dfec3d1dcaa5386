"""Configs that say only in what they differ from another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from voxclone.errors import ConfigError
from voxclone.training.settings import read_settings

RECIPES = Path(__file__).parents[2] / "recipes"


def write(path: Path, **sections: Any) -> Path:
    path.write_text(json.dumps(sections))
    return path


def test_a_config_changes_another_entry_by_entry(tmp_path) -> None:
    write(tmp_path / "a.json", model={"rates": [8, 4], "width": 2}, trainer={"steps": 5}, mark={"weight": 1})
    write(tmp_path / "b.json", extends="a.json", model={"rates": [8]}, mark=None)
    c = write(tmp_path / "c.json", extends="b.json", trainer={"steps": 9, "seed": 1})
    assert read_settings(c) == {"model": {"rates": [8], "width": 2}, "trainer": {"steps": 9, "seed": 1}}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"extends": "a.json"}, "a.json extends itself"),
        ({"extends": "missing.json"}, "missing.json cannot be read as a config"),
        ({"extends": ["b.json"]}, "has to be the name of a file"),
    ],
)
def test_what_cannot_be_extended_is_told(tmp_path, sections, message) -> None:
    with pytest.raises(ConfigError, match=message):
        read_settings(write(tmp_path / "a.json", **sections))


def test_a_config_is_an_object(tmp_path) -> None:
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(ConfigError, match="holds list"):
        read_settings(tmp_path / "a.json")


@pytest.mark.parametrize("stage", ["adversarial", "marked", "gpu"])
def test_all_stages_of_the_vocoder_are_of_one_model(stage) -> None:
    first, later = (read_settings(RECIPES / "vocoder" / f"{name}.json") for name in ("config", stage))
    assert later["model"] == first["model"] and "adversarial" in later
    assert ("mark" in later, later.get("keep_mark", False)) == (stage != "adversarial", stage == "gpu")


def test_discriminators_are_taught_alone_in_the_sizes_that_a_gpus_stage_takes() -> None:
    alone, stage = (read_settings(RECIPES / "vocoder" / f"{name}.json") for name in ("gpu-discriminators", "gpu"))
    assert alone["discriminators_alone"] and not alone["keep_mark"] and alone["model"] == stage["model"]
    rate = "discriminator_rate"
    assert alone["adversarial"] | {rate: 1.5} == stage["adversarial"] and alone["adversarial"][rate] == 1.0


def test_what_a_section_lacks_or_nobody_takes_is_told(tmp_path) -> None:
    class Step:
        def __init__(self, config, width: int = 1, **others) -> None: ...

    class LongStep(Step):
        def __init__(self, config, length: int = 1, **others) -> None: ...

    path = write(tmp_path / "a.json", data={"batch_sizes": 2}, step={"width": 3, "length": 2}, wrong={"config": 1})
    settings = read_settings(path)
    assert settings["step"].arguments(LongStep) == {"width": 3, "length": 2}
    with pytest.raises(ConfigError, match=r"a\.json, data: 'batch_size' is missing \(is 'batch_sizes' the one\?\)"):
        settings["data"]["batch_size"]
    with pytest.raises(ConfigError, match=r"a\.json: 'trainer' is missing$"):
        settings["trainer"]
    with pytest.raises(ConfigError, match=r"a\.json, step: unknown key 'length'"):
        settings["step"].arguments(Step)
    with pytest.raises(ConfigError, match=r"a\.json, wrong: unknown key 'config'"):  # which the recipe itself gives
        settings["wrong"].arguments(LongStep)
