"""What a model is: frozen, typed, unknown keys refused. What a call wants lives in the call's arguments."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Self

from voxclone.errors import ConfigError

FORMAT_VERSION = 1
MODEL_KIND: typing.Final = "voxclone"

# A configuration may come from a stranger: what it asks for is bounded before anything is built.
RES2_SCALE = 8  # groups of channels in a Res2Net block
MAX_INTEGER = 1 << 20
MAX_LAYERS = 256
MAX_ITEMS = 64  # of a list
MAX_TEXT = 200  # characters
MAX_SPEEDS = 32  # at which a mark is listened for
_MOST = {"n_fft": 1 << 14, "short_n_fft": 1 << 14, "head_n_fft": 1 << 14, "n_mels": 512, "n_symbols": 1 << 14}


@dataclass(frozen=True)
class Config:
    """A frozen dataclass that reads from and writes to plain JSON values."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from a JSON object.

        Raises:
            ConfigError: A key is unknown or missing, or a value has another type than its field.
        """
        if not isinstance(values, dict):
            raise ConfigError(f"{cls.__name__} needs a JSON object, got {type(values).__name__}")
        hints = typing.get_type_hints(cls)
        names = [f.name for f in dataclasses.fields(cls)]
        for key in values:
            if key not in names:
                near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
                meant = f" (did you mean {near[0]!r}?)" if near else ""
                raise ConfigError(
                    f"{cls.__name__}: unknown key {key!r}{meant}; known are {', '.join(map(repr, names))}"
                )
        for each in dataclasses.fields(cls):
            required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
            if required and each.name not in values:
                raise ConfigError(f"{cls.__name__}: key {each.name!r} is missing")
        return cls(**{key: _read(cls, key, hints[key], value) for key, value in values.items()})

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `from_dict` reads back to an equal config."""
        return dataclasses.asdict(self)


def _read(owner: type, key: str, hint: Any, value: Any) -> Any:
    """Check one JSON value against its field's type, building nested configs and tuples."""
    if isinstance(hint, type) and issubclass(hint, Config):
        return hint.from_dict(value)
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            raise ConfigError(f"{owner.__name__}.{key} is {value!r}; it must be one of {typing.get_args(hint)}")
        return value
    if origin is types.UnionType:  # of one type and None
        kind = next(each for each in typing.get_args(hint) if each is not types.NoneType)
        return None if value is None else _read(owner, key, kind, value)
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or len(value) > MAX_ITEMS:
            raise ConfigError(f"{owner.__name__}.{key} must be a list of at most {MAX_ITEMS}, got {value!r:.80}")
        inner = typing.get_args(hint)[0]
        return tuple(_read(owner, key, inner, item) for item in value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):  # Python's json reads NaN and Infinity
            raise ConfigError(f"{owner.__name__}.{key} must be finite, got {value!r}")
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{owner.__name__}.{key} must be {hint.__name__}, got {value!r}")
    most = _MOST.get(key, MAX_LAYERS if key.endswith("_layers") else MAX_INTEGER)
    if isinstance(value, int) and abs(value) > most:
        raise ConfigError(f"{owner.__name__}.{key} is {value:.3g}; at most {most} can be used")
    if isinstance(value, str) and (len(value) > MAX_TEXT or not value.isprintable()):
        raise ConfigError(f"{owner.__name__}.{key} must be at most {MAX_TEXT} printable characters")
    return value


@dataclass(frozen=True)
class AudioConfig(Config):
    """The mel that acoustic model and vocoder share: that of the public HiFi-GAN 22 kHz checkpoints."""

    sample_rate: int = 22050  # Hz
    n_fft: int = 1024  # samples
    win_length: int = 1024  # samples
    hop_length: int = 256  # samples
    n_mels: int = 80
    f_min: float = 0.0  # Hz
    f_max: float = 8000.0  # Hz
    mel_floor: float = 1e-5  # linear magnitude below which the natural log is cut

    def __post_init__(self) -> None:
        _check_mel(self)


