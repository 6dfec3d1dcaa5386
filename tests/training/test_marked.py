"""The stage that keeps a mark while a GPU trains all else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("accelerate")
pytest.importorskip("tensorboard")

from voxclone.config import AudioConfig, VocoderConfig
from voxclone.errors import VoxcloneError
from voxclone.training.marked import MarkKeepingStep, kept_mark
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer

AUDIO = AudioConfig()


@pytest.fixture
def keeping_step(tiny_vocoder: VocoderConfig) -> MarkKeepingStep:
    torch.manual_seed(0)
    return MarkKeepingStep(
        tiny_vocoder, AUDIO, None, kept_mark(AUDIO), mark_items=2, resolution_channels=2, period_channels=0,
        resolutions=(512, 256),
    )  # fmt: skip


def test_the_detector_judges_and_stays(
    keeping_step: MarkKeepingStep, two_segments: dict[str, Tensor], tmp_path: Path
) -> None:
    step = keeping_step
    before = {name: value.clone() for name, value in step.state_dict().items()}
    losses = step(two_segments, "generator")
    assert 0 < losses["mark"].item() < 2 and losses["pilot"].item() > 0
    Trainer(step, [two_segments], tmp_path, TrainerConfig(max_steps=3, learning_rate=1e-3)).fit()
    moved = {name for name, value in step.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.startswith("vocoder.") for name in moved) and any(name.startswith("judges.") for name in moved)
    assert not any(name.startswith("mark.") for name in moved)


def test_the_detector_hears_the_speech_under_white_noise() -> None:
    """Level and strength differ from item to item and from call to call, though NumPy's generator stands still."""
    made, marked = 0.1 * torch.randn(64, 4096), torch.ones(64, 4096)
    channel = kept_mark(AUDIO).channel
    torch.manual_seed(2)
    (received, labels), (again, _) = (channel(made, marked, np.random.default_rng(0)) for _ in range(2))
    assert torch.equal(labels, marked) and not torch.equal(received, again)
    level = (received * made).sum(1, keepdim=True) / made.square().sum(1, keepdim=True)
    noise = received - level * made
    ratio = 10 * torch.log10((level * made).square().mean(1) / noise.square().mean(1))
    assert 11 < ratio.min() < 18 and 34 < ratio.max() < 41
    assert -15.5 < 20 * torch.log10(level).min() < -12 and 0 < 20 * torch.log10(level).max() < 3.5
    spectrum = torch.fft.rfft(noise / noise.square().mean(1, keepdim=True).sqrt()).abs().square().mean(0)[1:-1]
    assert spectrum[:1000].mean() == pytest.approx(float(spectrum[1000:].mean()), rel=0.05)


def test_the_noise_lets_the_gradient_through() -> None:
    made = (0.1 * torch.randn(2, 4096)).requires_grad_()
    received, _ = kept_mark(AUDIO).channel(made, torch.ones(2, 4096), np.random.default_rng(0))
    received.sum().backward()
    assert made.grad is not None and (made.grad > 0).all()


def test_a_graph_needs_a_gpu(keeping_step: MarkKeepingStep, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(VoxcloneError, match="cuda_graph needs one process on a CUDA device"):
        Trainer(keeping_step, [], tmp_path, TrainerConfig(max_steps=3, cuda_graph=True))
