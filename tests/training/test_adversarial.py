"""The vocoder's adversarial stage: who learns when, from what, and what narrow-band recordings may tell."""

from __future__ import annotations

import math

import pytest
import torch

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AudioConfig, VocoderConfig
from voxclone.training.adversarial import AdversarialStep, DiscriminatorStep, band_limit

CONFIG = VocoderConfig(
    upsample_rates=(4,), upsample_kernel_sizes=(8,), upsample_initial_channel=16, resblock="2", frame_blocks=1,
    resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),), head="source_istft", head_n_fft=128,
)  # fmt: skip
RATE, FRAMES, HOP = 22050, 16, 256


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "waveform": 0.1 * torch.randn(2, FRAMES * HOP, generator=generator),
        "f0": torch.full((2, FRAMES), 150.0),
        "bandwidth": torch.tensor([11025.0, 7520.0]),
    }


@pytest.mark.parametrize("period_channels", [0, 2])
def test_each_phase_trains_its_own_networks(period_channels: int) -> None:
    step = AdversarialStep(CONFIG, AudioConfig(), None, resolution_channels=2, period_channels=period_channels)
    for phase in step.phases:
        step.zero_grad()
        step(batch(), phase)["total"].backward()
        own = list(step.parameters_of(phase))
        assert own and all(p.grad is not None and torch.isfinite(p.grad).all() for p in own)
        if phase == "discriminator":
            assert all(p.grad is None for p in step.vocoder.parameters())
    parameters = [p for phase in step.phases for p in step.parameters_of(phase)]
    assert len(parameters) == len(set(parameters)) == len(list(step.parameters()))


def test_discriminators_judge_what_the_generator_spoke_last() -> None:
    step = AdversarialStep(CONFIG, AudioConfig(), None, resolution_channels=2)
    with pytest.raises(RuntimeError, match="generator's"):
        step(batch(), "discriminator")
    step(batch(), "generator")
    once = step(batch(), "discriminator")["total"]
    assert torch.equal(once, step(batch(), "discriminator")["total"])
    step({**batch(), "waveform": 2 * batch()["waveform"]}, "generator")
    assert not torch.equal(once, step(batch(), "discriminator")["total"])


def test_discriminators_that_are_trained_alone_leave_the_generator_as_it_is() -> None:
    torch.manual_seed(0)
    step = DiscriminatorStep(CONFIG, AudioConfig(), None, resolution_channels=2)
    assert step.phases == ("discriminator",)
    step(batch(), "discriminator")["total"].backward()
    assert all(p.grad is not None for p in step.parameters_of("discriminator"))
    assert all(p.grad is None for p in step.vocoder.parameters())
    torch.manual_seed(0)
    beside = AdversarialStep(CONFIG, AudioConfig(), None, resolution_channels=2)
    for each in (step, beside):
        each.eval()
        torch.manual_seed(1)
        each(batch(), each.phases[0])
    torch.testing.assert_close(step.spoken(), beside.spoken())  # they judge what they would judge beside it


def test_discriminators_learn_to_tell_natural_from_made() -> None:
    torch.manual_seed(0)
    step = AdversarialStep(CONFIG, AudioConfig(), None, resolution_channels=4)
    optimizer = torch.optim.AdamW(list(step.parameters_of("discriminator")), 5e-3)
    step(batch(), "generator")
    history = []
    for _ in range(40):
        loss = step(batch(), "discriminator")["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.8 * history[0], history


def test_band_limit_takes_what_lies_above_and_nothing_else() -> None:
    time = torch.arange(RATE, dtype=torch.float64) / RATE
    low, high = (torch.sin(2 * math.pi * hz * time).float() for hz in (3000, 9000))
    limited = band_limit(torch.stack([low + high, low + high]), torch.tensor([8000.0, 11025.0]), RATE)
    torch.testing.assert_close(limited[0], low, atol=1e-3, rtol=0)
    torch.testing.assert_close(limited[1], low + high, atol=1e-3, rtol=0)


def test_discriminators_may_learn_faster() -> None:
    step = AdversarialStep(CONFIG, AudioConfig(), None, resolution_channels=2, discriminator_rate=6.0)
    assert {phase: step.rate_of(phase) for phase in step.phases} == {"generator": 1.0, "discriminator": 6.0}
