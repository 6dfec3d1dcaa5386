import pytest
import torch

from voxclone.layers.norm import ConditionalLayerNorm


@pytest.fixture
def norm() -> ConditionalLayerNorm:
    torch.manual_seed(0)
    return ConditionalLayerNorm(8, 4)


def test_without_a_condition_it_is_plain_layer_norm(norm: ConditionalLayerNorm) -> None:
    x = torch.randn(2, 5, 8)
    out = norm(x, torch.zeros(2, 4))
    torch.testing.assert_close(out, torch.nn.functional.layer_norm(x, (8,)))
    torch.testing.assert_close(out.mean(2), torch.zeros(2, 5), atol=1e-6, rtol=0)
    torch.testing.assert_close(out.var(2, unbiased=False), torch.ones(2, 5), atol=1e-3, rtol=0)


def test_scale_and_shift_come_from_the_condition(norm: ConditionalLayerNorm) -> None:
    x, condition = torch.randn(2, 5, 8), torch.randn(2, 4)
    scale, shift = norm.affine(condition).split(8, dim=1)
    plain = torch.nn.functional.layer_norm(x, (8,))
    torch.testing.assert_close(norm(x, condition), plain * (1 + scale[:, None]) + shift[:, None])


def test_each_item_has_its_own_speaker(norm: ConditionalLayerNorm) -> None:
    x, condition = torch.randn(1, 5, 8).expand(2, -1, -1), torch.randn(2, 4)
    both = norm(x, condition)
    assert (both[0] - both[1]).abs().max() > 1e-3
    torch.testing.assert_close(both[1:], norm(x[1:], condition[1:]))
