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
    VerificationConfig,
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
    verification: VerificationConfig | None = None  # None: speakers are compared by the cosine alone

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """As `Config.from_dict`; kind and format_version come first, since they say which keys there may be."""
        if isinstance(values, dict):
            _check_format(values.get("kind", MODEL_KIND), values.get("format_version", FORMAT_VERSION))
        return super().from_dict(values)

    def __post_init__(self) -> None:
        _check_format(self.kind, self.format_version)
        _require_alike(
            n_mels={part: getattr(self, part).n_mels for part in ("audio", "acoustic", "vocoder")},
            embedding_dim={
                "speaker_encoder": self.speaker_encoder.embedding_dim,
                "acoustic": self.acoustic.speaker_embedding_dim,
            },
            sample_rate={part: getattr(self, part).sample_rate for part in ("audio", "vocoder")},
            hop_length={part: getattr(self, part).hop_length for part in ("audio", "vocoder")},
        )
        if self.aligner is not None:
            _require_alike(
                n_symbols={"acoustic": self.acoustic.n_symbols, "aligner": self.aligner.n_symbols},
                n_mels={"audio": self.audio.n_mels, "aligner": self.aligner.n_mels},
            )


def _require_alike(**sizes: dict[str, int]) -> None:
    """Refuse parts of a model that do not fit each other: for each size, what every part has."""
    for name, by_part in sizes.items():
        if len(set(by_part.values())) > 1:
            told = ", ".join(f"{value} in {part}" for part, value in by_part.items())
            raise ConfigError(f"the parts disagree on {name}: {told}; they must be the same")


def _check_format(kind: object, format_version: object) -> None:
    if kind != MODEL_KIND:
        raise ConfigError(f"kind is {kind!r}; this voxclone knows {MODEL_KIND!r}")
    if format_version != FORMAT_VERSION:
        raise ConfigError(
            f"format_version is {format_version!r}; this voxclone reads {FORMAT_VERSION}. "
            "Upgrade voxclone, or load another revision of the model."
        )
