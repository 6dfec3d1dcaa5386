"""What the vocoder's stages are tried with: a tiny generator and a batch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from voxclone.config import VocoderConfig


@pytest.fixture
def tiny_vocoder() -> VocoderConfig:
    """As the bundle's is made, of the smallest sizes."""
    return VocoderConfig(
        upsample_rates=(4,), upsample_kernel_sizes=(8,), upsample_initial_channel=16, resblock="2", frame_blocks=1,
        resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),), head="source_istft", head_n_fft=128,
    )  # fmt: skip


@pytest.fixture
def two_segments() -> dict[str, Tensor]:
    """Of 16 frames of noise, the second from a recording of 16 kHz."""
    return {
        "waveform": 0.1 * torch.randn(2, 16 * 256, generator=torch.Generator().manual_seed(0)),
        "f0": torch.full((2, 16), 150.0),
        "bandwidth": torch.tensor([11025.0, 7520.0]),
    }
