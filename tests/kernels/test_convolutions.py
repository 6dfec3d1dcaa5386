"""The three convolution ops: their fused form on the CPU against float64, gradients, registration, packing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from voxclone.kernels.conv1d import _fused as fused_conv1d
from voxclone.kernels.conv1d import conv1d, conv1d_reference
from voxclone.kernels.conv_transpose1d import _fused as fused_conv_transpose1d
from voxclone.kernels.conv_transpose1d import conv_transpose1d, conv_transpose1d_reference
from voxclone.kernels.multi_receptive_field import ResidualBlock, multi_receptive_field, multi_receptive_field_reference
from voxclone.kernels.multi_receptive_field import _fused as fused_multi_receptive_field

LENGTHS = [1, 2, 10, 63, 64, 65, 4097]
SLOPE = 0.1


def weight(*shape: int) -> Tensor:
    return torch.randn(*shape) / (shape[1] * shape[2]) ** 0.5


def conv1d_arguments(length: int, channels: int = 12) -> tuple[Any, ...]:
    return torch.randn(2, channels, length), weight(20, channels, 11), torch.randn(20), 15, 3, SLOPE, True


def grouped_arguments(length: int) -> tuple[Any, ...]:
    return torch.randn(2, 48, length), weight(32, 12, 5), torch.randn(32), 4, 2, SLOPE, False, None, 4


def conv_transpose1d_arguments(length: int, channels: int = 12) -> tuple[Any, ...]:
    return torch.randn(2, channels, length), weight(channels, 6, 8), torch.randn(6), 4, 2, SLOPE


def block_arguments(
    length: int, taps: list[int], dilations: list[int], sizes: list[int], per_residual: int
) -> tuple[Any, ...]:
    weights = [weight(8, 8, each) for each in taps]
    return torch.randn(2, 8, length), weights, [torch.randn(8) for _ in taps], dilations, sizes, per_residual, SLOPE


def pair_arguments(length: int) -> tuple[Any, ...]:
    return block_arguments(length, [3, 3, 11, 11, 11, 11], [1, 1, 3, 1, 5, 1], [2, 4], 2)


def single_arguments(length: int) -> tuple[Any, ...]:
    return block_arguments(length, [3, 3, 7, 7], [1, 2, 3, 12], [2, 2], 1)


OPS: dict[str, tuple[Any, Callable[..., Tensor], Callable[..., tuple[Any, ...]]]] = {
    "conv1d": (fused_conv1d, conv1d_reference, conv1d_arguments),
    "conv1d of groups": (fused_conv1d, conv1d_reference, grouped_arguments),
    "conv_transpose1d": (fused_conv_transpose1d, conv_transpose1d_reference, conv_transpose1d_arguments),
    "pairs": (fused_multi_receptive_field, multi_receptive_field_reference, pair_arguments),
    "singles": (fused_multi_receptive_field, multi_receptive_field_reference, single_arguments),
}


def converted(argument: Any, dtype: torch.dtype) -> Any:
    if isinstance(argument, Tensor):
        return argument.to(dtype)
    if isinstance(argument, (list, tuple)):
        return [converted(each, dtype) for each in argument]
    return argument


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", OPS)
def test_rounds_no_worse_than_twice_the_reference(name: str, length: int, dtype: torch.dtype) -> None:
    fused, reference, arguments = OPS[name]
    given = converted(arguments(length), dtype)
    exact = reference(*converted(given, torch.float64))
    plain = (reference(*given).double() - exact).abs().max()
    found = fused(*given)
    assert found.shape == exact.shape
    assert found.dtype == dtype
    assert (found.double() - exact).abs().max() <= 2 * plain + torch.finfo(dtype).eps


@pytest.mark.parametrize("name", OPS)
def test_reads_any_strides_and_leaves_its_inputs_alone(name: str) -> None:
    fused, _, arguments = OPS[name]
    x, *others = arguments(33)
    spread = torch.randn(4, x.shape[1] + 3, 2 * 33)[::2, 3:, ::2].copy_(x)
    rows = x.transpose(1, 2).contiguous().transpose(1, 2)
    expected, before = fused(x, *others), [tensor.clone() for tensor in (spread, rows)]
    torch.testing.assert_close(fused(spread, *others), expected)
    torch.testing.assert_close(fused(rows, *others), expected)
    assert all(torch.equal(now, then) for now, then in zip((spread, rows), before, strict=True))


@pytest.mark.parametrize("name", OPS)
def test_gradients_are_the_references(name: str) -> None:
    fused, reference, arguments = OPS[name]
    given = arguments(9)
    wanted = [t for each in given for t in (each if isinstance(each, list) else [each]) if isinstance(t, Tensor)]
    for tensor in wanted:
        tensor.requires_grad_()
    found = torch.autograd.grad(fused(*given).square().sum(), wanted)
    expected = torch.autograd.grad(reference(*given).square().sum(), wanted)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_gradient_for_the_input_alone() -> None:
    x, *others = conv1d_arguments(9)
    found = torch.autograd.grad(fused_conv1d(x.requires_grad_(), *others).sum(), x)[0]
    torch.testing.assert_close(found, torch.autograd.grad(conv1d_reference(x, *others).sum(), x)[0])


@pytest.mark.parametrize("name", OPS)
def test_registration_passes_opcheck(name: str) -> None:
    fused, _, arguments = OPS[name]
    given = arguments(9)
    torch.library.opcheck(fused, given)
    torch.library.opcheck(fused, (given[0].requires_grad_(), *given[1:]))


@pytest.mark.parametrize("mode", ["auto", "fused", "reference"])
def test_what_is_read_in_one_dtype_is_made_in_another(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXCLONE_KERNELS", mode)
    x, kernel, *_ = conv1d_arguments(9)
    with torch.no_grad():
        made = conv1d(x.bfloat16(), kernel, padding=5, slope=SLOPE, dtype=torch.float32)
        expected = conv1d(x.bfloat16().float(), kernel, padding=5, slope=SLOPE)
        assert made.dtype == torch.float32 and torch.equal(made, expected)
        with torch.autocast("cpu", torch.bfloat16):
            assert conv1d(x, kernel, padding=5, dtype=torch.float32).dtype == torch.bfloat16
    given = x.bfloat16().requires_grad_(), kernel, None, 5, 1, SLOPE, False, torch.float32
    torch.library.opcheck(fused_conv1d, given)


def test_the_doors_take_what_the_ops_take(monkeypatch: pytest.MonkeyPatch) -> None:
    x, kernel, bias, padding, dilation, slope, tanh = conv1d_arguments(19)
    up, up_kernel, up_bias, stride, up_padding, _ = conv_transpose1d_arguments(9)
    y, weights, biases, dilations, (first, _), per_residual, _ = pair_arguments(9)
    blocks = [
        ResidualBlock(weights[part], biases[part], dilations[part]) for part in (slice(first), slice(first, None))
    ]
    results = {}
    for mode in ("fused", "reference"):
        monkeypatch.setenv("VOXCLONE_KERNELS", mode)
        results[mode] = [
            conv1d(x, kernel, bias, padding=padding, dilation=dilation, slope=slope, tanh=tanh),
            conv1d(x, kernel),
            conv_transpose1d(up, up_kernel, up_bias, stride=stride, padding=up_padding, slope=slope),
            conv_transpose1d(up, up_kernel, stride=stride),
            multi_receptive_field(y, blocks, per_residual=per_residual, slope=slope),
        ]
    for one, other in zip(*results.values(), strict=True):
        assert one.stride(1) == 1 != other.stride(1)  # channels innermost: the forms did differ
        torch.testing.assert_close(one, other)


def test_a_weight_that_was_written_to_is_packed_anew() -> None:
    x, kernel, *others = conv1d_arguments(9)
    fused_conv1d(x, kernel, *others)
    kernel.mul_(2)
    torch.testing.assert_close(fused_conv1d(x, kernel, *others), conv1d_reference(x, kernel, *others))
    kernel.data = kernel.data / 3
    torch.testing.assert_close(fused_conv1d(x, kernel, *others), conv1d_reference(x, kernel, *others))


def test_compiles_into_one_graph() -> None:
    x, kernel, bias, *_ = conv1d_arguments(19)
    compiled = torch.compile(lambda x: conv1d(x, kernel, bias, slope=SLOPE), backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), conv1d(x, kernel, bias, slope=SLOPE))
