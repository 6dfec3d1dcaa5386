"""The vocoder's adversarial stage: who learns when, from what, and what narrow-band recordings may tell."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AudioConfig, VocoderConfig
from voxclone.training.adversarial import AdversarialStep, DiscriminatorStep, band_limit

RATE = 22050


@pytest.mark.parametrize("period_channels", [0, 2])
def test_each_phase_trains_its_own_networks(
    period_channels: int, tiny_vocoder: VocoderConfig, two_segments: dict[str, Tensor]
) -> None:
    step = AdversarialStep(tiny_vocoder, AudioConfig(), None, resolution_channels=2, period_channels=period_channels)
    for phase in step.phases:
        step.zero_grad()
        step(two_segments, phase)["total"].backward()
        own = list(step.parameters_of(phase))
        assert own and all(p.grad is not None and torch.isfinite(p.grad).all() for p in own)
        if phase == "discriminator":
            assert all(p.grad is None for p in step.vocoder.parameters())
    parameters = [p for phase in step.phases for p in step.parameters_of(phase)]
    assert len(parameters) == len(set(parameters)) == len(list(step.parameters()))


def test_discriminators_judge_what_the_generator_spoke_last(
    tiny_vocoder: VocoderConfig, two_segments: dict[str, Tensor]
) -> None:
    step = AdversarialStep(tiny_vocoder, AudioConfig(), None, resolution_channels=2)
    with pytest.raises(RuntimeError, match="generator's"):
        step(two_segments, "discriminator")
    step(two_segments, "generator")
    once = step(two_segments, "discriminator")["total"]
    assert torch.equal(once, step(two_segments, "discriminator")["total"])
    step({**two_segments, "waveform": 2 * two_segments["waveform"]}, "generator")
    assert not torch.equal(once, step(two_segments, "discriminator")["total"])


def test_discriminators_that_are_trained_alone_leave_the_generator_as_it_is(
    tiny_vocoder: VocoderConfig, two_segments: dict[str, Tensor]
) -> None:
    torch.manual_seed(0)
    step = DiscriminatorStep(tiny_vocoder, AudioConfig(), None, resolution_channels=2)
    assert step.phases == ("discriminator",)
    step(two_segments, "discriminator")["total"].backward()
    assert all(p.grad is not None for p in step.parameters_of("discriminator"))
    assert all(p.grad is None for p in step.vocoder.parameters())
    torch.manual_seed(0)
    beside = AdversarialStep(tiny_vocoder, AudioConfig(), None, resolution_channels=2)
    for each in (step, beside):
        each.eval()
        torch.manual_seed(1)
        each(two_segments, each.phases[0])
    torch.testing.assert_close(step.spoken(), beside.spoken())  # they judge what they would judge beside it


def test_discriminators_learn_to_tell_natural_from_made(
    tiny_vocoder: VocoderConfig, two_segments: dict[str, Tensor]
) -> None:
    torch.manual_seed(0)
    step = AdversarialStep(tiny_vocoder, AudioConfig(), None, resolution_channels=4)
    optimizer = torch.optim.AdamW(list(step.parameters_of("discriminator")), 5e-3)
    step(two_segments, "generator")
    history = []
    for _ in range(40):
        loss = step(two_segments, "discriminator")["total"]
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


def test_discriminators_may_learn_faster(tiny_vocoder: VocoderConfig) -> None:
    step = AdversarialStep(tiny_vocoder, AudioConfig(), None, resolution_channels=2, discriminator_rate=6.0)
    assert {phase: step.rate_of(phase) for phase in step.phases} == {"generator": 1.0, "discriminator": 6.0}
