"""Each depth learns one voice, changes how it sounds and not how it speaks, and stops where it gets no better."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, WeightedRandomSampler

from voxclone import hub
from voxclone.config import AcousticConfig, AudioConfig, SpeakerEncoderConfig
from voxclone.finetuning.adaptation import DEPTHS, DecoderStep, Depth, VoiceStep
from voxclone.finetuning.frames import frames_batch
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.model import DECODER_PARTS
from voxclone.models.adapter import adapt
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.consistency import SpeakerConsistency, VoiceBank
from voxclone.training.report import Report
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer


@pytest.fixture(scope="module")
def base(tiny_folder: Path) -> AcousticModel:
    model = AcousticModel(hub.read_config(tiny_folder).acoustic)
    hub.load_weights(model, tiny_folder / "acoustic.safetensors")
    return model.eval()


@pytest.fixture(scope="module")
def batch(base: AcousticModel) -> dict[str, Tensor]:
    """Two utterances of random numbers in the form of `voiced_batch` and of `frames_batch`."""
    generator = torch.Generator().manual_seed(0)
    dim = base.config.hidden_dim
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
        "f0_median": torch.tensor([120.0, 120.0]),
        "frames": torch.randn(2, frames, dim, generator=generator),
        "condition": torch.randn(2, dim, generator=generator),
    }


DECODER_DEPTHS: tuple[Depth, ...] = ("norms", "lora", "full")
VOICE = {
    "speaker_embedding": torch.nn.functional.normalize(torch.ones(16), dim=0),
    "spectrum": torch.full((80,), -5.0),
    "f0_median": torch.tensor(120.0),
    "manner": torch.tensor([0.3, 0.0]),
}


def make(base: AcousticModel, depth: Depth, held_out: dict[str, Tensor], patience: int = 3) -> VoiceStep | DecoderStep:
    torch.manual_seed(0)
    weights = base.state_dict()
    if depth == "embedding":
        return VoiceStep(base.config, weights, VOICE, [held_out], patience)
    bank = VoiceBank(**{name: value[None] for name, value in VOICE.items()})
    sizes = SpeakerEncoderConfig(channels=8, pooled_channels=8, attention_channels=4, embedding_dim=16)
    consistency = SpeakerConsistency(SpeakerEncoder(sizes), AudioConfig(), bank)
    return DecoderStep(base.config, weights, depth, VOICE, [held_out], consistency, 1.0, patience)


def begin(step: VoiceStep | DecoderStep) -> None:
    with torch.inference_mode():
        step.best.begin(step.eval().held_out_losses()["total"])


def learn(step: VoiceStep | DecoderStep, batch: dict[str, Tensor], updates: int = 15) -> None:
    optimizers = {phase: torch.optim.Adam(list(step.parameters_of(phase)), 1e-2) for phase in step.phases}
    step.train()
    for _ in range(updates):
        for phase, optimizer in optimizers.items():
            optimizer.zero_grad()
            step(batch, phase)["total"].backward()
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
    begin(step)
    learn(step, batch)
    with torch.inference_mode():
        step.validate(report, 15)
    assert float(step.best.loss) < float(step.best.first_loss)
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


@pytest.mark.parametrize("depth", DECODER_DEPTHS)
def test_durations_and_prosody_stay_the_clones(base: AcousticModel, batch: dict[str, Tensor], depth: Depth) -> None:
    step = make(base, depth, batch)
    assert isinstance(step, DecoderStep)
    begin(step)
    learn(step, batch)
    with torch.inference_mode():
        step.best.offer(-1.0, 15)
    adapter = step.adapter("id", "tiny")
    assert adapter.parts <= DECODER_PARTS
    factors = [name for name in adapter.tensors if name.endswith(".up")]
    assert bool(factors) == (depth == "lora")
    inputs = (batch["phoneme_ids"], batch["phoneme_lengths"], *(VOICE[n].expand(2, -1) for n in ("speaker_embedding",)))
    inputs += (torch.tensor([120.0, 120.0]), VOICE["spectrum"].expand(2, -1))
    own, tuned = base.infer(*inputs), adapt(base, adapter).infer(*inputs)
    assert torch.equal(own.durations, tuned.durations) and torch.equal(own.prosody, tuned.prosody)
    assert (own.mel - tuned.mel).abs().max() > 0.05


def test_norms_of_the_bundled_size_are_a_file_below_100_kb() -> None:
    config = AcousticConfig(n_symbols=99, expansion=2)
    step = make(AcousticModel(config), "norms", {})
    numbers = sum(parameter.numel() for parameter in step.parameters_of("generator"))
    assert 2000 < numbers < 40_000
    assert 2 * numbers < 100_000


def test_the_best_weights_are_kept_and_patience_ends_the_run(
    base: AcousticModel, batch: dict[str, Tensor], report: Report
) -> None:
    step = make(base, "norms", batch, patience=2)
    begin(step)
    learn(step, batch, 5)
    with torch.inference_mode():
        step.validate(report, 5)
        best = step.best.weights()
        for parameter in step.parameters_of("generator"):
            parameter.add_(1.0)
        for updates in (6, 7):
            assert not step.is_done()
            step.validate(report, updates)
    assert step.is_done()
    assert all(torch.equal(value, best[name]) for name, value in step.best.weights().items())
    again = make(base, "norms", batch, patience=2)
    again.load_state_dict(step.state_dict())
    assert again.is_done() and float(again.best.loss) == float(step.best.loss)
    assert all(torch.equal(value, best[name]) for name, value in again.best.weights().items())


def test_a_loss_that_never_falls_leaves_the_model_as_it_was(base: AcousticModel, batch: dict[str, Tensor]) -> None:
    step = make(base, "lora", batch)
    begin(step)
    adapter = step.adapter("id", "tiny")
    assert adapter is not None
    adapted = adapt(base, adapter)
    assert all(torch.equal(value, base.state_dict()[name]) for name, value in adapted.state_dict().items())


@pytest.mark.parametrize("depth", DECODER_DEPTHS)
def test_a_run_that_was_cut_ends_in_the_same_weights(
    base: AcousticModel, batch: dict[str, Tensor], depth: Depth, tmp_path: Path
) -> None:
    alike = ("speaker_embedding", "spectrum", "f0_median")
    items = [
        {"frames": batch["frames"][at, :length], "mel": batch["mel"][at, :, :length].T, "f0": batch["f0"][at, :length]}
        | {name: VOICE[name] for name in alike}
        | {"condition": batch["condition"][at]}
        for at, length in enumerate(batch["mel_lengths"].tolist())
    ]

    def run(folder: Path, updates: int, of: int = 5) -> dict[str, Tensor]:
        step = make(base, depth, frames_batch(items[:1]))
        loader = DataLoader(items, 4, sampler=WeightedRandomSampler([1, 2], 8), collate_fn=frames_batch)
        config = TrainerConfig(max_steps=of, learning_rate=1e-2, validate_every=1, ema_decay=0.0)
        trainer = Trainer(step, loader, folder, config)
        patch = pytest.MonkeyPatch()
        patch.setattr(trainer, "_finished", lambda: trainer.step >= updates)
        trainer.fit()
        return step.best.weights()

    run(tmp_path / "cut", 3)
    assert list((tmp_path / "cut").glob("checkpoint-*3-*.pt"))
    whole, cut = run(tmp_path / "whole", 5), run(tmp_path / "cut", 5)
    assert all(torch.equal(cut[name], value) for name, value in whole.items())
    assert any(bool(value.any()) for name, value in whole.items() if name.endswith((".up", ".bias")))
