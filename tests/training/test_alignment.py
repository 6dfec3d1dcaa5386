"""The aligner learns, and its durations fill every recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AlignerConfig
from voxclone.models.aligner import Aligner
from voxclone.training.alignment import AlignmentStep, equal_durations, set_scale, store_durations
from voxclone.training.features import FeatureStore
from voxclone.training.speech_data import TranscribedSpeech, pad_batch

DURATIONS = {"a": [4, 9, 6, 3], "b": [7, 2, 8]}


def a_store(folder: Path) -> FeatureStore:
    """Each phoneme has a spectrum of its own, so that its frames are plain to see."""
    rng = np.random.default_rng(0)
    spectra = rng.normal(-5, 2, (5, 80))
    store = FeatureStore(folder)
    for key, durations in DURATIONS.items():
        ids = np.arange(1, len(durations) + 1)
        mel = np.repeat(spectra[ids], durations, axis=0)
        store.append(key, {}, {"mel": mel, "f0": np.zeros(len(mel)), "phoneme_ids": ids})
    return store


def test_learns_and_stores_durations_that_fill_each_recording(tmp_path: Path) -> None:
    torch.manual_seed(0)
    store, target = a_store(tmp_path / "speech"), FeatureStore(tmp_path / "durations")
    speech = TranscribedSpeech(store, store.entries)
    batch = pad_batch([speech[0], speech[1]])
    step = AlignmentStep(AlignerConfig(n_symbols=5), None)
    optimizer = torch.optim.Adam(step.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = step(batch, "model")["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    store_durations(step.aligner.eval(), store, target)
    found = {entry.key: target.read(entry, "durations") for entry in target.entries}
    assert {key: len(own) for key, own in found.items()} == {key: len(own) for key, own in DURATIONS.items()}
    assert {key: own.sum() for key, own in found.items()} == {key: sum(own) for key, own in DURATIONS.items()}
    assert all(own.min() >= 1 for own in found.values())
    assert all(np.isfinite(entry.about["confidence"]) for entry in target.entries)


def test_aligns_only_what_is_missing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    store, target = a_store(tmp_path / "speech"), FeatureStore(tmp_path / "durations")
    target.append("a", {"confidence": -1.0}, {"durations": np.array([1, 1, 1, 19])})
    store_durations(Aligner(AlignerConfig(n_symbols=5)).eval(), store, target)
    again = FeatureStore(tmp_path / "durations")
    assert [entry.key for entry in again.entries] == ["a", "b"]
    assert again.read(again.entries[0], "durations").tolist() == [1, 1, 1, 19]
    own = again.read(again.entries[1], "durations")
    assert own.sum() == 17 and own.min() >= 1


def test_the_flat_start_shares_frames_out_evenly() -> None:
    batch = {
        "phoneme_ids": torch.tensor([[1, 2, 3], [1, 2, 0]]),
        "phoneme_lengths": torch.tensor([3, 2]),
        "mel_lengths": torch.tensor([10, 5]),
    }
    assert equal_durations(batch).tolist() == [[3, 3, 4], [2, 3, 0]]


def test_the_scale_gives_each_feature_unit_spread(tmp_path: Path) -> None:
    store = a_store(tmp_path / "speech")
    batch = pad_batch([TranscribedSpeech(store, store.entries)[0]])
    aligner = Aligner(AlignerConfig(n_symbols=5))
    set_scale(aligner, [batch])
    spread = aligner.features(batch["mel"], batch["mel_lengths"])[0].square().mean(0)
    torch.testing.assert_close(spread, torch.ones(40), rtol=1e-3, atol=1e-3)


def test_a_first_path_is_taken_from_its_store_and_then_searched(tmp_path: Path) -> None:
    torch.manual_seed(0)
    store, first = a_store(tmp_path / "speech"), FeatureStore(tmp_path / "first")
    first.append("a", {}, {"durations": np.array([1, 1, 1, 19])})
    speech = TranscribedSpeech(store, store.entries, first)
    assert [entry.key for entry in speech.entries] == ["a"]
    batch = pad_batch([speech[0]])
    step = AlignmentStep(AlignerConfig(n_symbols=5), None, first_updates=1).train()
    told = step.aligner.even_path(batch["phoneme_ids"], batch["phoneme_lengths"], torch.tensor([[1, 1, 1, 19]]))
    assert torch.equal(step._path(batch), told)
    step(batch, "model")
    assert not torch.equal(step._path(batch), told)
