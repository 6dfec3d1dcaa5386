"""HiFi-GAN: equal to the published generators, any length, folding, conversion, refusals.

golden/hifigan.json holds the output of the published code (github.com/jik876/hifi-gan, models.Generator) in float64
on `published_state` and `portable_mel`.
"""

from __future__ import annotations

import dataclasses
import json
import random
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from voxclone.config import VocoderConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.layers.resblock import fold_weight_norm
from voxclone.models.vocoder import HIFIGAN_V1, HIFIGAN_V2, HIFIGAN_V3, HiFiGAN, build_vocoder
from voxclone.models.vocoder.convert import (
    convert_public_checkpoint,
    convert_public_config,
    read_public_checkpoint,
    read_public_config,
)

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "hifigan.json").read_text())
VERSIONS = {"v1": HIFIGAN_V1, "v2": HIFIGAN_V2, "v3": HIFIGAN_V3}
TINY = VocoderConfig(
    n_mels=8,
    hop_length=8,
    upsample_rates=(4, 2),
    upsample_kernel_sizes=(8, 4),
    upsample_initial_channel=16,
    resblock_kernel_sizes=(3, 5),
    resblock_dilation_sizes=((1, 3), (1, 2)),
)


def portable(name: str, shape: tuple[int, ...]) -> Tensor:
    """Float64 values in [-1, 1) that depend on the name, the shape and nothing else."""
    values = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()))
    for factor, shift in ((2654435761, 15), (2246822519, 13)):
        values = values * np.uint64(factor) % np.uint64(2**32)
        values ^= values >> np.uint64(shift)
    return torch.from_numpy(values / 2**31 - 1).reshape(shape)


def portable_mel(config: VocoderConfig, frames: int) -> Tensor:
    return 3 * portable("mel", (1, config.n_mels, frames)) - 4


def published_state(config: VocoderConfig) -> dict[str, Tensor]:
    """Weight-normed tensors with the published names, of sizes that keep the signal's level through the network."""
    blocks = len(config.resblock_kernel_sizes)
    state = {}
    for name, like in HiFiGAN(config).state_dict().items():
        parts = name.split(".")
        if parts[0] == "fusions":
            parts = ["resblocks", str(int(parts[1]) * blocks + int(parts[3])), *parts[4:]]
        public = ".".join(parts)
        if public.endswith("bias"):
            state[public] = 0.1 * portable(public, tuple(like.shape))
        else:
            level = {"conv_pre": 0.25, "ups": 1.8, "resblocks": 0.7, "conv_post": 0.4}[parts[0]]
            state[f"{public}_v"] = portable(public, tuple(like.shape))
            state[f"{public}_g"] = level * (1 + 0.3 * portable(f"{public}_g", (like.shape[0], 1, 1)))
    return state


def loaded(config: VocoderConfig, state: dict[str, Tensor]) -> HiFiGAN:
    vocoder = HiFiGAN(config)
    vocoder.load_state_dict(convert_public_checkpoint(state, config))
    return vocoder.eval()


@pytest.mark.parametrize("version", VERSIONS)
def test_equals_the_published_generator(version: str) -> None:
    config, golden = VERSIONS[version], GOLDEN[version]
    with torch.inference_mode():
        waveform = loaded(config, published_state(config))(portable_mel(config, GOLDEN["frames"]).float())
    assert waveform.shape == (1, GOLDEN["frames"] * 256)
    found = waveform[0, golden["at"]].double()
    assert (found - torch.tensor(golden["samples"], dtype=torch.float64)).abs().max() < 1e-5
    assert waveform.double().norm().item() == pytest.approx(golden["norm"], rel=1e-5)


@pytest.mark.parametrize(("version", "parameters"), [("v1", 13_926_017), ("v2", 925_985), ("v3", 1_462_273)])
def test_parameter_counts_are_the_published_ones(version: str, parameters: int) -> None:
    with torch.device("meta"):
        vocoder = HiFiGAN(VERSIONS[version])
    assert sum(parameter.numel() for parameter in vocoder.parameters()) == parameters


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_any_length(frames: int) -> None:
    vocoder = build_vocoder(TINY)
    waveform = vocoder(torch.randn(3, 8, frames))
    assert waveform.shape == (3, frames * 8)
    assert waveform.abs().max() <= 1


