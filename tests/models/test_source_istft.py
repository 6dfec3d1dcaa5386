"""The bundle's vocoder: shapes, its source, bounded reach, the published budget, and that it can learn a tone."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from voxclone.config import VocoderConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.layers.resblock import fold_weight_norm
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.source_istft import NOISE_PERIOD, SourceISTFT
from voxclone.models.vocoder.spans import context_frames, make_source, make_span

SMALL = VocoderConfig(
    upsample_rates=(8,), upsample_kernel_sizes=(16,), upsample_initial_channel=16, frame_blocks=2, resblock="2",
    resblock_kernel_sizes=(3, 5), resblock_dilation_sizes=((1, 2), (2, 6)), head="source_istft", head_n_fft=128,
)  # fmt: skip
HOP = SMALL.hop_length


def vocoder(seed: int = 0) -> SourceISTFT:
    torch.manual_seed(seed)
    made = build_vocoder(SMALL)
    assert isinstance(made, SourceISTFT)
    return made.eval()


def inputs(frames: int, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    mel = torch.randn(batch, 80, frames, generator=generator) - 5
    f0 = torch.full((batch, frames), 140.0)
    f0[:, frames // 3 : frames // 2] = 0
    return mel, f0


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 2, 37])
def test_shape_range_and_sameness(frames: int) -> None:
    model, (mel, f0) = vocoder(), inputs(frames, 2)
    samples = model(mel, f0)
    assert samples.shape == (2, frames * HOP)
    assert samples.abs().max() <= 1 and samples.std() > 1e-4
    assert torch.equal(samples, model(mel, f0))
    assert model(mel).shape == samples.shape  # f0 estimated


@torch.inference_mode()
def test_spans_are_the_whole() -> None:
    model, (mel, f0) = vocoder(), inputs(90)
    whole = model(mel, f0)
    source = make_source(model, SMALL, mel, f0)
    starts = [0, 1, 30, 61, 90]
    parts = [make_span(model, SMALL, mel, source, a, b) for a, b in pairwise(starts)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_frame_reaches_no_farther_than_said() -> None:
    model, (mel, f0) = vocoder(), inputs(90)
    source = model.source(mel, f0)
    changed = mel.clone()
    changed[:, :, 45] += 1
    moved = (model.filter_source(changed, source) - model.filter_source(mel, source))[0].abs() > 1e-7
    frames = moved.view(-1, HOP).any(1).nonzero()
    assert 45 - context_frames(SMALL) <= frames.min() and frames.max() <= 45 + context_frames(SMALL)


@torch.inference_mode()
def test_noise_goes_on_beyond_its_period() -> None:
    frames = NOISE_PERIOD // HOP + 3
    model, (mel, _) = vocoder(), inputs(frames)
    source = model.source(mel, torch.zeros(1, frames))
    assert torch.equal(source[0, 1, NOISE_PERIOD:], source[0, 1, : 3 * HOP])
    assert source[0, 0].abs().max() == 0 and torch.equal(source[0, 1], source[0, 2])  # nothing but noise is unvoiced


def test_training_form_folds_to_the_same_samples() -> None:
    torch.manual_seed(0)
    model, (mel, f0) = build_vocoder(SMALL, weight_norm=True).eval(), inputs(20)
    with torch.no_grad():
        before = model(mel, f0)
        fold_weight_norm(model)
        torch.testing.assert_close(model(mel, f0), before, atol=1e-5, rtol=1e-4)
    assert model.state_dict().keys() == vocoder().state_dict().keys()


def test_magnitudes_learn_a_tone() -> None:
    """The head can put energy where it is asked to: the loss falls by more than half in a few steps."""
    model, (mel, _) = vocoder().train(), inputs(16)
    f0 = torch.full((1, 16), 220.5)
    target = 0.3 * torch.sin(2 * torch.pi * 220.5 / 22050 * torch.arange(16 * HOP))[None]
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        made = model(mel, f0)
        a, b = (torch.stft(x, 512, 128, 512, torch.hann_window(512), return_complex=True).abs() for x in (made, target))
        loss = (a - b).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], losses


def test_unfit_shapes_are_refused() -> None:
    model = vocoder()
    with pytest.raises(ModelError, match="80"):
        model(torch.zeros(1, 79, 4))
    with pytest.raises(ModelError, match="f0"):
        model(torch.zeros(1, 80, 4), torch.zeros(1, 5))
    with pytest.raises(ConfigError, match="head_n_fft"):
        build_vocoder(VocoderConfig.from_dict(SMALL.to_dict() | {"head_n_fft": 40}))
