"""Batches of speech: padding, weights, lengths."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from voxclone.errors import VoxcloneError
from voxclone.training.features import FeatureStore
from voxclone.training.speech_data import LengthBuckets, TranscribedSpeech, corpus_weights, pad_batch


def a_store(folder: Path) -> FeatureStore:
    store = FeatureStore(folder)
    for key, frames, phonemes in (("a", 30, 6), ("b", 20, 4), ("short", 5, 4), ("long", 500, 4)):
        arrays = {"mel": np.ones((frames, 80)), "f0": np.ones(frames), "phoneme_ids": np.arange(1, phonemes + 1)}
        store.append(key, {"corpus": "x" if key == "a" else "y"}, arrays)
    store.append("silent", {"corpus": "x"}, {"mel": np.ones((30, 80)), "f0": np.zeros(30)})
    return store


def test_takes_transcribed_recordings_whose_text_can_fit(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert [entry.key for entry in TranscribedSpeech(store, store.entries).entries] == ["a", "b"]


def test_pads_with_zeros_and_the_mel_with_its_floor(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    speech = TranscribedSpeech(store, store.entries)
    batch = pad_batch([speech[0], speech[1]])
    assert batch["mel"].shape == (2, 80, 30) and batch["mel"].dtype == torch.float32
    assert torch.all(batch["mel"][1, :, 20:] == torch.tensor(math.log(1e-5)))
    assert batch["phoneme_ids"].tolist() == [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 0, 0]]
    assert batch["mel_lengths"].tolist() == [30, 20] and batch["phoneme_lengths"].tolist() == [6, 4]
    assert batch["f0"][1, 20:].tolist() == [0.0] * 10


def test_batches_hold_no_more_frames_than_asked_and_weights_hold() -> None:
    lengths = [100 + 10 * index for index in range(40)]
    weights = [0.0] * 20 + [1.0] * 20
    torch.manual_seed(0)
    batches = list(LengthBuckets(lengths, 1500, weights))
    drawn = [index for batch in batches for index in batch]
    assert len(drawn) == len(lengths) and min(drawn) >= 20
    assert all(max(lengths[i] for i in batch) * len(batch) <= 1500 for batch in batches)
    spreads = [max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in batches]
    assert np.mean(spreads) < 100


def test_an_utterance_longer_than_a_batch_is_one_of_its_own() -> None:
    torch.manual_seed(0)
    assert all(len(batch) == 1 for batch in LengthBuckets([50, 60], 40))
    with pytest.raises(VoxcloneError, match="no utterance"):
        LengthBuckets([], 40)


def test_corpora_without_a_weight_are_left_out(tmp_path: Path) -> None:
    entries = a_store(tmp_path).entries
    assert corpus_weights(entries, {"x": 2.0}) == {"a": 2.0, "silent": 2.0}
    assert corpus_weights(entries, {"x": 2.0, "*": 0.5})["b"] == 0.5
    with pytest.raises(VoxcloneError, match="found: x, y"):
        corpus_weights(entries, {"other": 1.0})
