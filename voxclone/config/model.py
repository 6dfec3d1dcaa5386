"""A whole model folder's config.json."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from typing import Any, Self

from voxclone.config.parts import (
    AcousticConfig,
    AlignerConfig,
    AudioConfig,
    SpeakerEncoderConfig,
    TextConfig,
    VocoderConfig,
)
from voxclone.config.reading import Config
from voxclone.config.watermark import WatermarkConfig
from voxclone.errors import ConfigError

FORMAT_VERSION = 1
MODEL_KIND: typing.Final = "voxclone"


@dataclass(frozen=True)
class ModelConfig(Config):
    """A whole model folder's config.json."""

    acoustic: AcousticConfig
    name: str = "voxclone"
    kind: typing.Literal["voxclone"] = MODEL_KIND
    format_version: int = FORMAT_VERSION
    audio: AudioConfig = field(default_factory=AudioConfig)
    text: TextConfig = field(default_factory=TextConfig)
    speaker_encoder: SpeakerEncoderConfig = field(default_factory=SpeakerEncoderConfig)
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)
    aligner: AlignerConfig | None = None  # None: the model cannot align recordings with text
    watermark: WatermarkConfig | None = None  # None: the model has no detector

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """As `Config.from_dict`; kind and format_version come first, since they say which keys there may be."""
        if isinstance(values, dict):
            _check_format(values.get("kind", MODEL_KIND), values.get("format_version", FORMAT_VERSION))
        return super().from_dict(values)

    def __post_init__(self) -> None:
        _check_format(self.kind, self.format_version)
        if not self.audio.n_mels == self.acoustic.n_mels == self.vocoder.n_mels:
            raise ConfigError("audio, acoustic and vocoder disagree on n_mels")
        if self.speaker_encoder.embedding_dim != self.acoustic.speaker_embedding_dim:
            raise ConfigError("speaker_encoder.embedding_dim and acoustic.speaker_embedding_dim differ")
        if (self.audio.sample_rate, self.audio.hop_length) != (self.vocoder.sample_rate, self.vocoder.hop_length):
            raise ConfigError("audio and vocoder disagree on sample_rate or hop_length")
        sizes = (self.acoustic.n_symbols, self.audio.n_mels)
        if self.aligner is not None and (self.aligner.n_symbols, self.aligner.n_mels) != sizes:
            raise ConfigError("aligner and acoustic disagree on n_symbols or n_mels")


def _check_format(kind: object, format_version: object) -> None:
    if kind != MODEL_KIND:
        raise ConfigError(f"kind is {kind!r}; this voxclone knows {MODEL_KIND!r}")
    if format_version != FORMAT_VERSION:
        raise ConfigError(
            f"format_version is {format_version!r}; this voxclone reads {FORMAT_VERSION}. "
            "Upgrade voxclone, or load another revision of the model."
        )
