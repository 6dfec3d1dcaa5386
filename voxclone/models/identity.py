"""Which weights these are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from torch import Tensor, nn


def weights_id(module: nn.Module, without: str | None = None) -> str:
    """16 hex digits of the SHA-256 over the weights' names and their values as fp16, as models are stored.

    `without` names a part of the module that does not count.
    """
    left_out = () if without is None else (f"{without}.",)
    tensors = sorted(module.state_dict().items())
    return _sha256((name, tensor) for name, tensor in tensors if not name.startswith(left_out))[:16]


def acoustic_id(acoustic: nn.Module) -> str:
    """Which acoustic model it is, to voices that were fine-tuned on it; how it hears a pace does not matter."""
    return weights_id(acoustic, without="rate_reader")


def model_sha256(parts: Mapping[str, nn.Module]) -> str:
    """SHA-256 over the parts' names, their tensors' names and values as fp16, as models are stored; 64 hex digits."""
    tensors = ((part, sorted(module.state_dict().items())) for part, module in sorted(parts.items()))
    return _sha256((f"{part}.{name}", tensor) for part, own in tensors for name, tensor in own)


def _sha256(tensors: Iterable[tuple[str, Tensor]]) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(name.encode())
        digest.update((tensor.half() if tensor.is_floating_point() else tensor).cpu().numpy().tobytes())
    return digest.hexdigest()
