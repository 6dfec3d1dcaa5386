"""Moving a vocoder's pilot without discriminators."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AudioConfig, VocoderConfig, WatermarkConfig
from voxclone.training.pilot import DEPTH
from voxclone.training.remarking import RemarkStep


def begun(config: VocoderConfig, had: float = 0.0, depth: float = DEPTH) -> RemarkStep:
    step = RemarkStep(config, AudioConfig(), None, WatermarkConfig(), had, depth)
    step.former.load_state_dict(step.vocoder.state_dict())
    return step


def test_a_vocoder_that_has_the_pilot_is_told_to_stay(
    tiny_vocoder: VocoderConfig, two_segments: dict[str, Tensor]
) -> None:
    torch.manual_seed(0)
    step = begun(tiny_vocoder, had=DEPTH)
    losses = step(two_segments, "model")
    assert losses["kept"].item() == pytest.approx(0, abs=1e-4)
    losses["total"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in step.parameters_of("model"))
    assert all(p.grad is None for p in step.former.parameters())


def test_a_twin_is_told_to_lose_the_pilot(tiny_vocoder: VocoderConfig, two_segments: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    without = begun(tiny_vocoder, had=0.0, depth=0.0)(two_segments, "model")
    assert without["kept"].item() == pytest.approx(0, abs=1e-4)
    torch.manual_seed(0)
    assert begun(tiny_vocoder, had=DEPTH, depth=0.0)(two_segments, "model")["kept"].item() > 0.01


def test_what_it_is_held_to_stays_while_it_learns(tiny_vocoder: VocoderConfig, two_segments: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    step = begun(tiny_vocoder)
    optimizer = torch.optim.AdamW(list(step.parameters_of("model")), 3e-3)
    totals, before = [], {name: weight.clone() for name, weight in step.vocoder.named_parameters()}
    for _ in range(30):
        torch.manual_seed(1)
        loss = step(two_segments, "model")["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(loss.item())
    assert totals[-1] < 0.9 * totals[0]
    former = dict(step.former.named_parameters())
    assert all(torch.equal(former[name], weight) for name, weight in before.items())
    assert not any(torch.equal(former[name], weight) for name, weight in step.vocoder.named_parameters())


def test_a_run_that_goes_on_is_held_to_the_vocoder_that_it_began_with(
    tiny_vocoder: VocoderConfig, two_segments: dict[str, Tensor]
) -> None:
    torch.manual_seed(0)
    step = begun(tiny_vocoder)
    with torch.no_grad():
        for weight in step.vocoder.parameters():
            weight += 0.1
    resumed = RemarkStep(tiny_vocoder, AudioConfig(), None, WatermarkConfig())
    resumed.load_state_dict(step.state_dict())
    losses = []
    for each in (step, resumed):
        torch.manual_seed(1)
        losses.append(each(two_segments, "model")["kept"].item())
    assert losses[0] == losses[1] > 0.1
