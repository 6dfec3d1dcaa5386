"""The acoustic step: its data, that padding does not count, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AcousticConfig
from voxclone.models.acoustic.manner import manner
from voxclone.models.acoustic.pauses import with_heard_pauses
from voxclone.text.symbols import symbol_ids
from voxclone.training.acoustic import AcousticStep
from voxclone.training.features import FeatureStore
from voxclone.training.voiced_speech import (
    QUALITY_DIMS,
    UNVOICED_F0_MEDIAN,
    VoicedSpeech,
    recording_quality,
    voiced_batch,
)

CONFIG = AcousticConfig(
    n_symbols=20, speaker_embedding_dim=8, hidden_dim=16, attention_heads=2, encoder_layers=1, decoder_layers=1,
    predictor_layers=1, dropout=0.0, predictor_dropout=0.0, quality_dims=QUALITY_DIMS, calibrated=True, manner=True,
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
            "phoneme_ids": rng.integers(1, 20, phonemes),
        }  # fmt: skip
        store.append(key, {"speaker": speaker}, arrays)
        durations.append(key, {"confidence": -1.0}, {"durations": own})
        embedding = rng.normal(size=8).astype(np.float32)
        embeddings[key] = embedding / np.linalg.norm(embedding)
    store.append("d", {"speaker": "ada"}, arrays)
    manners = {"a": (0.07, 0.2), "b": (0.07, 0.2), "c": (0.12, None)}
    return VoicedSpeech(store, durations, store.entries, embeddings, manners)


def test_items_carry_their_speaker(speech: VoicedSpeech) -> None:
    assert [entry.key for entry in speech.entries] == ["a", "b", "c"]
    assert speech.medians["bob"] == UNVOICED_F0_MEDIAN
    assert 200 <= speech[0]["f0_median"] <= 220
    torch.manual_seed(0)
    drawn = {tuple(speech[0]["speaker_embedding"].round(decimals=3).tolist()) for _ in range(200)}
    assert len(drawn) == 3  # of a, of b, of both
    assert np.linalg.norm(speech[1]["speaker_embedding"]) == pytest.approx(1, abs=1e-5)
    assert int(speech[1]["durations"].sum()) == len(speech[1]["mel"])
    assert torch.equal(speech[0]["manner"], manner(0.07, 0.2))
    assert torch.equal(speech[2]["manner"], manner(0.12, None))


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
    assert all(parameter.grad is not None for parameter in step.parameters() if parameter.requires_grad)


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


class Scalars:
    """Keeps what a step reports."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def scalar(self, name: str, value: float) -> None:
        self.values[name] = value

    def figure(self, name: str, figure: object) -> None:
        self.values[name] = 0.0


def test_validation_measures_the_spread_and_the_next_update_stores_it(speech: VoicedSpeech) -> None:
    torch.manual_seed(0)
    batch = voiced_batch([speech[index] for index in range(3)])
    step, report = AcousticStep(CONFIG, [batch]), Scalars()
    spread = step.model.spread
    assert spread is not None
    spread.average.copy_(speech.average_prosody(20))
    step.eval()
    with torch.inference_mode():
        step.validate(report, 1)  # type: ignore[arg-type]
    assert torch.equal(spread.stretch, torch.ones(4)) and report.values["valid_global_variance"] > 0
    step.train()(batch, "model")
    names = ("pitch", "voiced_share", "energy", "duration")
    found = [report.values[f"valid_stretch_{name}"] for name in names]
    assert all(1.0 <= value <= 2.0 for value in found)
    assert spread.stretch.tolist() == pytest.approx([found[0], 1.0, found[2], found[3]])
    assert (spread.residual[[0, 2, 3]] > 0).all() and spread.residual[1] == 0


def test_the_average_is_that_of_each_symbol(speech: VoicedSpeech) -> None:
    average = speech.average_prosody(20)
    logs = {symbol: [] for symbol in range(20)}
    for index in range(3):
        for symbol, frames in zip(speech[index]["phoneme_ids"].tolist(), speech[index]["durations"], strict=True):
            logs[symbol].append(float(torch.log(frames.float())))
    for symbol, values in logs.items():
        assert average[symbol, 3] == pytest.approx(np.mean(values) if values else 0.0, abs=1e-5)


def test_a_quiet_space_that_lasts_is_heard_as_a_comma() -> None:
    space, comma = symbol_ids((" ", ","))
    ids = np.array([11, space, 12, space, 13, space, 14])
    durations = np.array([10, 12, 10, 4, 10, 12, 10])
    mel = np.full((68, 80), 0.0, np.float16)
    for start, end in ((10, 22), (32, 36)):  # the first space is silent and long, the second short; the third is loud
        mel[start:end] = -9.0
    heard = with_heard_pauses(ids, durations, mel)
    assert heard.tolist() == [11, comma, 12, space, 13, space, 14]
    assert ids[1] == space  # a copy


def test_a_recording_with_noise_has_a_lower_quality() -> None:
    rng = np.random.default_rng(0)
    mel = rng.normal(-2, 1, (200, 80))
    mel[:40] = -10.0
    noisy = np.logaddexp(mel, -5.0)
    assert (recording_quality(noisy) < recording_quality(mel) - 1).all()


def test_quality_conditions_the_model_and_none_is_clean(speech: VoicedSpeech) -> None:
    torch.manual_seed(0)
    model = AcousticStep(CONFIG, []).model
    model.clean_quality.copy_(torch.tensor([1.0, 0.5]))
    voice = (torch.nn.functional.normalize(torch.randn(2, 8)), torch.tensor([120.0, 200.0]), torch.randn(2, 80) - 5)
    clean = model.condition(*voice, torch.tensor([[1.0, 0.5], [1.0, 0.5]]))
    torch.testing.assert_close(model.condition(*voice), clean)
    assert not torch.allclose(model.condition(*voice, torch.zeros(2, 2)), clean)


def test_frozen_parts_are_not_updated() -> None:
    step = AcousticStep(CONFIG, [], frozen=("decoder", "head"))
    updated = {id(parameter) for parameter in step.parameters_of("model")}
    for name, parameter in step.model.named_parameters():
        assert (id(parameter) in updated) == (not name.startswith(("decoder.", "head."))), name
