"""Spans of a waveform equal the whole, with no more context than is needed and no less than is used."""

from __future__ import annotations

import typing
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from voxclone.config import VocoderConfig
from voxclone.models.vocoder import HIFIGAN_V1, HIFIGAN_V2, HIFIGAN_V3, build_vocoder
from voxclone.models.vocoder.spans import context_frames, make_source, make_span

FRAMES = 60
SIZES: dict[str, Any] = {
    "n_mels": 8,
    "hop_length": 32,
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": (3, 5),
}
CONFIGS: dict[str, VocoderConfig] = {
    "waveform": VocoderConfig(
        **SIZES, upsample_rates=(8, 4), upsample_kernel_sizes=(16, 8), resblock_dilation_sizes=((1, 3), (1, 2))
    ),
    "source_istft": VocoderConfig(
        **SIZES,
        upsample_rates=(4,),
        upsample_kernel_sizes=(8,),
        frame_blocks=2,
        resblock="2",
        resblock_dilation_sizes=((1, 2), (1, 3)),
        head="source_istft",
        head_n_fft=32,
    ),
    "bigvgan": VocoderConfig(
        **SIZES,
        upsample_rates=(8, 4),
        upsample_kernel_sizes=(16, 8),
        resblock_dilation_sizes=((1, 2), (1, 3)),
        activation="snakebeta",
    ),
}


def build(name: str) -> tuple[nn.Module, VocoderConfig]:
    torch.manual_seed(1)
    return build_vocoder(CONFIGS[name]).eval(), CONFIGS[name]


def mel_and_f0(frames: int = FRAMES) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    f0 = torch.linspace(100, 300, frames)[None].repeat(2, 1)
    f0[:, : frames // 5] = 0  # unvoiced at first, so that the source looks ahead
    f0[:, frames // 2 :: 7] = 0
    return torch.randn(2, 8, frames, generator=generator) - 3, f0


def test_every_head_is_tried() -> None:
    assert {config.head for config in CONFIGS.values()} == set(
        typing.get_args(typing.get_type_hints(VocoderConfig)["head"])
    )


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("size", [1, 7, 25, FRAMES])
@torch.inference_mode()
def test_spans_equal_the_whole(name: str, size: int) -> None:
    vocoder, config = build(name)
    mel, f0 = mel_and_f0()
    whole = vocoder(mel, f0)
    source = make_source(vocoder, config, mel, f0)
    starts = range(0, FRAMES, size)
    spans = [make_span(vocoder, config, mel, source, start, min(start + size, FRAMES)) for start in starts]
    assert [span.shape[1] for span in spans[:-1]] == [size * config.hop_length] * (len(spans) - 1)
    torch.testing.assert_close(torch.cat(spans, 1), whole, atol=1e-5, rtol=0)
    assert whole.std() > 1e-3  # random weights that say something


@pytest.mark.parametrize("name", CONFIGS)
def test_context_is_what_a_frame_depends_on(name: str) -> None:
    vocoder, config = build(name)
    vocoder, context, middle = vocoder.double(), context_frames(config), FRAMES // 2
    mel, f0 = mel_and_f0()
    mel = mel.double().requires_grad_()
    source = make_source(vocoder, config, mel, f0.double()).detach()
    samples = make_span(vocoder, config, mel, source, 0, FRAMES)
    hop = config.hop_length
    samples[:, middle * hop : (middle + 1) * hop].square().sum().backward()
    assert mel.grad is not None
    used = torch.nonzero(mel.grad.abs().sum((0, 1)))[:, 0]
    reach = max(middle - int(used[0]), int(used[-1]) - middle)
    assert reach <= context <= reach + 2


@pytest.mark.parametrize(("config", "frames"), [(HIFIGAN_V1, 13), (HIFIGAN_V2, 13), (HIFIGAN_V3, 11)])
def test_context_of_the_published_sizes(config: VocoderConfig, frames: int) -> None:
    assert context_frames(config) == frames
