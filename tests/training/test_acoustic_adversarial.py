"""The adversarial stage of the acoustic model: what it judges, what it trains, and that it sharpens."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AcousticConfig
from voxclone.training.acoustic_adversarial import MARGIN, AdversarialAcousticStep, _spans
from voxclone.training.mel_discriminators import MelDiscriminators

CONFIG = AcousticConfig(
    n_symbols=12, speaker_embedding_dim=8, hidden_dim=16, attention_heads=2, encoder_layers=1, decoder_layers=1,
    predictor_layers=1, quality_dims=2,
)  # fmt: skip


def a_batch() -> dict[str, Tensor]:
    """Two utterances of 200 and 60 frames: one longer than a span, one shorter."""
    generator = torch.Generator().manual_seed(0)
    durations = torch.zeros(2, 20, dtype=torch.int64)
    durations[0], durations[1, :6] = 10, 10
    return {
        "phoneme_ids": torch.randint(1, 12, (2, 20), generator=generator) * (durations > 0),
        "phoneme_lengths": torch.tensor([20, 6]),
        "durations": durations,
        "mel": torch.randn(2, 80, 200, generator=generator) - 4,
        "mel_lengths": torch.tensor([200, 60]),
        "f0": torch.full((2, 200), 150.0),
        "f0_median": torch.tensor([150.0, 140.0]),
        "speaker_embedding": torch.nn.functional.normalize(torch.randn(2, 8, generator=generator)),
        "spectrum": torch.full((2, 80), -4.0),
        "quality": torch.zeros(2, 2),
    }


def test_each_phase_trains_its_own_part_only() -> None:
    torch.manual_seed(0)
    step = AdversarialAcousticStep(CONFIG, [], channels=2).train()
    assert not step.model.training and step.judges.training
    own = {phase: {id(p) for p in step.parameters_of(phase)} for phase in step.phases}
    assert not own["discriminator"] & own["generator"]
    for phase in step.phases:
        step.zero_grad()
        losses = step(a_batch(), phase)
        assert all(bool(torch.isfinite(value)) for value in losses.values())
        losses["total"].backward()
        touched = {id(p) for p in step.parameters() if p.grad is not None and bool(p.grad.any())}
        assert own[phase] <= touched
        if phase == "discriminator":
            assert touched == own[phase]


def test_a_span_beyond_the_end_is_not_judged_by_its_padding() -> None:
    torch.manual_seed(0)
    step = AdversarialAcousticStep(CONFIG, [], channels=2)
    made, natural, _ = step._make(a_batch())
    assert made.shape == natural.shape == (2, 80, 96)
    assert torch.equal(made[1, :, 60 - MARGIN :], natural[1, :, 60 - MARGIN :])
    assert not torch.equal(made[0], natural[0])


def test_spans_are_cut_where_they_start() -> None:
    frames = torch.arange(10.0)[None, :, None].repeat(2, 1, 1)
    cut = _spans(frames, torch.tensor([2, 8]), 4)
    assert cut[:, :, 0].tolist() == [[2, 3, 4, 5], [8, 9, 0, 0]]


def test_discriminators_learn_to_tell_smooth_from_rough_mels() -> None:
    torch.manual_seed(0)
    judges = MelDiscriminators(8, channels=4, windows=(16,))
    voice = torch.nn.functional.normalize(torch.randn(8, 8))
    rough = torch.randn(8, 80, 24)
    smooth = torch.nn.functional.avg_pool1d(rough, 9, 1, 4)
    optimizer = torch.optim.Adam(judges.parameters(), 3e-3)
    for _ in range(40):
        natural, made = judges(rough, voice)[0][0], judges(smooth, voice)[0][0]
        loss = (1 - natural).square().mean() + made.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.3


def test_the_score_depends_on_whose_voice_it_should_be() -> None:
    torch.manual_seed(0)
    judges = MelDiscriminators(8, channels=4, windows=(16, 24))
    mel = torch.randn(1, 80, 24)
    scores, maps = judges(mel, torch.nn.functional.normalize(torch.randn(1, 8)))
    assert len(scores) == len(maps) == 2 and scores[1].shape[0] == 1
    one = judges.discriminators[1](mel, torch.ones(1, 8) / 8**0.5)[-1]
    other = judges.discriminators[1](mel, -torch.ones(1, 8) / 8**0.5)[-1]
    assert not torch.allclose(one, other)
