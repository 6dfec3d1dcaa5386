"""Public HiFi-GAN and BigVGAN checkpoints to this package's vocoders: their generator's tensors and JSON config."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from voxclone.config import AudioConfig, VocoderConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.json_limits import read_json
from voxclone.kernels.snake import TAPS
from voxclone.layers.snake import half_band_filter
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.checkpoint import read_checkpoint

PUBLIC_CONFIG_KEYS = {
    "resblock": "resblock",
    "upsample_rates": "upsample_rates",
    "upsample_kernel_sizes": "upsample_kernel_sizes",
    "upsample_initial_channel": "upsample_initial_channel",
    "resblock_kernel_sizes": "resblock_kernel_sizes",
    "resblock_dilation_sizes": "resblock_dilation_sizes",
    "num_mels": "n_mels",
    "sampling_rate": "sample_rate",
    "hop_size": "hop_length",
}
BIGVGAN_CONFIG_KEYS = {
    "activation": "activation",
    "snake_logscale": "activation_logarithmic",
    "use_tanh_at_final": "head_tanh",
    "use_bias_at_final": "head_bias",
}  # BigVGAN's config has the first two; only version 2 has the others
MEL_KEYS = {"n_fft": "n_fft", "win_size": "win_length", "fmin": "f_min", "fmax": "f_max"}


def read_public_config(path: str | os.PathLike[str]) -> VocoderConfig:
    """Read the JSON config that lies beside a public checkpoint.

    Raises:
        ModelError: The file is missing or is not JSON.
        ConfigError: It is no config of either generator, its sizes have the wrong type, or it is for another mel.
    """
    try:
        values = read_json(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the vocoder's config {os.fspath(path)}: {error}") from error
    return convert_public_config(values)


def convert_public_config(values: Any, audio: AudioConfig | None = None) -> VocoderConfig:
    """The generator's sizes from the public JSON object, whose other keys concern training and are left out.

    Args:
        values: The object; a key "activation" says that it is BigVGAN's.
        audio: The mel that the vocoder is to be given; None leaves the mel unchecked.

    Raises:
        ConfigError: It is no JSON object, lacks a key of `PUBLIC_CONFIG_KEYS`, a value has the wrong type, or it was
            trained on a mel other than `audio`.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"a HiFi-GAN or BigVGAN config is a JSON object, got {type(values).__name__}")
    missing = [key for key in PUBLIC_CONFIG_KEYS if key not in values]
    if missing:
        raise ConfigError(f"the vocoder's config lacks {', '.join(missing)}; give the config.json of the checkpoint")
    if audio is not None:
        _check_mel(values, audio)
    known = PUBLIC_CONFIG_KEYS | (BIGVGAN_CONFIG_KEYS if "activation" in values else {})
    return VocoderConfig.from_dict({ours: values[key] for key, ours in known.items() if key in values})


def _check_mel(values: Mapping[str, Any], audio: AudioConfig) -> None:
    ours = {key: getattr(audio, name) for key, name in MEL_KEYS.items()}
    ours |= {"num_mels": audio.n_mels, "sampling_rate": audio.sample_rate, "hop_size": audio.hop_length}
    theirs = {key: values.get(key) for key in ours}
    if theirs["fmax"] is None:  # the public code's way to say half the sampling rate
        theirs["fmax"] = values["sampling_rate"] / 2
    if differing := [f"{key} {theirs[key]} instead of {ours[key]}" for key in ours if theirs[key] != ours[key]]:
        raise ConfigError(f"the vocoder was trained on another mel: {', '.join(differing)}; it would speak noise")


def read_public_checkpoint(path: str | os.PathLike[str], config: VocoderConfig) -> dict[str, Tensor]:
    """Read a public .pth or .pt generator file (tensors only, no code is run) and convert it.

    Returns:
        The state dict of `build_vocoder(config)`.

    Raises:
        ModelError: The file is missing, damaged or holds more than tensors, or its tensors do not fit the config.
    """
    state = read_checkpoint(path)
    if not isinstance(state, Mapping):
        raise ModelError(f"{os.fspath(path)} holds a {type(state).__name__}, not a generator's state dict")
    return convert_public_checkpoint(state, config)