def _check_mel(config: AudioConfig | SpeakerEncoderConfig) -> None:
    owner = type(config).__name__
    if not 0 < config.hop_length <= config.win_length <= config.n_fft:
        raise ConfigError(f"{owner} needs 0 < hop_length <= win_length <= n_fft")
    if not 0 <= config.f_min < config.f_max <= config.sample_rate / 2:
        raise ConfigError(f"{owner} needs 0 <= f_min < f_max <= sample_rate / 2")
    if (config.n_fft - config.hop_length) % 2:
        raise ConfigError(f"{owner}.n_fft - hop_length must be even, so that frames are centred on half hops")
    _at_least(config, 1, "n_mels")


def _at_least(config: Config, least: int, *names: str) -> None:
    for name in names:
        if getattr(config, name) < least:
            raise ConfigError(f"{type(config).__name__}.{name} is {getattr(config, name)}; it must be at least {least}")


def _odd(config: Config, *names: str) -> None:
    """Refuse the kernel sizes that do not keep a sequence's length."""
    _at_least(config, 1, *names)
    for name in names:
        if getattr(config, name) % 2 == 0:
            raise ConfigError(f"{type(config).__name__}.{name} is {getattr(config, name)}; it must be odd")


@dataclass(frozen=True)
class TextConfig(Config):
    """Which symbols the acoustic model was trained on."""

    language: str = "en-us"
    symbols_version: int = 1


@dataclass(frozen=True)
class SpeakerEncoderConfig(Config):
    """Sizes of the speaker encoder, and its own 16 kHz mel."""

    sample_rate: int = 16000  # Hz
    n_fft: int = 512  # samples
    win_length: int = 400  # samples
    hop_length: int = 160  # samples
    n_mels: int = 80
    f_min: float = 20.0  # Hz
    f_max: float = 7600.0  # Hz
    mel_floor: float = 1e-5  # linear magnitude below which the natural log is cut
    trunk: typing.Literal["tdnn", "ecapa", "resnet"] = "tdnn"
    channels: int = 256  # of the first stage, where each stage doubles them
    stage_blocks: tuple[int, ...] = (3, 4, 6, 3)  # of the "resnet" trunk
    entry_stride: int = 4  # frames of the mel for each of the trunk
    dilations: tuple[int, ...] = (1, 2, 3, 4)  # one block each
    kernel_size: int = 5
    pooled_channels: int = 384
    attention_channels: int = 128
    embedding_dim: int = 192
    same_speaker_threshold: float | None = None  # cosine that 1 % of pairs of different speakers reach, measured
    space: str | None = None  # encoder_id of the encoder whose embeddings it was trained to keep giving

    def __post_init__(self) -> None:
        _check_mel(self)
        _at_least(self, 4, "channels")  # the squeeze takes a quarter of them
        _at_least(self, 1, "entry_stride", "pooled_channels", "attention_channels", "embedding_dim")
        _odd(self, "kernel_size")
        if self.trunk == "ecapa" and self.channels % RES2_SCALE:
            raise ConfigError(
                f"SpeakerEncoderConfig.channels is {self.channels}; the ecapa trunk needs a multiple of {RES2_SCALE}"
            )
        if not self.stage_blocks or min(self.stage_blocks) < 1 or sum(self.stage_blocks) > MAX_LAYERS:
            raise ConfigError(
                f"SpeakerEncoderConfig.stage_blocks is {self.stage_blocks}; it needs one or more, each 1 or more"
            )
        if not self.dilations or min(self.dilations) < 1:
            raise ConfigError(
                f"SpeakerEncoderConfig.dilations is {self.dilations}; it needs one or more, each 1 or more"
            )
        if self.space is not None and not re.fullmatch("[0-9a-f]{16}", self.space):
            raise ConfigError(f"SpeakerEncoderConfig.space is {self.space!r}; it is an encoder_id, 16 hex digits")


