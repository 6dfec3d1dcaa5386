"""How many operations the bundled vocoder asks a GPU for in plain PyTorch: a part of benchmarks/kernel_resources.py."""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kernels import prepare
from voxclone.models.vocoder.source_istft import SourceISTFT


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts PyTorch operations that compute: what a GPU would be asked to launch, at least."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        shares = any(each.alias_info is not None for each in func._schema.returns)
        self.count += not shares and "empty" not in func.name()
        return made


def operations() -> dict[str, int]:
    """Of the bundled vocoder's parts in plain PyTorch, for one utterance."""
    vocoder, (mel, f0) = prepare("bundle", None, 1.0, 1, torch.device("cpu"))
    assert isinstance(vocoder, SourceISTFT)
    parts: dict[str, Any] = {"source": lambda: vocoder.source(mel, f0), "whole vocoder": lambda: vocoder(mel, f0)}
    found = {}
    with mock.patch.dict(os.environ, VOXCLONE_KERNELS="reference"), torch.no_grad():
        for name, part in parts.items():
            with _Operations() as counter:
                part()
            found[name] = counter.count
    return found
