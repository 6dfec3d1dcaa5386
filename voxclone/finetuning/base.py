"""The model that is fine-tuned, as its folder holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxclone import hub
from voxclone.config import ModelConfig
from voxclone.errors import ModelError
from voxclone.models.acoustic import AcousticModel
from voxclone.models.aligner import Aligner
from voxclone.models.identity import acoustic_id
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.synthesis.loading import read_fitting_config


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
        ModelError: The model is missing, damaged, of other phoneme symbols than this voxclone's, or has no aligner.
    """
    folder = hub.resolve(source, revision=revision)
    hub.check_integrity(folder)
    config = read_fitting_config(folder)
    if (sizes := config.aligner) is None:
        raise ModelError(f"{folder} has no aligner, which fine-tuning needs: take a model that has one")
    encoder = hub.build(lambda: SpeakerEncoder(config.speaker_encoder), folder / "speaker_encoder.safetensors").eval()
    acoustic = hub.build(lambda: AcousticModel(config.acoustic), folder / "acoustic.safetensors").eval()
    aligner = hub.build(lambda: Aligner(sizes), folder / "aligner.safetensors").eval()
    return BaseModel(folder, config, encoder, acoustic, aligner, acoustic_id(acoustic))
