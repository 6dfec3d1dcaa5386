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
