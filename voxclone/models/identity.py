"""Which weights these are."""

from __future__ import annotations

import hashlib

from torch import nn


def weights_id(module: nn.Module, without: str | None = None) -> str:
    """16 hex digits of the SHA-256 over the weights' names and their values as fp16, as models are stored.

    `without` names a part of the module that does not count.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if without is not None and name.startswith(f"{without}."):
            continue
        digest.update(name.encode())
        digest.update((tensor.half() if tensor.is_floating_point() else tensor).cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def acoustic_id(acoustic: nn.Module) -> str:
    """Which acoustic model it is, to voices that were fine-tuned on it; how it hears a pace does not matter."""
    return weights_id(acoustic, without="rate_reader")
