"""A store gives back what was put in, whatever a kill left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxclone.errors import VoxcloneError
from voxclone.training.features import FeatureStore


def mel(frames: int, value: float = 0.0) -> np.ndarray:
    return np.full((frames, 80), value, np.float32) + np.arange(frames)[:, None]


def test_reads_rows_back_in_a_new_process(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.append("a", {"speaker": "ada"}, {"mel": mel(5), "f0": np.arange(5.0)})
    store.append("b", {"speaker": "bob", "text": "für"}, {"mel": mel(3, 100.0)})
    again = FeatureStore(tmp_path)
    assert [(entry.key, entry.about) for entry in again.entries] == [
        ("a", {"speaker": "ada"}), ("b", {"speaker": "bob", "text": "für"}),
    ]  # fmt: skip
    assert "f0" not in again.entries[1].rows
    np.testing.assert_array_equal(again.read(again.entries[1], "mel"), mel(3, 100.0))
    np.testing.assert_array_equal(again.read(again.entries[0], "mel", 1, 2), mel(5)[1:3])
    np.testing.assert_array_equal(again.read(again.entries[0], "f0", 3), [3.0, 4.0])


def test_reads_what_was_appended_after_a_first_read(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.append("a", {}, {"f0": np.ones(4)})
    store.read(store.entries[0], "f0")
    store.append("b", {}, {"f0": np.full(6, 2.0)})
    np.testing.assert_array_equal(store.read(store.entries[1], "f0"), np.full(6, 2.0))


def test_goes_on_after_a_kill_between_arrays_and_index(tmp_path: Path) -> None:
    FeatureStore(tmp_path).append("a", {}, {"mel": mel(5), "f0": np.ones(5)})
    with open(tmp_path / "mel.bin", "ab") as file:
        file.write(b"\x01" * 777)  # rows and a part of one that no index line names
    with open(tmp_path / "index.jsonl", "a") as file:
        file.write('{"key": "b", "abo')
    store = FeatureStore(tmp_path)
    assert store.keys == {"a"}
    np.testing.assert_array_equal(store.read(store.entries[0], "mel"), mel(5))
    store.append("b", {}, {"mel": mel(2, 7.0)})
    again = FeatureStore(tmp_path)
    assert [entry.key for entry in again.entries] == ["a", "b"]
    np.testing.assert_array_equal(again.read(again.entries[0], "mel"), mel(5))
    np.testing.assert_array_equal(again.read(again.entries[1], "mel"), mel(2, 7.0))


def test_refuses_a_key_twice_a_wrong_width_and_rows_that_are_not_there(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.append("a", {}, {"mel": mel(5)})
    with pytest.raises(VoxcloneError, match="already"):
        store.append("a", {}, {"mel": mel(5)})
    with pytest.raises(VoxcloneError, match=r"mel of b has rows of \(64,\)"):
        store.append("b", {}, {"mel": np.zeros((5, 64))})
    with pytest.raises(VoxcloneError, match=r"a has 5 rows of mel; \[3, 6\)"):
        store.read(store.entries[0], "mel", 3, 3)
    assert FeatureStore(tmp_path).keys == {"a"}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "half",
        '{"key": "x", "about": {}}',
        '{"key": 1, "about": {}, "rows": {}}',
        '{"key": "x", "about": null, "rows": {}}',
        '{"key": "x", "about": {}, "rows": {"mel": [0]}}',
        '{"key": "x", "about": {}, "rows": {"mal": [0, 1]}}',
    ],
)
def test_a_damaged_line_of_the_index_is_told_and_can_be_deleted(line: str, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    for key, value in (("a", 0.0), ("b", 1.0), ("c", 2.0)):
        store.append(key, {}, {"mel": mel(4, value)})
    index = tmp_path / "index.jsonl"
    one, _, three = index.read_text().splitlines()
    index.write_text(f"{one}\n{line}\n{three}\n")
    with pytest.raises(VoxcloneError, match=r"index\.jsonl is damaged in line 2: delete that line; what filled this"):
        FeatureStore(tmp_path)
    index.write_text(f"{one}\n{three}\n")  # as the message says
    again = FeatureStore(tmp_path)
    again.append("b", {}, {"mel": mel(4, 5.0)})
    found = {entry.key: again.read(entry, "mel")[0, 0] for entry in again.entries}
    assert found == {"a": 0.0, "c": 2.0, "b": 5.0}


@pytest.mark.parametrize("size", [0, 3 * 160])
def test_a_feature_file_that_is_too_short_is_told(size: int, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.append("a", {}, {"mel": mel(2)})
    store.append("b", {}, {"mel": mel(2)})
    (tmp_path / "mel.bin").write_bytes(bytes(size))
    again = FeatureStore(tmp_path)
    with pytest.raises(VoxcloneError, match=r"mel\.bin is damaged: it ends before the rows of b; delete .* run again"):
        again.read(again.entries[1], "mel")
