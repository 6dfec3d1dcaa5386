"""The stage that keeps a mark while a GPU trains all else."""

from __future__ import annotations

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


def keeping_step() -> MarkKeepingStep:
    torch.manual_seed(0)
    config = VocoderConfig(
        upsample_rates=(8,), upsample_kernel_sizes=(16,), upsample_initial_channel=16, resblock="2",
        resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),), head="source_istft", head_n_fft=128,
    )  # fmt: skip
    return MarkKeepingStep(
        config, AUDIO, None, kept_mark(AUDIO), mark_items=2, resolution_channels=2, period_channels=0,
        resolutions=(512, 256),
    )  # fmt: skip


def batch() -> dict[str, Tensor]:
    """Two segments of 16 frames."""
    torch.manual_seed(1)
    waveform = 0.1 * torch.randn(2, 16 * AUDIO.hop_length)
    return {"waveform": waveform, "f0": torch.full((2, 16), 120.0), "bandwidth": torch.tensor([7500.0, 11025.0])}


def test_the_detector_judges_and_stays(tmp_path) -> None:
    step = keeping_step()
    before = {name: value.clone() for name, value in step.state_dict().items()}
    losses = step(batch(), "generator")
    assert 0 < losses["mark"].item() < 2 and losses["pilot"].item() > 0
    Trainer(step, [batch()], tmp_path, TrainerConfig(max_steps=3, learning_rate=1e-3)).fit()
    moved = {name for name, value in step.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.startswith("vocoder.") for name in moved) and any(name.startswith("judges.") for name in moved)
    assert not any(name.startswith("mark.") for name in moved)


def test_the_detector_hears_the_speech_as_it_is() -> None:
    """A graph replays one update: no codec, noise or edit may come between, only the level is drawn."""
    made, marked = 0.1 * torch.randn(8, 4096), torch.ones(8, 4096)
    received, labels = kept_mark(AUDIO).channel(made, marked, np.random.default_rng(0))
    level = (received * made).sum(1, keepdim=True) / made.square().sum(1, keepdim=True)
    torch.testing.assert_close(received, level * made)
    assert torch.equal(labels, marked)


def test_a_graph_needs_a_gpu(tmp_path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(VoxcloneError, match="cuda_graph needs one process on a CUDA device"):
        Trainer(keeping_step(), [batch()], tmp_path, TrainerConfig(max_steps=3, cuda_graph=True))
