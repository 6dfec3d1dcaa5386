"""Which weights these are."""

from __future__ import annotations

import hashlib

from torch import nn


def weights_id(module: nn.Module) -> str:
    """16 hex digits of the SHA-256 over the weights' names and their values as fp16, as models are stored."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update((tensor.half() if tensor.is_floating_point() else tensor).cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
