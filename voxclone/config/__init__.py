"""What a model is: frozen, typed, unknown keys refused. What a call wants lives in the call's arguments."""

from voxclone.config.model import FORMAT_VERSION, MODEL_KIND, ModelConfig
from voxclone.config.parts import (
    RES2_SCALE,
    AcousticConfig,
    AlignerConfig,
    AudioConfig,
    SpeakerEncoderConfig,
    TextConfig,
    VerificationConfig,
    VocoderConfig,
)
from voxclone.config.reading import Config
from voxclone.config.watermark import WatermarkConfig

__all__ = [
    "FORMAT_VERSION",
    "MODEL_KIND",
    "RES2_SCALE",
    "AcousticConfig",
    "AlignerConfig",
    "AudioConfig",
    "Config",
    "ModelConfig",
    "SpeakerEncoderConfig",
    "TextConfig",
    "VerificationConfig",
    "VocoderConfig",
    "WatermarkConfig",
]
