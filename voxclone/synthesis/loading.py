"""A model's folder to its modules and voices."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from voxclone import hub
from voxclone.config import ModelConfig
from voxclone.errors import ConfigError, ConsentError, ModelError, VoiceError
from voxclone.models.acoustic import AcousticModel
from voxclone.models.aligner import Aligner
from voxclone.models.cohort import Cohort
from voxclone.models.identity import weights_id
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.models.vocoder import build_vocoder
from voxclone.text.symbols import SYMBOLS, SYMBOLS_VERSION
from voxclone.voice import Voice

UNIT_LENGTH_ERROR = 0.01  # of a cohort's embeddings, which are stored as fp16


class Modules(NamedTuple):
    """What a model computes with; None for what it has not."""

    speaker_encoder: SpeakerEncoder
    acoustic: AcousticModel
    vocoder: nn.Module
    aligner: Aligner | None
    cohort: Cohort | None


def read_fitting_config(folder: Path) -> ModelConfig:
    """A model folder's configuration.

    Raises:
        ModelError: It is missing or wrong, or the model was trained on other phoneme symbols than this voxclone has.
    """
    config = hub.read_config(folder)
    expected = (config.text.symbols_version, config.acoustic.n_symbols)
    if expected != (SYMBOLS_VERSION, len(SYMBOLS)):
        raise ModelError(
            f"{folder} was trained on {expected[1]} phoneme symbols (version {expected[0]}); this voxclone has "
            f"{len(SYMBOLS)} (version {SYMBOLS_VERSION}). Install the voxclone that the model was made with."
        )
    return config


def build_parts(folder: Path, config: ModelConfig, device: torch.device) -> Modules:
    """A model folder's modules on a device.

    Raises:
        ModelError: A file is missing, damaged, or does not fit the configuration.
    """
    speaker_encoder = hub.build(lambda: SpeakerEncoder(config.speaker_encoder), folder / "speaker_encoder.safetensors")
    acoustic = hub.build(lambda: AcousticModel(config.acoustic), folder / "acoustic.safetensors")
    vocoder = hub.build(lambda: build_vocoder(config.vocoder), folder / "vocoder.safetensors")
    aligner = None
    if (sizes := config.aligner) is not None:
        aligner = hub.build(lambda: Aligner(sizes), folder / "aligner.safetensors").to(device)
    cohort = _build_cohort(folder, config, speaker_encoder)
    return Modules(
        speaker_encoder.to(device),
        acoustic.to(device),
        vocoder.to(device),
        aligner,
        None if cohort is None else cohort.to(device),
    )


def _build_cohort(folder: Path, config: ModelConfig, speaker_encoder: SpeakerEncoder) -> Cohort | None:
    """The cohort of a model folder that has one: against another encoder's, strangers would pass for one speaker."""
    if (verification := config.verification) is None:
        return None
    path, width = folder / "cohort.safetensors", config.speaker_encoder.embedding_dim
    cohort = hub.build(lambda: Cohort(verification, width), path)
    remedy = "make it anew with recipes/speaker_encoder/cohort.py"
    if (own := weights_id(speaker_encoder)) != verification.encoder:
        raise ModelError(
            f"{path} was made with speaker encoder {verification.encoder}, and the model's is {own}: {remedy}"
        )
    if not ((cohort.embeddings.norm(dim=1) - 1).abs() < UNIT_LENGTH_ERROR).all():
        raise ModelError(f"{path} holds embeddings that are not of unit length: {remedy}")
    return cohort


def example_voices(folder: Path) -> dict[str, Voice]:
    """A model folder's voices by name, without those whose consent has expired or was revoked.

    Raises:
        ModelError: One is damaged.
    """
    voices = {}
    for path in sorted((folder / "voices").glob("*.voice")):
        try:
            voices[path.stem] = Voice.load(path)
        except ConsentError:
            continue
        except VoiceError as error:
            raise ModelError(f"{folder} has a damaged voice: {error}") from error
    return voices


def choose_device(name: str | torch.device) -> torch.device:
    """A device by name; "auto" is CUDA where there is one, else the CPU.

    Raises:
        ConfigError: It cannot be used here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # unknown; or torch was built without it
        raise ConfigError(f"device {name!r} cannot be used here: {error}") from error
    return device
