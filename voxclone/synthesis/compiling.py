"""A model's networks through torch.compile."""

from __future__ import annotations

import copy
import types
from typing import Any, TypeVar

import torch
from torch import nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)

ACOUSTIC_METHODS = ("begin", "finish", "predict", "decode")
VOCODER_METHODS = ("forward", "filter_source")  # the latter where there is one


def with_compiled(module: AnyModule, methods: tuple[str, ...], options: dict[str, Any]) -> AnyModule:
    """The module, its weights shared, with these methods compiled when they are first called.

    The methods are bound to the copy, so that a further copy with other weights, as for a fine-tuned voice, computes
    with those.
    """
    compiled = copy.copy(module)
    for name in methods:
        if (method := getattr(type(module), name, None)) is not None:
            compiled.__dict__[name] = types.MethodType(torch.compile(method, **options), compiled)
    return compiled
