"""The loss of fine-tuning: right where it is equal, and not lower for a blurred mel than for one with other detail."""

from __future__ import annotations

import torch
from torch import Tensor

from voxclone.finetuning.detail import course_and_detail_loss
from voxclone.layers.masks import length_mask

BANDS, FRAMES = 80, 200


def course(generator: torch.Generator) -> Tensor:
    """(1, BANDS, FRAMES) that changes slowly."""
    coarse = torch.randn(1, 1, 10, 20, generator=generator)
    size = (BANDS, FRAMES)
    return 2 * torch.nn.functional.interpolate(coarse, size, mode="bilinear")[:, 0] - 5


def test_equal_mels_have_none_and_a_wrong_course_has_some() -> None:
    generator = torch.Generator().manual_seed(0)
    mel = course(generator) + torch.randn(1, BANDS, FRAMES, generator=generator)
    mask = torch.ones(1, FRAMES, dtype=torch.bool)
    assert float(course_and_detail_loss(mel, mel, mask)) == 0
    assert float(course_and_detail_loss(mel + 2.5, mel, mask)) > 0.9


def test_detail_elsewhere_is_better_than_none() -> None:
    """By the mean absolute difference it is the other way round, which is why that blurs."""
    generator = torch.Generator().manual_seed(0)
    slow = course(generator)
    natural, other = (slow + 0.7 * torch.randn(slow.shape, generator=generator) for _ in range(2))
    mask = torch.ones(1, FRAMES, dtype=torch.bool)
    assert (slow - natural).abs().mean() < (other - natural).abs().mean()
    assert course_and_detail_loss(slow, natural, mask) > 1.5 * course_and_detail_loss(other, natural, mask)


def test_padding_does_not_count() -> None:
    generator = torch.Generator().manual_seed(0)
    made, natural = (course(generator) + torch.randn(1, BANDS, FRAMES, generator=generator) for _ in range(2))
    mask = length_mask(torch.tensor([120]), FRAMES)
    short = course_and_detail_loss(made[:, :, :120], natural[:, :, :120], mask[:, :120])
    found = course_and_detail_loss(made, natural, mask)
    made[:, :, 120:] = 3.0
    assert course_and_detail_loss(made, natural, mask) == found
    torch.testing.assert_close(found, short, atol=1e-5, rtol=1e-4)
