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


def begun(had: float = 0.0, depth: float = DEPTH) -> RemarkStep:
    step = RemarkStep(VOCODER, AudioConfig(), None, WatermarkConfig(), had, depth)
    step.former.load_state_dict(step.vocoder.state_dict())
    return step


def test_a_vocoder_that_has_the_pilot_is_told_to_stay() -> None:
    torch.manual_seed(0)
    step = begun(had=DEPTH)
    losses = step(batch(), "model")
    assert losses["kept"].item() == pytest.approx(0, abs=1e-4)
    losses["total"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in step.parameters_of("model"))
    assert all(p.grad is None for p in step.former.parameters())


def test_a_twin_is_told_to_lose_the_pilot() -> None:
    torch.manual_seed(0)
    without = begun(had=0.0, depth=0.0)(batch(), "model")
    assert without["kept"].item() == pytest.approx(0, abs=1e-4)
    torch.manual_seed(0)
    assert begun(had=DEPTH, depth=0.0)(batch(), "model")["kept"].item() > 0.01


def test_what_it_is_held_to_stays_while_it_learns() -> None:
    torch.manual_seed(0)
    step = begun()
    optimizer = torch.optim.AdamW(list(step.parameters_of("model")), 3e-3)
    totals, before = [], {name: weight.clone() for name, weight in step.vocoder.named_parameters()}
    for _ in range(30):
        torch.manual_seed(1)
        loss = step(batch(), "model")["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(loss.item())
    assert totals[-1] < 0.9 * totals[0]
    former = dict(step.former.named_parameters())
    assert all(torch.equal(former[name], weight) for name, weight in before.items())
    assert not any(torch.equal(former[name], weight) for name, weight in step.vocoder.named_parameters())


def test_a_run_that_goes_on_is_held_to_the_vocoder_that_it_began_with() -> None:
    torch.manual_seed(0)
    step = begun()
    with torch.no_grad():
        for weight in step.vocoder.parameters():
            weight += 0.1
    resumed = RemarkStep(VOCODER, AudioConfig(), None, WatermarkConfig())
    resumed.load_state_dict(step.state_dict())
    losses = []
    for each in (step, resumed):
        torch.manual_seed(1)
        losses.append(each(batch(), "model")["kept"].item())
    assert losses[0] == losses[1] > 0.1
