"""The FastSpeech-style acoustic model."""

from voxclone.models.acoustic.length_regulator import regulate_length
from voxclone.models.acoustic.model import AcousticModel, AcousticOutput

__all__ = ["AcousticModel", "AcousticOutput", "regulate_length"]
