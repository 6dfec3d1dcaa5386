"""The acoustic model's two blocks: shape, masks, speaker, gradients, span."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from voxclone.layers.blocks import ConvolutionBlock, TransformerBlock
from voxclone.layers.masks import length_mask

DIM, CONDITION = 8, 6


@pytest.fixture(params=["transformer", "convolution"])
def block(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    if request.param == "transformer":
        return TransformerBlock(DIM, 2, 3, CONDITION, dropout=0.5).eval()
    return ConvolutionBlock(DIM, 5, 2, CONDITION).eval()


def inputs(lengths: list[int], size: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    mask = length_mask(torch.tensor(lengths), size)
    x = torch.randn(len(lengths), size, DIM, generator=generator) * mask[:, :, None]
    return x, mask, torch.randn(len(lengths), CONDITION, generator=generator)


def test_padding_is_zero_and_does_not_matter(block: nn.Module) -> None:
    x, mask, condition = inputs([7, 4])
    out = block(x, mask, condition)
    assert out.shape == x.shape
    assert not out[1, 4:].any()
    alone = block(x[1:, :4], mask[1:, :4], condition[1:])
    torch.testing.assert_close(out[1:, :4], alone, atol=1e-5, rtol=1e-5)


def test_the_speaker_matters(block: nn.Module) -> None:
    x, mask, condition = inputs([7])
    assert (block(x, mask, condition) - block(x, mask, -condition)).abs().max() > 1e-4


def test_every_parameter_learns(block: nn.Module) -> None:
    x, mask, condition = inputs([7, 4])
    block(x, mask, condition).square().sum().backward()
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_how_far_a_block_sees(block: nn.Module) -> None:
    x, mask, condition = inputs([15], 15)
    other = x.clone()
    other[0, 7] += torch.randn(DIM, generator=torch.Generator().manual_seed(2))  # a constant would be normed away
    moved = (block(x, mask, condition) - block(other, mask, condition)).abs().amax((0, 2)) > 1e-7
    if isinstance(block, ConvolutionBlock):
        assert moved.nonzero()[:, 0].tolist() == [5, 6, 7, 8, 9]  # two frames to each side: it can stream
    else:
        assert moved.all()


def test_order_matters() -> None:
    torch.manual_seed(0)
    block = TransformerBlock(DIM, 2, 3, CONDITION, dropout=0.0)
    x, mask, condition = inputs([7])
    there = block(x.flip(1), mask, condition).flip(1)
    assert (there - block(x, mask, condition)).abs().max() > 1e-3  # attention alone would not know


def test_dropout_is_for_training_alone(block: nn.Module) -> None:
    x, mask, condition = inputs([7])
    assert torch.equal(block(x, mask, condition), block(x, mask, condition))
    if isinstance(block, TransformerBlock):
        block.train()
        assert not torch.equal(block(x, mask, condition), block(x, mask, condition))
