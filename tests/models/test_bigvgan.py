"""BigVGAN: equal to the published generators, conversion, refusals.

golden/bigvgan.json holds the output of the published code (github.com/NVIDIA/BigVGAN at 7d2b454, bigvgan.BigVGAN) in
float64 on `published_state` and `portable_mel`.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from voxclone.config import AudioConfig, VocoderConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.layers.resblock import fold_weight_norm
from voxclone.layers.snake import AntiAliasedSnake, half_band_filter
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.bigvgan import BIGVGAN_22KHZ, BIGVGAN_BASE_22KHZ, BigVGAN
from voxclone.models.vocoder.convert import convert_public_checkpoint, convert_public_config, read_public_config

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "bigvgan.json").read_text())
NARROW = dataclasses.replace(BIGVGAN_22KHZ, upsample_initial_channel=192)
CASES = {
    "base": BIGVGAN_BASE_22KHZ,
    "narrow": NARROW,
    "narrow_v2": dataclasses.replace(NARROW, head_tanh=False, head_bias=False),
    "snake_linear_2": dataclasses.replace(NARROW, activation="snake", activation_logarithmic=False, resblock="2"),
}
PUBLIC = {
    "resblock": "1",
    "upsample_rates": [4, 4, 2, 2, 2, 2],
    "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4],
    "upsample_initial_channel": 1536,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "activation": "snakebeta",
    "snake_logscale": True,
    "num_mels": 80,
    "n_fft": 1024,
    "hop_size": 256,
    "win_size": 1024,
    "sampling_rate": 22050,
    "fmin": 0,
    "fmax": 8000,
    "learning_rate": 0.0001,
}


def portable(name: str, shape: tuple[int, ...]) -> Tensor:
    """Float64 values in [-1, 1) that depend on the name, the shape and nothing else."""
    values = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()))
    for factor, shift in ((2654435761, 15), (2246822519, 13)):
        values = values * np.uint64(factor) % np.uint64(2**32)
        values ^= values >> np.uint64(shift)
    return torch.from_numpy(values / 2**31 - 1).reshape(shape)


def portable_mel(frames: int) -> Tensor:
    return 3 * portable("mel", (1, 80, frames)) - 4


def published_state(config: VocoderConfig) -> dict[str, Tensor]:
    """Tensors with the published names, weight-normed, of sizes that keep the signal's level through the network."""
    blocks = len(config.resblock_kernel_sizes)
    state: dict[str, Tensor] = {}
    with torch.device("meta"):
        ours = BigVGAN(config).state_dict()
    for name, like in ours.items():
        parts = name.split(".")
        if parts[0] == "fusions":
            parts = ["resblocks", str(int(parts[1]) * blocks + int(parts[3])), *parts[4:]]
        if parts[0] == "ups":
            parts.insert(2, "0")
        if parts[-1] in ("alpha", "beta"):
            parts.insert(-1, "act")
        public = ".".join(parts)
        if parts[-1] in ("alpha", "beta"):
            at_rest = 0.0 if config.activation_logarithmic else 1.0
            state[public] = at_rest + 0.5 * portable(public, tuple(like.shape))
            for part in ("upsample", "downsample.lowpass"):
                state[f"{'.'.join(parts[:-2])}.{part}.filter"] = half_band_filter(12)[None, None]
        elif parts[-1] == "bias":
            state[public] = 0.1 * portable(public, tuple(like.shape))
        else:
            level = {"conv_pre": 0.25, "ups": 1.2, "resblocks": 0.4, "conv_post": 0.3}[parts[0]]
            state[f"{public}_v"] = portable(public, tuple(like.shape))
            state[f"{public}_g"] = level * (1 + 0.3 * portable(f"{public}_g", (like.shape[0], 1, 1)))
    return state


@pytest.mark.parametrize("case", CASES)
def test_equals_the_published_generator(case: str) -> None:
    config, golden = CASES[case], GOLDEN[case]
    vocoder = build_vocoder(config).eval()
    vocoder.load_state_dict(convert_public_checkpoint({"generator": published_state(config)}, config))
    with torch.inference_mode():
        waveform = vocoder(portable_mel(GOLDEN["frames"]).float())
    assert waveform.shape == (1, GOLDEN["frames"] * 256)
    found = waveform[0, golden["at"]].double()
    assert 0.1 < found.abs().max() < 1
    assert (found - torch.tensor(golden["samples"], dtype=torch.float64)).abs().max() < 1e-5
    assert waveform.double().norm().item() == pytest.approx(golden["norm"], rel=1e-5)


