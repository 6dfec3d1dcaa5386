"""The map of a folder's voices: who is on it, that alike ones are near, and a page that needs nothing but itself."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voxclone import VoxClone
from voxclone.errors import AudioError

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("sklearn", reason="the train extra is not installed")

STRANGE = "<script>Ada"


@pytest.fixture(scope="module")
def recipe(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("recipes/speaker_encoder/map.py")


def test_a_folder_becomes_a_picture_and_a_page(
    recipe: ModuleType,
    tiny_folder: Path,
    recording: tuple[NDArray[np.float32], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    samples, rate = recording
    for speaker in (STRANGE, "bob"):
        (tmp_path / "voices" / speaker).mkdir(parents=True)
        for number in range(2):
            soundfile.write(tmp_path / "voices" / speaker / f"{number}.wav", samples[number * 8000 :], rate)
    soundfile.write(tmp_path / "voices" / "bob" / "silence.wav", np.zeros(rate), rate)
    shutil.copy(tiny_folder / "voices" / "ada.voice", tmp_path / "voices" / "ada.voice")
    (tmp_path / "voices" / "bad.voice").write_bytes(b"no voice")
    (tmp_path / "voices" / "notes.voice").mkdir()
    arguments = [
        str(tmp_path / "voices"),
        "--model",
        str(tiny_folder),
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "map"),
    ]
    monkeypatch.setattr(sys, "argv", ["map.py", *arguments])
    recipe.main()
    told = capsys.readouterr().out
    assert "left out: bob/silence.wav: " in told
    assert re.search(r"left out: bad\.voice: .* cannot be read as a voice file", told)
    assert "5 points, 3 speakers" in told
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert STRANGE not in page
    assert set(re.findall(r"https?://[^\"'\s]+", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    (line,) = [line for line in page.splitlines() if line.startswith("const data = ")]
    points = json.loads(line.removeprefix("const data = "))["points"]
    assert [(point["speaker"], point["voice"]) for point in points] == [
        ("ada", True), (STRANGE, False), (STRANGE, False), ("bob", False), ("bob", False),
    ]  # fmt: skip
    assert all(0 <= point[axis] <= 1 for point in points for axis in "xy")
    assert points[0]["own"] is None
    assert points[1]["own"] > 0.9


@pytest.mark.parametrize("count", [1, 5])
def test_alike_voices_are_near(recipe: ModuleType, count: int) -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(3, 16), count + 1, axis=0)
    embeddings = (centres + 0.1 * rng.normal(size=centres.shape)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    places = recipe.flatten(embeddings, seed=0)
    assert places.shape == (3 * (count + 1), 2)
    groups = places.reshape(3, count + 1, 2)
    within = np.linalg.norm(groups - groups.mean(1, keepdims=True), axis=2).max()
    between = min(np.linalg.norm(groups[a].mean(0) - groups[b].mean(0)) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert between > 2 * within
    np.testing.assert_array_equal(recipe.flatten(embeddings, seed=0), places)


def test_each_speaker_has_as_many_recordings_as_are_asked_for(
    recipe: ModuleType, tiny_model: VoxClone, recording: tuple[NDArray[np.float32], int], tmp_path: Path
) -> None:
    for name in ("bob/1.wav", "bob/2.aiff", "bob/later/1.wav", "bob/z.wav", "eve/1.flac"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, *recording)
    points, skipped = recipe.collect(tiny_model, tmp_path, recipe.audio_files(tmp_path), most=2)
    assert [point.name for point in points] == ["bob/1.wav", "bob/2.aiff", "bob/later/1.wav", "eve/1.flac"]
    assert skipped == []


def test_an_empty_folder_is_told(
    recipe: ModuleType, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["map.py", str(tmp_path), "--model", str(tiny_folder), "--device", "cpu"])
    with pytest.raises(AudioError, match="0 usable recordings"):
        recipe.main()
