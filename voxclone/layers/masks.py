"""Masks from lengths."""

from __future__ import annotations

import torch
from torch import Tensor


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """(B,) lengths to (B, size) bool, True where real."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]
