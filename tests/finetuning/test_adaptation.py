"""Each depth learns one voice, changes what it says, and stops where the held-out sentences get no better."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from voxclone import hub
from voxclone.config import AcousticConfig
from voxclone.finetuning.adaptation import DEPTHS, AdaptationStep, Depth
from voxclone.models.acoustic import AcousticModel
from voxclone.models.adapter import adapt
from voxclone.training.report import Report


@pytest.fixture(scope="module")
def base(tiny_folder: Path) -> AcousticModel:
    model = AcousticModel(hub.read_config(tiny_folder).acoustic)
    hub.load_weights(model, tiny_folder / "acoustic.safetensors")
    return model.eval()


@pytest.fixture(scope="module")
def batch() -> dict[str, Tensor]:
    """Two utterances of random numbers in the form of `voiced_batch`."""
    generator = torch.Generator().manual_seed(0)
    durations = torch.randint(3, 8, (2, 12), generator=generator)
    durations[1, 9:] = 0
    lengths = durations.sum(1)
    frames = int(lengths.max())
    return {
        "phoneme_ids": torch.randint(1, 90, (2, 12), generator=generator) * (durations > 0),
        "phoneme_lengths": torch.tensor([12, 9]),
        "durations": durations,
        "mel": torch.randn(2, 80, frames, generator=generator) - 4,
        "mel_lengths": lengths,
        "f0": 100 + 50 * torch.rand(2, frames, generator=generator),
        "speaker_embedding": torch.zeros(2, 16),
        "spectrum": torch.zeros(2, 80),
        "f0_median": torch.tensor([1.0, 1.0]),
    }


def make(base: AcousticModel, depth: Depth, held_out: dict[str, Tensor], patience: int = 3) -> AdaptationStep:
    voice = {
        "speaker_embedding": torch.nn.functional.normalize(torch.ones(16), dim=0),
        "spectrum": torch.full((80,), -5.0),
        "f0_median": torch.tensor(120.0),
        "f0_spread": torch.tensor(0.2),
        "phoneme_seconds": torch.tensor(float("nan")),
    }
    torch.manual_seed(0)
    return AdaptationStep(base.config, base.state_dict(), voice, depth, [held_out], patience)


def learn(step: AdaptationStep, batch: dict[str, Tensor], updates: int = 15) -> None:
    optimizer = torch.optim.Adam(list(step.parameters_of("model")), 1e-2)
    step.train()
    for _ in range(updates):
        optimizer.zero_grad()
        step(batch, "model")["total"].backward()
        optimizer.step()
    step.eval()


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return Report(tmp_path, 0)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_depth_learns_its_own_numbers_and_no_others(
    base: AcousticModel, batch: dict[str, Tensor], depth: Depth, report: Report
) -> None:
    before = {name: value.clone() for name, value in base.state_dict().items()}
    step = make(base, depth, batch)
    step.begin()
    learn(step, batch)
    with torch.inference_mode():
        step.validate(report, 15)
    assert float(step.best_loss) < float(step.first_loss)
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())
    adapter, voice = step.adapter("id", "tiny"), step.learned_voice()
    assert float(voice["speaker_embedding"].norm()) == pytest.approx(1.0, abs=1e-5)
    moved = not torch.allclose(voice["spectrum"], torch.full((80,), -5.0))
    assert moved == (depth == "embedding") == (adapter is None)
    if adapter is not None:
        assert adapter.depth == depth
        adapted = adapt(base, adapter)
        condition = (voice["speaker_embedding"][None], torch.tensor([120.0]), voice["spectrum"][None])
        inputs = (batch["phoneme_ids"][:1], batch["phoneme_lengths"][:1], *condition)
        torch.testing.assert_close(adapted.infer(*inputs).mel, step.model.infer(*inputs).mel, atol=0.02, rtol=0)


@pytest.mark.parametrize("depth", ["norms", "lora"])
def test_the_prosodys_stretch_is_measured_anew_and_never_more_than_it_was(
    batch: dict[str, Tensor], depth: Depth
) -> None:
    torch.manual_seed(0)
    config = AcousticConfig(
        n_symbols=99, speaker_embedding_dim=16, hidden_dim=16, encoder_layers=1, decoder_layers=1, predictor_layers=1,
        calibrated=True,
    )  # fmt: skip
    base = AcousticModel(config).eval()
    assert base.spread is not None
    base.spread.stretch.copy_(torch.tensor([2.0, 1.0, 2.0, 2.0]))
    base.spread.residual.copy_(torch.tensor([9.0, 0.0, 9.0, 0.001]))
    step = make(base, depth, batch)
    step.begin()
    learn(step, batch)
    adapter = step.adapter("id", "tiny")
    assert adapter is not None
    tuned = adapt(base, adapter)
    assert tuned.spread is not None and not isinstance(tuned.spread.stretch, torch.nn.Parameter)
    assert (tuned.spread.stretch <= base.spread.stretch).all() and (tuned.spread.stretch >= 1).all()
    assert tuned.spread.residual[0] < 9 and tuned.spread.residual[3] == base.spread.residual[3]
    assert base.spread.residual[0] == 9
    factors = [name for name in adapter.tensors if name.endswith(".up")]
    assert bool(factors) == (depth == "lora") and not [name for name in factors if "predictor" in name]


def test_norms_of_the_bundled_size_are_a_file_below_100_kb() -> None:
    config = AcousticConfig(n_symbols=99, expansion=2)
    model = AcousticModel(config)
    step = make(model, "norms", {})
    numbers = sum(parameter.numel() for parameter in step.parameters_of("model"))
    assert 2000 < numbers < 40_000
    assert 2 * numbers < 100_000


def test_the_best_weights_are_kept_and_patience_ends_the_run(
    base: AcousticModel, batch: dict[str, Tensor], report: Report
) -> None:
    step = make(base, "norms", batch, patience=2)
    step.begin()
    learn(step, batch, 5)
    with torch.inference_mode():
        step.validate(report, 5)
        best = step.best()
        for parameter in step.parameters_of("model"):
            parameter.add_(1.0)
        for updates in (6, 7):
            assert not step.is_done()
            step.validate(report, updates)
    assert step.is_done()
    assert all(torch.equal(value, best[name]) for name, value in step.best().items())
    again = make(base, "norms", batch, patience=2)
    again.load_state_dict(step.state_dict())
    assert again.is_done() and float(again.best_loss) == float(step.best_loss)
    assert all(torch.equal(value, best[name]) for name, value in again.best().items())


def test_a_loss_that_never_falls_leaves_the_model_as_it_was(base: AcousticModel, batch: dict[str, Tensor]) -> None:
    step = make(base, "lora", batch)
    step.begin()
    adapter = step.adapter("id", "tiny")
    assert adapter is not None
    adapted = adapt(base, adapter)
    assert all(torch.equal(value, base.state_dict()[name]) for name, value in adapted.state_dict().items())