@dataclass(frozen=True)
class AcousticConfig(Config):
    """Sizes of the FastSpeech-style acoustic model."""

    n_symbols: int
    n_mels: int = 80
    speaker_embedding_dim: int = 192
    hidden_dim: int = 256
    attention_heads: int = 4
    encoder_layers: int = 4
    encoder_kernel_size: int = 5
    decoder_layers: int = 6
    decoder_kernel_size: int = 7
    expansion: int = 3  # of the decoder's pointwise layers
    frames_per_step: int = 2  # mel frames that one decoder step makes
    predictor_layers: int = 3
    predictor_kernel_size: int = 3
    dropout: float = 0.1
    predictor_dropout: float = 0.2
    manner: bool = False  # whether it is told how fast and how lively the speaker speaks
    quality_dims: int = 0  # measures of the recording that a mel is conditioned on, see `recording_quality`
    calibrated: bool = False  # whether the spread of real prosody is stored beside the predictors
    pauses: bool = False  # whether pauses are predicted where the text marks none

    def __post_init__(self) -> None:
        _at_least(self, 1, "n_symbols", "n_mels", "speaker_embedding_dim", "hidden_dim", "attention_heads")
        _at_least(self, 1, "expansion", "frames_per_step")
        _odd(self, "encoder_kernel_size", "decoder_kernel_size", "predictor_kernel_size")
        if self.hidden_dim % self.attention_heads:
            raise ConfigError("AcousticConfig.hidden_dim must be a multiple of attention_heads")
        _at_least(self, 0, "quality_dims")
        for name in ("dropout", "predictor_dropout"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise ConfigError(f"AcousticConfig.{name} is {getattr(self, name)}; it must be within 0 and 0.5")


@dataclass(frozen=True)
class AlignerConfig(Config):
    """Sizes of the aligner, which says when each phoneme of a recording is spoken."""

    n_symbols: int
    n_mels: int = 80
    dim: int = 192  # of the phoneme embedding
    cepstra: int = 20  # of the mel; their slopes are features too
    states: int = 1  # of a sound, each of a frame or more; a pause has one
    components: int = 2  # Gaussians of a pause's state; a sound's has one
    pause_ids: tuple[int, ...] = ()  # symbols that may be silent

    def __post_init__(self) -> None:
        _at_least(self, 1, "n_symbols", "n_mels", "dim", "cepstra", "states", "components")
        if any(not 0 <= each < self.n_symbols for each in self.pause_ids):
            raise ConfigError(f"AlignerConfig.pause_ids has {self.pause_ids}; there are {self.n_symbols} symbols")
        if self.cepstra > self.n_mels:
            raise ConfigError(f"AlignerConfig.cepstra is {self.cepstra}; there are at most n_mels = {self.n_mels}")


@dataclass(frozen=True)
class VocoderConfig(Config):
    """A HiFi-GAN generator (arXiv:2010.05646): public V1, V2, V3, or with an iSTFT head and harmonic source.

    With an `activation` of "snake" or "snakebeta" it is BigVGAN's (arXiv:2206.04658). With `head` "istft", the
    generator's frames are turned to samples by an inverse STFT of hop hop_length / prod(upsample_rates).
    """

    n_mels: int = 80
    sample_rate: int = 22050  # Hz
    hop_length: int = 256  # samples
    upsample_rates: tuple[int, ...] = (8, 8, 2, 2)
    upsample_kernel_sizes: tuple[int, ...] = (16, 16, 4, 4)
    upsample_initial_channel: int = 512
    resblock: typing.Literal["1", "2"] = "1"
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    frame_blocks: int = 0  # ConvNeXt blocks at the mel's rate, before the upsampling
    head: typing.Literal["waveform", "source_istft"] = "waveform"
    head_n_fft: int = 0  # samples; 0 where the head is "waveform"
    activation: typing.Literal["leaky_relu", "snake", "snakebeta"] = "leaky_relu"
    activation_logarithmic: bool = False  # a snake's parameters are stored as logarithms
    head_tanh: bool = True  # BigVGAN only: the last convolution's output is bent into [-1, 1], else it is cut
    head_bias: bool = True  # BigVGAN only: the last convolution has a bias

    @property
    def head_hop_length(self) -> int:
        """Samples for each frame of the last stage."""
        hop = self.hop_length
        for rate in self.upsample_rates:
            hop //= rate
        return hop


@dataclass(frozen=True)
class WatermarkConfig(Config):
    """Sizes of the watermark detector, and the thresholds that calibration on natural speech found."""

    sample_rate: int = 16000  # Hz
    n_fft: int = 512  # samples of the long window
    hop_length: int = 128  # samples
    short_n_fft: int = 128  # samples of the short window
    short_hop_length: int = 32  # samples
    smooth_bins: int = 33  # of the long window's spectrum, whose mean is taken away
    entry_stride: int = 2  # hops for each frame that is judged
    channels: int = 112
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)  # one block each
    pilot_hertz: float = 22050 / 256  # of the pilot in the vocoder's speech: its mel frames in a second
    pilot_bands: int = 10  # of 500 Hz from 0 on, that the pilot is in
    pilot_hops: int = 1000  # short hops over which the pilot is summed up
    pilot_local_hops: int = 250  # short hops over which level is taken to be steady
    threshold: float = 2.0  # on the score of two seconds: one natural window in a thousand passes it
    doubt: float = 0.0  # on the same: one natural window in a hundred passes it
    output_threshold: float | None = None  # on the score of an output, at its own speed; None: `doubt`
    threshold_short: float = 1.0  # added to both for windows of one second
    threshold_tail: float = 1.0  # added to both each time that the audio is e times as long
    long_windows: tuple[float, ...] = ()  # seconds of longer windows, which take less evidence
    long_thresholds: tuple[float, ...] = ()  # for each of them, as `threshold`
    long_tails: tuple[float, ...] = ()  # for each of them, as `threshold_tail`
    speeds: tuple[float, ...] = ()  # besides 1, how many times as fast as it was made speech is listened for
    speed_cost: float = 0.0  # taken from the score at those speeds: each is a chance to be wrong

    def __post_init__(self) -> None:
        _at_least(self, 1, "sample_rate", "short_hop_length", "entry_stride", "channels")
        _at_least(self, 1, "pilot_bands", "pilot_hops", "pilot_local_hops")
        _odd(self, "smooth_bins")
        for length, hop in ((self.n_fft, self.hop_length), (self.short_n_fft, self.short_hop_length)):
            if not 0 < hop <= length or length % 2:
                raise ConfigError("WatermarkConfig needs even windows, each at least as long as its hop")
        if self.hop_length % self.short_hop_length:
            raise ConfigError("WatermarkConfig.hop_length must be a multiple of short_hop_length")
        if self.doubt > self.threshold or min(self.threshold_short, self.threshold_tail) < 0:
            raise ConfigError("WatermarkConfig needs doubt <= threshold, and additions that are not negative")
        if not len(self.long_windows) == len(self.long_thresholds) == len(self.long_tails):
            raise ConfigError("WatermarkConfig needs as many long_thresholds and long_tails as long_windows")
        if len(self.speeds) > MAX_SPEEDS or not all(0.5 <= speed <= 2 for speed in self.speeds) or self.speed_cost < 0:
            raise ConfigError(
                f"WatermarkConfig.speeds is {self.speeds}; at most {MAX_SPEEDS} can be tried, each from 0.5 to 2, at a "
                "cost that is not negative"
            )
        if not self.dilations or min(self.dilations) < 1:
            raise ConfigError(f"WatermarkConfig.dilations is {self.dilations}; it needs one or more, each 1 or more")

    @property
    def frame_length(self) -> int:
        """Samples for each frame that is judged."""
        return self.hop_length * self.entry_stride

    @property
    def context(self) -> int:
        """Samples on either side of a frame that bear on it, at most."""
        pilot = self.short_n_fft + self.short_hop_length * (self.pilot_hops // 2 + 2 * (self.pilot_local_hops // 2) + 1)
        return max(self.n_fft + self.hop_length, pilot) + self.frame_length * (1 + sum(self.dilations))


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
