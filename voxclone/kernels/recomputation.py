"""Gradients of a fused op: those of its reference, which is run again for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor


def gradients_of(op: Any, reference: Callable[..., Tensor]) -> None:
    """Register the gradients of `reference` as those of `op`, a torch.library custom op of the same arguments.

    The backward pass costs a forward pass of the reference, and keeps nothing but the op's inputs until then.
    """

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*_tensors(inputs))
        ctx.arguments = _with(iter(lambda: _PLACE, None), inputs)  # a saved tensor is checked for having been changed

    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        leaves = [each.detach().requires_grad_(each.requires_grad) for each in ctx.saved_tensors]
        with torch.enable_grad():
            output = reference(*_with(iter(leaves), ctx.arguments))
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        made = iter(torch.autograd.grad(output, wanted, gradient))
        answers = iter([next(made) if leaf.requires_grad else None for leaf in leaves])
        return tuple(_with(answers, each) if _holds_tensors(each) else None for each in ctx.arguments)

    op.register_autograd(backward, setup_context=keep)


_PLACE = object()  # where a tensor stood among the arguments


def _is_tensor(argument: Any) -> bool:
    return argument is _PLACE or isinstance(argument, Tensor)


def _holds_tensors(argument: Any) -> bool:
    return _is_tensor(argument) or (isinstance(argument, list) and any(map(_is_tensor, argument)))


def _tensors(argument: Any) -> list[Tensor]:
    if isinstance(argument, (list, tuple)):
        return [tensor for each in argument for tensor in _tensors(each)]
    return [argument] if isinstance(argument, Tensor) else []


def _with(values: Iterator[Any], argument: Any) -> Any:
    """The argument with its tensors replaced by `values`, in order."""
    if isinstance(argument, (list, tuple)):
        return [_with(values, each) for each in argument]
    return next(values) if _is_tensor(argument) else argument
