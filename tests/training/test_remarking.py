"""Moving a vocoder's pilot without discriminators."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AudioConfig, VocoderConfig, WatermarkConfig
from voxclone.training.pilot import DEPTH
from voxclone.training.remarking import RemarkStep

VOCODER = VocoderConfig(
    upsample_rates=(4,), upsample_kernel_sizes=(8,), upsample_initial_channel=16, resblock="2", frame_blocks=1,
    resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),), head="source_istft", head_n_fft=128,
)  # fmt: skip
FRAMES, HOP = 32, 256


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "waveform": 0.1 * torch.randn(2, FRAMES * HOP, generator=generator),
        "f0": torch.full((2, FRAMES), 150.0),
        "bandwidth": torch.tensor([11025.0, 7520.0]),
    }


def test_a_vocoder_that_has_the_pilot_is_told_to_stay() -> None:
    torch.manual_seed(0)
    step = RemarkStep(VOCODER, AudioConfig(), None, WatermarkConfig(), had=DEPTH)
    losses = step(batch(), "model")
    assert losses["kept"].item() == pytest.approx(0, abs=1e-4)
    losses["total"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in step.parameters())


def test_what_it_is_held_to_stays_while_it_learns() -> None:
    torch.manual_seed(0)
    step = RemarkStep(VOCODER, AudioConfig(), None, WatermarkConfig())
    optimizer = torch.optim.AdamW(step.parameters(), 3e-3)
    totals = []
    for _ in range(30):
        torch.manual_seed(1)
        loss = step(batch(), "model")["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(loss.item())
    assert totals[-1] < 0.9 * totals[0]
    (former,) = step._former
    assert not any(torch.equal(a, b) for a, b in zip(former.parameters(), step.vocoder.parameters(), strict=True))
    assert not any(name.startswith("_former") for name in step.state_dict())
