"""BigVGAN's activation: its Triton kernel through the interpreter, its registration, its gradients."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor

from voxclone.kernels import snake as op
from voxclone.kernels.snake import anti_aliased_snake, anti_aliased_snake_reference
from voxclone.layers.snake import half_band_filter

pytest.importorskip("triton")

from triton.runtime.interpreter import InterpretedFunction

from voxclone.kernels.gpu import snake

Case = tuple[Tensor, Tensor, Tensor]
Check = Callable[[Case], bool]
BLOCK = 16


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def arguments(length: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    alpha, beta = torch.rand(3) * 3 + 0.5, torch.rand(3) + 0.5
    return torch.randn(2, 3, length).to(dtype), alpha.to(dtype), beta.to(dtype), half_band_filter(12)


def activated(length: int, dtype: torch.dtype, module: ModuleType = snake) -> Case:
    given = arguments(length, dtype)
    made = module.snake(*given, times=BLOCK if length < 1000 else 1018)
    exact = anti_aliased_snake_reference(*[each.double() for each in given])
    return made, anti_aliased_snake_reference(*given), exact


def test_the_kernel_is_interpreted() -> None:
    assert isinstance(snake.snake_kernel, InterpretedFunction)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("length", [1, 2, 11, BLOCK - 1, BLOCK, BLOCK + 1, 4097])
def test_parity(length: int, dtype: torch.dtype, rounds_as_well: Check) -> None:
    assert rounds_as_well(activated(length, dtype))


def test_any_strides() -> None:
    x, *others = arguments(5)
    spread = torch.randn(4, 6, 10)[::2, ::2, ::2].copy_(x)
    torch.testing.assert_close(snake.snake(spread, *others, times=BLOCK), snake.snake(x, *others, times=BLOCK))


MUTATIONS = {
    "one tap": ("middle + tap - 3", "middle + tl.minimum(tap, 5) - 3"),
    "filter": ("low_pass + 12 - 2 * tap", "low_pass + 11 - 2 * tap"),
    "start": ("tl.where(time < 0, here, later)", "later"),
    "end": ("tl.where(time >= length, later, here)", "here"),
    "between": ("tl.load(after + place,", "tl.load(after + place + 1,"),
    "gain": ("later *= 2", "later *= 1"),
    "channel": ("tl.load(alpha + row % channels)", "tl.load(alpha + row % 2)"),
    "magnitude": ("wave * wave / b", "wave * wave / a"),
    "reach": ("EDGE = 3", "EDGE = 2"),
    "row": ("row = tile // per_row", "row = tile // (per_row + 1)"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutant_is_caught(name: str, rounds_as_well: Check, mutated: Callable[..., ModuleType]) -> None:
    assert not rounds_as_well(activated(40, torch.float32, mutated(snake, *MUTATIONS[name])))


def test_registration_and_gradients() -> None:
    given = arguments(9)
    torch.library.opcheck(op._fused, given)
    wanted = [each.requires_grad_() for each in given[:3]]
    found = torch.autograd.grad(op._fused(*given).square().sum(), wanted)
    expected = torch.autograd.grad(anti_aliased_snake_reference(*given).square().sum(), wanted)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        torch.testing.assert_close(anti_aliased_snake(*given), anti_aliased_snake_reference(*given))
