"""What the acoustic model is told of a speaker's manner, and how pace is read."""

from __future__ import annotations

import math

import pytest
import torch

from voxclone.audio.rhythm import N_FEATURES
from voxclone.models.acoustic.manner import F0_SPREAD, MANNER_DIMS, PHONEME_SECONDS, RateReader, manner


def test_a_typical_speaker_is_zero_and_so_is_what_is_not_known() -> None:
    assert torch.equal(manner(PHONEME_SECONDS, F0_SPREAD), torch.zeros(MANNER_DIMS))
    assert torch.equal(manner(None, None), torch.zeros(MANNER_DIMS))


def test_slower_and_livelier_are_more_and_bounded() -> None:
    slow = manner(1.2 * PHONEME_SECONDS, 1.3 * F0_SPREAD)
    assert bool((slow > 0.5).all())
    assert manner(5.0, 1e-9).abs().max() == 3


def test_reader_finds_what_the_features_say() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(400, N_FEATURES, generator=generator) * 3 + 1
    truth = 0.08 * torch.exp(0.05 * (features[:, 3] - 1) - 0.03 * (features[:, 20] - 1))
    reader = RateReader()
    assert float(reader(features[0])) == pytest.approx(PHONEME_SECONDS)
    reader.fit(features[:300], truth[:300])
    heard = reader(features[300:])
    assert float((heard.log() - truth[300:].log()).abs().mean()) < 0.02
    assert 0.03 <= float(reader(torch.full((N_FEATURES,), 1e6))) <= 0.3
    assert math.isfinite(float(reader(torch.zeros(N_FEATURES))))