def test_parameter_counts_are_the_published_ones() -> None:
    for config, parameters in ((BIGVGAN_BASE_22KHZ, GOLDEN["base"]["parameters"]), (BIGVGAN_22KHZ, 112_199_473)):
        with torch.device("meta"):
            vocoder = BigVGAN(config)
        assert sum(parameter.numel() for parameter in vocoder.parameters()) == parameters


TINY = VocoderConfig(
    n_mels=8,
    hop_length=8,
    upsample_rates=(4, 2),
    upsample_kernel_sizes=(8, 4),
    upsample_initial_channel=16,
    resblock_kernel_sizes=(3, 5),
    resblock_dilation_sizes=((1, 3), (1, 2)),
    activation="snakebeta",
    activation_logarithmic=True,
)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_any_length_and_each_item_alone(frames: int) -> None:
    vocoder, mel = build_vocoder(TINY), torch.randn(3, 8, frames)
    waveform = vocoder(mel, torch.zeros(3, frames))
    assert waveform.shape == (3, frames * 8)
    assert waveform.abs().max() <= 1
    torch.testing.assert_close(waveform[1:2], vocoder(mel[1:2]))


def test_folding_and_gradients() -> None:
    vocoder, mel = BigVGAN(TINY, weight_norm=True), torch.randn(1, 8, 5)
    vocoder(mel).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in vocoder.parameters())
    before = vocoder(mel).detach()
    fold_weight_norm(vocoder)
    torch.testing.assert_close(vocoder(mel), before)
    BigVGAN(TINY).load_state_dict(vocoder.state_dict())


def test_snake_is_what_the_paper_says_where_nothing_folds_back() -> None:
    """For a slow sine the filters pass everything, and the activation is x + sin²(αx)/β."""
    snake = AntiAliasedSnake(1, separate_beta=True, logarithmic=False)
    snake.alpha.data.fill_(1.5)
    assert snake.beta is not None
    snake.beta.data.fill_(2.0)
    x = torch.sin(torch.arange(400) * 0.02)[None, None]
    made = snake(x)[0, 0, 20:-20]
    expected = (x + torch.sin(1.5 * x).square() / 2.0)[0, 0, 20:-20]
    assert (made - expected).abs().max() < 2e-3


def test_the_public_config_says_which_generator_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(PUBLIC))
    assert read_public_config(path) == BIGVGAN_22KHZ
    second = convert_public_config(PUBLIC | {"use_tanh_at_final": False, "use_bias_at_final": False}, AudioConfig())
    assert (second.head_tanh, second.head_bias) == (False, False)
    with pytest.raises(ConfigError, match=r"another mel: fmax 11025\.0 instead of 8000\.0; it would speak noise"):
        convert_public_config(PUBLIC | {"fmax": None}, AudioConfig())
    with pytest.raises(ConfigError, match=r"another mel: .*num_mels 100 instead of 80"):
        convert_public_config(PUBLIC | {"num_mels": 100}, AudioConfig())
    with pytest.raises(ConfigError, match="activation is 'relu'"):
        convert_public_config(PUBLIC | {"activation": "relu"})


def test_what_does_not_fit_is_named() -> None:
    state = published_state(TINY)
    name = "resblocks.1.activations.2.act.alpha"
    with pytest.raises(ModelError, match=r"lacks resblocks\.1\.activations\.2\.act\.alpha; are"):
        convert_public_checkpoint({key: value for key, value in state.items() if key != name}, TINY)
    odd: dict[str, Any] = state | {"activation_post.upsample.filter": torch.ones(1, 1, 12) / 12}
    with pytest.raises(ModelError, match=r"activation_post\.upsample\.filter .* another low-pass filter"):
        convert_public_checkpoint(odd, TINY)
    with pytest.raises(ConfigError, match="BigVGAN needs head 'waveform'"):
        build_vocoder(dataclasses.replace(TINY, head="source_istft", head_n_fft=16))
