"""Convolutions that keep the length, with what follows them, folded and not, by oneDNN's ops and by plain ones."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from voxclone.kernels import same_length
from voxclone.kernels.channels_last import from_rows, to_rows
from voxclone.kernels.same_length import convolve_same, fold_of

SLOPE = 0.1


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=["at once", "in turn"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in turn":
        monkeypatch.setattr(same_length, "_follows_at_once", lambda _: False)
    elif not same_length._follows_at_once(torch.float32):
        pytest.skip("PyTorch has no such ops here")


def drawn(channels: int, taps: int) -> tuple[Tensor, Tensor]:
    return torch.randn(channels, channels, taps) / (channels * taps) ** 0.5, torch.randn(channels)


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize("follows", ["nothing", "leaky ReLU", "residual"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("channels", "length", "taps", "dilation"),
    [(8, 2, 11, 5), (8, 24, 3, 1), (8, 258, 7, 3), (2, 64, 3, 12), (5, 66, 5, 2), (1, 32, 3, 1), (20, 33, 7, 5)],
)
def test_folded_rows_are_convolved_as_plain_ones(
    channels: int, length: int, taps: int, dilation: int, dtype: torch.dtype, follows: str
) -> None:
    (weight, bias), fold = drawn(channels, taps), fold_of(channels, length, torch.float32)
    assert (fold > 1) == (channels < 16)
    x, residual = (torch.randn(2, channels, length).to(dtype) for _ in range(2))
    rows, before = to_rows(residual, fold), residual.clone()
    given = {"nothing": {}, "leaky ReLU": {"slope": SLOPE}, "residual": {"residual": rows}}[follows]
    made = from_rows(convolve_same(to_rows(x, fold), weight, bias, dilation, fold, **given), fold)
    weight, bias = weight.to(dtype).double(), bias.to(dtype).double()
    expected = F.conv1d(x.double(), weight, bias, padding=dilation * (taps // 2), dilation=dilation)
    expected = F.leaky_relu(expected, SLOPE) if follows == "leaky ReLU" else expected
    expected = expected + residual.double() if follows == "residual" else expected
    assert made.dtype == dtype
    assert (made.double() - expected).abs().max() <= 4 * torch.finfo(dtype).eps * expected.abs().max()
    assert torch.equal(residual, before)


@pytest.mark.usefixtures("_both_ways")
def test_weights_are_packed_for_any_length_and_again_when_written_to() -> None:
    weight, bias = drawn(24, 3)
    for length in (7, 300, 7, 64):
        x = torch.randn(1, 24, length)
        with torch.no_grad():
            weight.mul_(-1)
        made = from_rows(convolve_same(to_rows(x), weight, bias, 1))
        torch.testing.assert_close(made, F.conv1d(x, weight, bias, padding=1))


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize(("made", "groups", "bias"), [(24, 24, True), (48, 6, False), (1, 1, True)])
def test_groups_and_other_channels(made: int, groups: int, bias: bool) -> None:
    x, weight = torch.randn(2, 24, 31), torch.randn(made, 24 // groups, 5)
    given = weight, torch.randn(made) if bias else None
    expected = F.conv1d(x, *given, padding=6, dilation=3, groups=groups)
    torch.testing.assert_close(from_rows(convolve_same(to_rows(x), *given, 3, groups=groups)), expected)


@pytest.mark.parametrize(
    ("channels", "length", "fold", "with_tiles"),
    [(8, 4096, 2, 4), (8, 4097, 1, 1), (8, 2, 2, 1), (3, 10, 5, 10), (16, 8, 1, 2), (240, 8, 1, 1)],
)
def test_as_many_steps_as_fill_a_row_where_they_divide_the_length(
    channels: int, length: int, fold: int, with_tiles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tiles in (False, True):
        monkeypatch.setattr(same_length, "_has_tiles", lambda tiles=tiles: tiles)
        assert fold_of(channels, length, torch.float32) == fold
        assert fold_of(channels, length, torch.bfloat16) == (with_tiles if tiles else fold)


def test_folding_rearranges_nothing_in_memory() -> None:
    x = torch.randn(2, 10, 3).transpose(1, 2)
    rows = to_rows(x, 5)
    assert rows.shape == (2, 15, 1, 2) and rows.data_ptr() == x.data_ptr()
    assert torch.equal(rows[0, 3:6, 0, 1], x[0, :, 6])
    assert torch.equal(from_rows(rows, 5), x)
