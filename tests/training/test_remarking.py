"""Moving a vocoder's pilot without discriminators."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AudioConfig, VocoderConfig, WatermarkConfig
from voxclone.training.pilot import DEPTH, PilotLoss
from voxclone.training.remarking import RemarkStep

VOCODER = VocoderConfig(
    upsample_rates=(4,), upsample_kernel_sizes=(8,), upsample_initial_channel=16, resblock="2", frame_blocks=1,
    resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),), head="source_istft", head_n_fft=128,
)  # fmt: skip
RATE, FRAMES, HOP = 22050, 32, 256


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


def test_it_is_held_to_its_own_speech_with_the_pilot_and_nothing_below() -> None:
    step = RemarkStep(VOCODER, AudioConfig(), None, WatermarkConfig(), had=DEPTH - 0.1)
    plain = 0.1 * torch.randn(1, 2 * RATE, generator=torch.Generator().manual_seed(0))
    deepened = step._deepened(plain)
    loss = PilotLoss(RATE, HOP, WatermarkConfig())
    along, across = loss.rhythm(deepened, plain)
    assert along[loss.there > 0].mean().item() == pytest.approx(0.1, abs=0.04)  # bins on two bands have less
    assert across[loss.there > 0].abs().mean() < 0.03
    low = torch.fft.rfftfreq(plain.shape[1], 1 / RATE) < 800
    torch.testing.assert_close(torch.fft.rfft(deepened)[:, low], torch.fft.rfft(plain)[:, low], atol=0.3, rtol=0)
