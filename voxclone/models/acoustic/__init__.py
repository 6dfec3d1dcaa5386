"""The FastSpeech-style acoustic model."""

from voxclone.models.acoustic.delivery import Delivery, phoneme_delivery
from voxclone.models.acoustic.length_regulator import regulate_length
from voxclone.models.acoustic.model import AcousticModel
from voxclone.models.acoustic.plan import AcousticOutput, Plan

__all__ = ["AcousticModel", "AcousticOutput", "Delivery", "Plan", "phoneme_delivery", "regulate_length"]
