"""Where speakers pause is learned, and as many pauses are made as speakers make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AcousticConfig
from voxclone.models.acoustic import AcousticModel
from voxclone.text.symbols import SILENCES, SYMBOLS, symbol_ids
from voxclone.training.features import FeatureStore
from voxclone.training.pauses import PausedSpeech, PauseStep, set_bar
from voxclone.training.voiced_speech import VoicedSpeech

SPACE, COMMA = symbol_ids([" ", ","])
TELLTALE = len(SILENCES) + 3  # the sound after which speakers pause


@pytest.fixture
def speech(tmp_path: Path) -> VoicedSpeech:
    """Words of two sounds; after a word that ends in the telltale sound come 15 silent frames instead of one."""
    rng = np.random.default_rng(0)
    store, durations, embeddings = FeatureStore(tmp_path / "s"), FeatureStore(tmp_path / "d"), {}
    for key in map(str, range(24)):
        ids = rng.integers(len(SILENCES) + 4, len(SYMBOLS), 32)
        ids[1::6] = TELLTALE
        ids[2::3] = SPACE
        lasting = np.full(32, 4)
        lasting[2::3] = 1
        lasting[2::6] = 15
        mel = np.repeat(np.where((ids == SPACE)[:, None], -11.0, -2.0), lasting, axis=0) + np.zeros((1, 80))
        arrays = {"phoneme_ids": ids, "mel": mel, "f0": np.full(len(mel), 150.0)}
        store.append(key, {"speaker": "ada"}, arrays)
        durations.append(key, {"confidence": -1.0}, {"durations": lasting})
        embeddings[key] = np.eye(8, dtype=np.float32)[0]
    return VoicedSpeech(store, durations, store.entries, embeddings)


def test_pauses_are_heard_learned_and_made_as_often_as_asked(speech: VoicedSpeech) -> None:
    torch.manual_seed(0)
    sizes = {"n_symbols": len(SYMBOLS), "speaker_embedding_dim": 8, "hidden_dim": 16, "attention_heads": 2}
    model = AcousticModel(AcousticConfig(**sizes, encoder_layers=1, decoder_layers=1, predictor_dropout=0.1)).eval()
    data = PausedSpeech(model, speech, batches=60, batch_size=8)
    text = data.texts[0]
    assert text["pauses"].tolist() == [place % 6 == 2 for place in range(32)]
    assert text["spaces"].tolist() == [place % 3 == 2 for place in range(32)]  # read without its pauses

    step = PauseStep(model)
    optimizer = torch.optim.Adam(step.parameters(), 3e-3)
    losses = []
    for batch in data:
        loss = step(batch, "model")["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 < losses[0]
    shares = set_bar(step.pauses.eval(), data.in_order())
    assert shares["real"] == pytest.approx(0.5)
    assert shares["made"] == pytest.approx(0.5, abs=0.02)
    assert shares["right"] > 0.95
