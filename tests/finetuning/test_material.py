"""What becomes of recordings that are changed, taken away, or could not be used at first."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone import VoxClone
from voxclone.audio.io import read_audio
from voxclone.errors import VoxcloneError
from voxclone.finetuning.clips import Clip, decode
from voxclone.finetuning.material import Material
from voxclone.finetuning.sources import read_sources
from voxclone.safety.labels import read_label, save_labelled
from voxclone.synthesis.progress import Stages


class WholeFile:
    """A detector to which everything is speech."""

    def spans(self, samples: NDArray[np.float32], sample_rate: int) -> list[tuple[float, float]]:
        return [(0.0, len(samples) / sample_rate)]


class Transcriber:
    """Hears the same in everything."""

    def transcribe(self, samples: NDArray[np.float32], sample_rate: int) -> str:
        return "rain fell on the hills"


@pytest.fixture
def folder(recordings: Path, tmp_path: Path) -> Path:
    """Two recordings with text and one without."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("0.wav", "0.txt", "1.wav", "1.txt", "2.wav"):
        shutil.copy(recordings / name, folder)
    return folder


def cut(folder: Path, transcriber: Any = None) -> Material:
    """As another run of the command finds it."""
    material = Material(folder.parent / "utterances")
    material.add(read_sources(folder)[1], WholeFile(), transcriber, "en-us", lambda _: None, Stages(False))  # type: ignore[arg-type]
    return material


def test_nothing_is_done_twice(folder: Path) -> None:
    first = cut(folder)
    index = (first.folder / "utterances.jsonl").read_bytes()
    assert [(each.key, each.dropped) for each in first.utterances] == [
        ("0.wav", ""),
        ("1.wav", ""),
        ("2.wav", "no text"),
    ]
    assert cut(folder).utterances == first.utterances
    assert (first.folder / "utterances.jsonl").read_bytes() == index


def test_a_corrected_text_takes_the_place_of_the_old_one(folder: Path) -> None:
    before = dict(zip("01", cut(folder).used(), strict=True))
    (folder / "0.txt").write_text("Something else was said.")
    after = cut(folder)
    assert [each.text for each in after.utterances[:2]] == ["Something else was said.", before["1"][1].text]
    assert after.utterances[0].key == "0.wav (2)"  # features are kept by key
    assert before["0"][0].exists() and before["0"][0] not in [path for path, _ in after.used()]


def test_a_recording_that_is_gone_is_not_used_and_may_come_back(folder: Path) -> None:
    whole = cut(folder).utterances
    (folder / "1.wav").rename(folder.parent / "1.wav")
    assert [each.key for each in cut(folder).utterances] == ["0.wav", "2.wav"]
    (folder.parent / "1.wav").rename(folder / "1.wav")
    assert cut(folder).utterances == whole


def test_what_lacked_text_is_transcribed_once_there_is_a_transcriber(folder: Path) -> None:
    cut(folder)
    (found,) = [each for each in cut(folder, Transcriber()).utterances if each.source == "2.wav"]
    assert (found.text, found.dropped) == ("rain fell on the hills", "")
    assert [each.text for each in cut(folder).utterances][2] == found.text


def test_an_unreadable_file_is_tried_again(folder: Path) -> None:
    good = (folder / "1.wav").read_bytes()
    (folder / "1.wav").write_bytes(b"RIFF")
    assert cut(folder).utterances[1].dropped == "unreadable"
    assert [each.dropped for each in cut(folder).utterances] == ["", "unreadable", "no text"]
    (folder / "1.wav").write_bytes(good)
    assert cut(folder).utterances[1].dropped == ""


def test_what_a_model_spoke_stays_labelled_when_it_is_cut(folder: Path, tiny_model: VoxClone) -> None:
    """As where `spoken_by` lets speech of the speaker's own voice in."""
    told = tiny_model.generate("Rain fell on the hills.", tiny_model.voices["ada"]).provenance
    save_labelled(folder / "3.wav", *read_audio(folder / "0.wav"), told)
    (folder / "3.txt").write_text("Rain fell on the hills.")
    labels = {each.key: read_label(path) for path, each in cut(folder, Transcriber()).used()}
    assert set(labels) == {"0.wav", "1.wav", "2.wav", "3.wav"}
    assert {key: label.provenance for key, label in labels.items() if label} == {"3.wav": told}
    (spoken,) = decode([Clip("x", (folder / "3.wav").read_bytes(), "Rain fell on the hills.")])
    assert spoken.label == read_label(folder / "3.wav")


def test_what_a_kill_cut_within_a_letter_is_cut_again(folder: Path) -> None:
    (folder / "1.txt").write_text("Für Ada.", encoding="utf-8")
    whole = cut(folder)
    index = whole.folder / "utterances.jsonl"
    content = index.read_bytes()
    index.write_bytes(content[: content.index("ü".encode()) + 1])
    again = cut(folder)
    assert again.utterances == whole.utterances and index.read_bytes() == content


def test_a_name_with_a_line_separator_stays_in_one_line(folder: Path) -> None:
    for suffix in ("wav", "txt"):
        (folder / f"0.{suffix}").rename(folder / f"0\u2028.{suffix}")
    first = cut(folder)
    assert first.utterances[0].key == "0\u2028.wav" and cut(folder).utterances == first.utterances


@pytest.mark.parametrize(
    "line", ['[{"key": "half', "{}x", '[{"key": "a"}]', '[{"key": 1, "source": "", "seconds": 2}]']
)
def test_a_damaged_line_is_told(line: str, folder: Path) -> None:
    index = cut(folder).folder / "utterances.jsonl"
    rest = index.read_text(encoding="utf-8").splitlines(keepends=True)
    index.write_text("".join((rest[0], line + "\n", *rest[2:])), encoding="utf-8")
    with pytest.raises(VoxcloneError, match=r"utterances\.jsonl is damaged in line 2: delete .* and run again"):
        cut(folder)
