"""Discriminators and adversarial losses: shapes, published sizes, values by hand, where gradients flow."""

from __future__ import annotations

from math import ceil

import pytest
import torch
from torch import Tensor, nn

from voxclone.training.discriminators import MultiPeriodDiscriminator, MultiResolutionDiscriminator
from voxclone.training.gan_losses import (
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
    mel_loss,
)

PARTS = {"period": MultiPeriodDiscriminator, "resolution": MultiResolutionDiscriminator}


def test_period_shapes() -> None:
    scores, features = MultiPeriodDiscriminator(channels=2)(torch.randn(3, 1000))
    assert [maps[0].shape for maps in features] == [
        (3, 2, ceil(ceil(1000 / period) / 3), period) for period in (2, 3, 5, 7, 11)
    ]
    assert [len(maps) for maps in features] == [6] * 5
    assert [maps[4].shape[1] for maps in features] == [64] * 5
    assert all(torch.equal(score, maps[-1].flatten(1)) for score, maps in zip(scores, features, strict=True))


def test_resolution_shapes() -> None:
    scores, features = MultiResolutionDiscriminator(channels=2)(torch.randn(3, 2400))
    assert [tuple(maps[0].shape) for maps in features] == [
        (3, 2, n_fft // 4 + 1, 2400 // (n_fft // 4) + 1) for n_fft in (2048, 1024, 512, 256)
    ]
    assert [tuple(maps[-1].shape) for maps in features] == [(3, 1, 65, 3), (3, 1, 33, 5), (3, 1, 17, 10), (3, 1, 9, 19)]
    assert all(torch.equal(score, maps[-1].flatten(1)) for score, maps in zip(scores, features, strict=True))


def test_published_and_slim_sizes() -> None:
    def size(module: nn.Module) -> int:
        return sum(p.numel() for name, p in module.named_parameters() if not name.endswith("original0"))

    with torch.device("meta"):
        assert size(MultiPeriodDiscriminator()) == 5 * 8_218_433
        assert size(MultiPeriodDiscriminator(channels=8)) < size(MultiPeriodDiscriminator()) / 15


def test_a_column_sees_only_its_phase() -> None:
    """With period p, sample p*k + j changes the features of column j alone."""
    discriminator = MultiPeriodDiscriminator(channels=2, periods=(5,))
    waveform = torch.randn(1, 100)
    changed = waveform.clone()
    changed[0, 5 * 7 + 3] += 1
    before, after = discriminator(waveform)[1][0], discriminator(changed)[1][0]
    for one, other in zip(before, after, strict=True):
        differs = (one != other).flatten(0, 2).any(0)
        assert differs.tolist() == [False, False, False, True, False]


def test_resolutions_hear_level_and_polarity() -> None:
    discriminator, waveform = MultiResolutionDiscriminator(channels=2), torch.randn(1, 4000)
    scores, flipped, louder = (discriminator(x)[0] for x in (waveform, -waveform, 2 * waveform))
    for one, other, loud in zip(scores, flipped, louder, strict=True):
        assert not torch.allclose(one, other) and not torch.allclose(one, loud)


@pytest.mark.parametrize("part", PARTS)
def test_gradients_reach_weights_and_waveform(part: str) -> None:
    discriminator = PARTS[part](channels=4)
    natural, generated = torch.randn(2, 4096), torch.randn(2, 4096, requires_grad=True)
    discriminator_loss(discriminator(natural)[0], discriminator(generated.detach())[0]).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in discriminator.parameters())
    assert generated.grad is None

    scores, features = discriminator(generated)
    (adversarial_loss(scores) + feature_matching_loss(discriminator(natural)[1], features)).backward()
    assert generated.grad is not None and torch.isfinite(generated.grad).all()
    assert (generated.grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("part", PARTS)
def test_silence_has_a_finite_gradient(part: str) -> None:
    waveform = torch.zeros(1, 4096, requires_grad=True)
    adversarial_loss(PARTS[part](channels=2)(waveform)[0]).backward()
    assert waveform.grad is not None and torch.isfinite(waveform.grad).all()


@pytest.mark.parametrize("part", PARTS)
def test_a_few_steps_separate_tone_from_noise(part: str) -> None:
    torch.manual_seed(0)
    discriminator = PARTS[part](channels=4)
    optimizer = torch.optim.AdamW(discriminator.parameters(), lr=1e-2)
    tone = torch.sin(torch.arange(2048) * 0.1).expand(2, -1)
    losses = []
    for _ in range(20):
        loss = discriminator_loss(discriminator(tone)[0], discriminator(0.5 * torch.randn(2, 2048))[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_losses_by_hand() -> None:
    natural, generated = (
        [torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0]])],
        [torch.zeros(1, 2), torch.full((1, 1), 3.0)],
    )
    assert discriminator_loss(natural, generated).item() == pytest.approx(0.5 + 9)
    assert adversarial_loss(generated).item() == pytest.approx(1 + 4)
    natural_maps = [[torch.zeros(1, 2), torch.zeros(1, 4)], [torch.ones(1, 1)]]
    generated_maps = [[torch.ones(1, 2), torch.full((1, 4), 2.0)], [torch.ones(1, 1)]]
    assert feature_matching_loss(natural_maps, generated_maps).item() == pytest.approx(3)
    assert mel_loss(torch.zeros(1, 2, 2), torch.tensor([[[1.0, 0.0], [0.0, -3.0]]])).item() == pytest.approx(1)


def test_feature_matching_moves_the_generated_side_alone() -> None:
    natural: Tensor = torch.zeros(1, 3, requires_grad=True)
    generated: Tensor = torch.ones(1, 3, requires_grad=True)
    feature_matching_loss([[natural]], [[generated]]).backward()
    assert natural.grad is None
    assert generated.grad is not None and generated.grad.sum().item() == pytest.approx(1)
