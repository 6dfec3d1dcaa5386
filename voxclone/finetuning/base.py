"""The model that is fine-tuned, as its folder holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from voxclone import hub
from voxclone.config import ModelConfig
from voxclone.errors import ModelError
from voxclone.models.acoustic import AcousticModel
from voxclone.models.aligner import Aligner
from voxclone.models.identity import acoustic_id
from voxclone.models.speaker_encoder import SpeakerEncoder


@dataclass(frozen=True)
class BaseModel:
    """What fine-tuning needs of a model.

    Attributes:
        folder: Where it lies.
        acoustic_id: See `voxclone.models.identity.acoustic_id`.
    """

    folder: Path
    config: ModelConfig
    speaker_encoder: SpeakerEncoder
    acoustic: AcousticModel
    aligner: Aligner
    acoustic_id: str


def load_base(source: str | Path | None, revision: str | None = None) -> BaseModel:
    """Load a model's parts on the CPU.

    Args:
        source: As for `VoxClone.from_pretrained`.
        revision: Likewise.

    Raises:
        ModelError: The model is missing, damaged, or has no aligner.
    """
    folder = hub.resolve(source, revision=revision)
    hub.check_integrity(folder)
    config = hub.read_config(folder)
    if config.aligner is None:
        raise ModelError(f"{folder} has no aligner, which fine-tuning needs: take a model that has one")

    def loaded(part: nn.Module, name: str) -> nn.Module:
        hub.load_weights(part, folder / f"{name}.safetensors")
        return part.eval()

    encoder, acoustic = SpeakerEncoder(config.speaker_encoder), AcousticModel(config.acoustic)
    aligner = Aligner(config.aligner)
    with torch.inference_mode(False):
        loaded(encoder, "speaker_encoder")
        loaded(acoustic, "acoustic")
        loaded(aligner, "aligner")
    return BaseModel(folder, config, encoder, acoustic, aligner, acoustic_id(acoustic))