def convert_public_checkpoint(state: Mapping[str, Any], config: VocoderConfig) -> dict[str, Tensor]:
    """Rename the public generator's tensors and fold their weight norm.

    Args:
        state: Tensors by public name, or {"generator": those}. A weight may be weight-normed in the older form
            (weight_g, weight_v) or the newer (parametrizations.weight.original0, original1), or be folded already.
        config: The generator's sizes, with head "waveform".

    Returns:
        The state dict of `build_vocoder(config)`, in the tensors' own dtype.

    Raises:
        ConfigError: The config describes neither a HiFi-GAN nor a BigVGAN generator.
        ModelError: A tensor is missing, unexpected, of the wrong shape, or no tensor.
    """
    if config.head != "waveform":
        raise ConfigError(f"a public vocoder checkpoint has head 'waveform', the config has {config.head!r}")
    if judges := {"mpd", "msd", "mrd", "optim_g"} & state.keys():
        raise ModelError(
            f"the checkpoint holds {', '.join(sorted(judges))}: it is of the discriminators and optimisers (do_…); the "
            "generator is in the file beside it (g_…)"
        )
    remaining = dict(state["generator"] if isinstance(state.get("generator"), Mapping) else state)
    for name, value in remaining.items():
        if not isinstance(name, str):
            raise ModelError(f"the vocoder checkpoint names a tensor {name!r:.80}, which is no text")
        if not isinstance(value, Tensor):
            raise ModelError(f"{name!r} in the vocoder checkpoint is of type {type(value).__name__}, not a tensor")
    if config.activation != "leaky_relu":
        _drop_filters(remaining)
    with torch.device("meta"):
        expected = build_vocoder(config).state_dict()
    converted: dict[str, Tensor] = {}
    missing: list[str] = []
    for name, like in expected.items():
        public = _public_name(name, config)
        tensor = _take(remaining, public)
        if tensor is None:
            missing.append(public)
        elif tensor.shape != like.shape:
            found, needed = tuple(tensor.shape), tuple(like.shape)
            raise ModelError(f"{public} in the vocoder checkpoint has shape {found}; the config needs {needed}")
        else:
            converted[name] = tensor
    faults = [("lacks", missing), ("has unexpected", sorted(remaining))]
    if told := [f"{verb} {_listed(names)}" for verb, names in faults if names]:
        raise ModelError(f"the vocoder checkpoint {' and '.join(told)}; are checkpoint and config of one model?")
    return converted


def _drop_filters(remaining: dict[str, Tensor]) -> None:
    """Take out BigVGAN's low-pass filters, which are no weights, if they are those that are computed here."""
    expected = half_band_filter(TAPS)
    for name in [name for name in remaining if re.search(r"\.(upsample|downsample\.lowpass)\.filter$", name)]:
        found = remaining.pop(name).float().flatten()
        if found.shape != expected.shape or not torch.allclose(found, expected, atol=1e-3):
            raise ModelError(f"{name} in the vocoder checkpoint is another low-pass filter than the published one")


def _public_name(name: str, config: VocoderConfig) -> str:
    """Our fusions.i.resblocks.j is the public resblocks.(i * blocks + j); BigVGAN nests its ups and activations."""
    blocks = len(config.resblock_kernel_sizes)

    def renumber(match: re.Match[str]) -> str:
        return f"resblocks.{int(match[1]) * blocks + int(match[2])}."

    public = re.sub(r"^fusions\.(\d+)\.resblocks\.(\d+)\.", renumber, name)
    if config.activation == "leaky_relu":
        return public
    return re.sub(r"\.(alpha|beta)$", r".act.\1", re.sub(r"^ups\.(\d+)\.", r"ups.\1.0.", public))


def _take(remaining: dict[str, Tensor], name: str) -> Tensor | None:
    """Remove and return the tensor, its weight norm folded; None where it is not there."""
    if name in remaining:
        return remaining.pop(name).detach().clone()
    module = name.rpartition(".")[0]
    normed = f"{module}.parametrizations.weight.original"
    for magnitude, direction in ((f"{name}_g", f"{name}_v"), (f"{normed}0", f"{normed}1")):
        if name.endswith(".weight") and magnitude in remaining and direction in remaining:
            return _fold(name, remaining.pop(magnitude).detach(), remaining.pop(direction).detach())
    return None


def _fold(name: str, magnitude: Tensor, direction: Tensor) -> Tensor:
    """Weight norm, w = g v / |v| with one norm for each index of the first axis (arXiv:1602.07868)."""
    if direction.dim() != 3 or magnitude.shape != (len(direction), 1, 1):
        shapes = f"{tuple(magnitude.shape)} and {tuple(direction.shape)}"
        raise ModelError(f"{name} in the vocoder checkpoint is weight-normed by tensors of unfit shapes {shapes}")
    norm: Tensor = torch.linalg.vector_norm(direction.double(), dim=(1, 2), keepdim=True)
    return (magnitude * direction / norm).to(direction.dtype)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
