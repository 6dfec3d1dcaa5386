"""Utterances whose text does not fit, and those of another speaker, are told from the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxclone.finetuning.selection import unfit
from voxclone.training.features import Entry


def entries(count: int) -> list[Entry]:
    return [Entry(str(n), {}, {"mel": (0, 200), "phoneme_ids": (0, 30)}) for n in range(count)]


def voices(count: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    vectors = np.eye(1, 16, dtype=np.float32) + 0.1 * rng.normal(size=(count, 16)).astype(np.float32)
    return {str(n): vector / np.linalg.norm(vector) for n, vector in enumerate(vectors)}


def test_a_low_confidence_is_a_wrong_text() -> None:
    confidence = {str(n): -0.5 - 0.01 * n for n in range(12)} | {"7": -3.9}
    gone = unfit(entries(12), confidence, voices(12))
    assert {key: reason for key, (reason, _) in gone.items()} == {"7": "text does not fit"}
    assert "-3.90 nats/frame" in gone["7"][1]


def test_ordinary_scatter_goes_nowhere() -> None:
    rng = np.random.default_rng(1)
    confidence = {str(n): -0.5 + 0.1 * value for n, value in enumerate(rng.normal(size=40))}
    assert unfit(entries(40), confidence, voices(40)) == {}


def test_another_speaker() -> None:
    embeddings = voices(12)
    embeddings["3"] = -embeddings["3"]
    gone = unfit(entries(12), dict.fromkeys(embeddings, -0.5), embeddings)
    assert {key: reason for key, (reason, _) in gone.items()} == {"3": "another speaker"}


def test_too_many_phonemes_and_no_alignment() -> None:
    candidates = [*entries(2), Entry("fast", {}, {"mel": (0, 30), "phoneme_ids": (0, 29)})]
    gone = unfit(candidates, {"0": -0.5, "fast": -0.5}, voices(2))
    assert set(gone) == {"1", "fast"}


def test_of_a_few_none_is_an_outlier() -> None:
    assert unfit(entries(4), {"0": -0.1, "1": -5.0, "2": -0.1, "3": -0.1}, voices(4)) == {}