def test_each_item_of_a_batch_is_made_alone() -> None:
    vocoder, mel = HiFiGAN(TINY), torch.randn(3, 8, 9)
    together = vocoder(mel, f0=torch.zeros(3, 9))
    torch.testing.assert_close(together[1:2], vocoder(mel[1:2]))


def test_a_stage_of_rate_one_keeps_the_length() -> None:
    config = dataclasses.replace(TINY, upsample_rates=(8, 1), upsample_kernel_sizes=(16, 5))
    vocoder = HiFiGAN(config)
    assert isinstance(vocoder.ups[1], torch.nn.Conv1d)
    assert vocoder.features(torch.randn(1, 8, 3)).shape == (1, 4, 24)
    assert vocoder(torch.randn(1, 8, 3)).shape == (1, 24)


def test_folding_keeps_the_output_and_gives_the_inference_names() -> None:
    vocoder, mel = HiFiGAN(TINY, weight_norm=True), torch.randn(1, 8, 5)
    with torch.inference_mode():
        before = vocoder(mel)
    with torch.no_grad():
        fold_weight_norm(vocoder)
    torch.testing.assert_close(vocoder(mel), before)
    plain = HiFiGAN(TINY)
    assert {name for name, _ in vocoder.named_parameters()} == {name for name, _ in plain.named_parameters()}
    plain.load_state_dict(vocoder.state_dict())


def test_every_parameter_of_the_training_form_gets_a_gradient() -> None:
    vocoder = HiFiGAN(TINY, weight_norm=True)
    vocoder(torch.randn(2, 8, 5)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in vocoder.parameters())


def test_exports_with_a_free_length() -> None:
    vocoder = HiFiGAN(TINY).eval()
    frames = torch.export.Dim("frames", min=2, max=4096)
    program = torch.export.export(vocoder, (torch.randn(1, 8, 6),), dynamic_shapes={"mel": {2: frames}})
    mel = torch.randn(1, 8, 11)
    torch.testing.assert_close(program.module()(mel), vocoder(mel))


def test_the_three_forms_of_a_checkpoint_convert_alike() -> None:
    older = published_state(TINY)
    newer = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): tensor
        for name, tensor in older.items()
    }
    converted = convert_public_checkpoint(older, TINY)
    folded = {name: tensor for name, tensor in older.items() if name.endswith("bias")}
    for name in older:
        if name.endswith("weight_v"):
            module = name.removesuffix("_v")
            flat = older[name].flatten(1)
            folded[module] = older[name] * older[f"{module}_g"] / flat.square().sum(1).sqrt()[:, None, None]
    for state in (newer, folded, {"generator": older}):
        other = convert_public_checkpoint(state, TINY)
        assert other.keys() == converted.keys()
        for name, tensor in converted.items():
            torch.testing.assert_close(other[name], tensor)


def test_a_checkpoint_that_does_not_fit_is_named() -> None:
    state = published_state(TINY)
    without = {name: tensor for name, tensor in state.items() if name != "resblocks.3.convs1.1.weight_g"}
    with pytest.raises(ModelError, match=r"lacks resblocks\.3\.convs1\.1\.weight and has unexpected .*weight_v"):
        convert_public_checkpoint(without, TINY)
    with pytest.raises(ModelError, match=r"unexpected ups\.9\.bias"):
        convert_public_checkpoint(state | {"ups.9.bias": torch.zeros(1)}, TINY)
    with pytest.raises(ModelError, match=r"conv_post\.bias .* shape \(2,\); .* needs \(1,\)"):
        convert_public_checkpoint(state | {"conv_post.bias": torch.zeros(2)}, TINY)
    with pytest.raises(ModelError, match=r"ups\.0\.weight in .* of unfit shapes \(1, 16, 1\)"):
        convert_public_checkpoint(state | {"ups.0.weight_g": torch.ones(1, 16, 1)}, TINY)
    with pytest.raises(ModelError, match=r"'epoch' .* is of type int"):
        convert_public_checkpoint(state | {"epoch": 3}, TINY)
    with pytest.raises(ModelError, match=r"lacks conv_pre\.weight, .* more"):
        convert_public_checkpoint({}, TINY)


