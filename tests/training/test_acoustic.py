"""The acoustic step: its data, that padding does not count, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AcousticConfig
from voxclone.training.acoustic import UNVOICED_F0_MEDIAN, AcousticStep, VoicedSpeech, voiced_batch
from voxclone.training.features import FeatureStore

CONFIG = AcousticConfig(
    n_symbols=12, speaker_embedding_dim=8, hidden_dim=16, attention_heads=2, encoder_layers=1, decoder_layers=1,
    predictor_layers=1, dropout=0.0,
)  # fmt: skip


@pytest.fixture
def speech(tmp_path: Path) -> VoicedSpeech:
    """Two recordings of ada, one voiceless of bob, one that was not aligned."""
    rng = np.random.default_rng(0)
    store, durations = FeatureStore(tmp_path / "speech"), FeatureStore(tmp_path / "durations")
    embeddings = {}
    for key, speaker, phonemes, f0 in (("a", "ada", 5, 200.0), ("b", "ada", 8, 220.0), ("c", "bob", 6, 0.0)):
        own = rng.integers(2, 6, phonemes)
        arrays = {
            "mel": rng.normal(-2, 0.5, (own.sum(), 80)), "f0": np.full(own.sum(), f0),
            "phoneme_ids": rng.integers(1, 12, phonemes),
        }  # fmt: skip
        store.append(key, {"speaker": speaker}, arrays)
        durations.append(key, {"confidence": -1.0}, {"durations": own})
        embedding = rng.normal(size=8).astype(np.float32)
        embeddings[key] = embedding / np.linalg.norm(embedding)
    store.append("d", {"speaker": "ada"}, arrays)
    return VoicedSpeech(store, durations, store.entries, embeddings)


def test_items_carry_their_speaker(speech: VoicedSpeech) -> None:
    assert [entry.key for entry in speech.entries] == ["a", "b", "c"]
    assert speech.medians["bob"] == UNVOICED_F0_MEDIAN
    assert 200 <= speech[0]["f0_median"] <= 220
    torch.manual_seed(0)
    drawn = {tuple(speech[0]["speaker_embedding"].round(decimals=3).tolist()) for _ in range(200)}
    assert len(drawn) == 3  # of a, of b, of both
    assert np.linalg.norm(speech[1]["speaker_embedding"]) == pytest.approx(1, abs=1e-5)
    assert int(speech[1]["durations"].sum()) == len(speech[1]["mel"])


def test_losses_are_finite_and_each_part_learns(speech: VoicedSpeech) -> None:
    torch.manual_seed(0)
    batch = voiced_batch([speech[index] for index in range(3)])
    step = AcousticStep(CONFIG, [])
    optimizer = torch.optim.Adam(step.parameters(), 5e-3)
    history = []
    for _ in range(40):
        losses = step(batch, "model")
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        history.append({name: float(value) for name, value in losses.items()})
    assert all(np.isfinite(list(losses.values())).all() for losses in history)
    for name in ("total", "mel", "duration"):
        assert history[-1][name] < 0.9 * history[0][name], name
    assert all(parameter.grad is not None for parameter in step.parameters())


def test_padding_does_not_count(speech: VoicedSpeech) -> None:
    torch.manual_seed(0)
    step = AcousticStep(CONFIG, []).eval()
    alone = voiced_batch([speech[0]])
    padded = {name: value.clone() for name, value in alone.items()}
    for name, width in (("phoneme_ids", 3), ("durations", 3)):
        padded[name] = torch.nn.functional.pad(alone[name], (0, width))
    torch.testing.assert_close(step(padded, "model"), step(alone, "model"))


def test_a_voiceless_batch_has_losses(speech: VoicedSpeech) -> None:
    losses = AcousticStep(CONFIG, [])(voiced_batch([speech[2]]), "model")
    assert float(losses["f0"]) == 0.0 and float(losses["pitch"]) == 0.0
    assert bool(torch.isfinite(losses["total"]))