def test_files(tmp_path: Path) -> None:
    checkpoint, config_file = tmp_path / "generator.pth", tmp_path / "config.json"
    torch.save({"generator": published_state(TINY)}, checkpoint)
    public = {
        "resblock": "1",
        "upsample_rates": [4, 2],
        "upsample_kernel_sizes": [8, 4],
        "upsample_initial_channel": 16,
        "resblock_kernel_sizes": [3, 5],
        "resblock_dilation_sizes": [[1, 3], [1, 2]],
        "num_mels": 8,
        "sampling_rate": 22050,
        "hop_size": 8,
        "batch_size": 16,
    }
    config_file.write_text(json.dumps(public))
    assert read_public_config(config_file) == TINY
    HiFiGAN(TINY).load_state_dict(read_public_checkpoint(checkpoint, TINY))
    with pytest.raises(ConfigError, match="lacks num_mels, hop_size"):
        convert_public_config({key: value for key, value in public.items() if key not in ("num_mels", "hop_size")})
    checkpoint.write_bytes(checkpoint.read_bytes()[:200])
    with pytest.raises(ModelError, match=r"generator\.pth"):
        read_public_checkpoint(checkpoint, TINY)
    with pytest.raises(ModelError, match=r"absent\.json"):
        read_public_config(tmp_path / "absent.json")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_damaged_checkpoint_is_a_checkpoint_or_an_error(tmp_path: Path, zipped: bool) -> None:
    """Damage to a pickle makes torch's reader raise nearly anything: IndexError, KeyError, struct.error."""
    path = tmp_path / "generator.pth"
    torch.save(HiFiGAN(TINY).state_dict(), path, _use_new_zipfile_serialization=zipped)
    whole, draw = path.read_bytes(), random.Random(1)
    refused = 0
    for _ in range(200):
        at = draw.randrange(len(whole) if draw.random() < 0.5 else 3000)
        path.write_bytes(whole[:at] + draw.randbytes(3) + whole[at + 3 :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                read_public_checkpoint(path, TINY)
            except ModelError:
                refused += 1
    assert refused > 100
    path.write_bytes(b"c" + 30_000 * b"a" + b"\nb\n.")  # a message about this would take torch seconds
    with pytest.raises(ModelError, match="name of 30002 characters"):
        read_public_checkpoint(path, TINY)
    torch.save({1: torch.zeros(1)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match="names a tensor 1"):
        read_public_checkpoint(path, TINY)


class NotATensor:
    """What a checkpoint must not be able to make."""


def test_a_checkpoint_with_code_is_refused(tmp_path: Path) -> None:
    torch.save({"generator": NotATensor()}, tmp_path / "generator.pth")
    with pytest.raises(ModelError, match=r"generator\.pth .* holds more than tensors, .*NotATensor.*; .* save"):
        read_public_checkpoint(tmp_path / "generator.pth", TINY)


def test_the_file_of_the_discriminators_is_told(tmp_path: Path) -> None:
    torch.save({"mpd": {}, "msd": {}, "optim_g": {}, "steps": 1}, tmp_path / "do_00000001")
    with pytest.raises(ModelError, match=r"holds mpd, msd, optim_g: .* the generator is in the file beside it \(g_…\)"):
        read_public_checkpoint(tmp_path / "do_00000001", TINY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"upsample_rates": (4, 4)}, "multiple|hop_length"),
        ({"upsample_rates": (2, 2), "upsample_kernel_sizes": (4, 4)}, "multiply to 4"),
        ({"upsample_kernel_sizes": (8,)}, "one entry for each stage"),
        ({"upsample_kernel_sizes": (8, 5)}, "kernel 5 does not suit rate 2"),
        ({"upsample_initial_channel": 18}, "multiple of 4"),
        ({"resblock_kernel_sizes": (3,)}, "differ in length"),
        ({"resblock_kernel_sizes": (3, 4)}, "odd"),
    ],
)
def test_sizes_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_vocoder(dataclasses.replace(TINY, **change))


@pytest.mark.parametrize("shape", [(8, 5), (1, 7, 5), (1, 8, 0)])
def test_a_mel_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"\(B, 8, T >= 1\)"):
        HiFiGAN(TINY)(torch.zeros(shape))
