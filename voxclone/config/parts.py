"""What the networks of a model are, and the mel that they share."""

from __future__ import annotations

import re
import typing
from dataclasses import dataclass

from voxclone.config.reading import MAX_LAYERS, Config, at_least, odd
from voxclone.errors import ConfigError

RES2_SCALE = 8  # groups of channels in a Res2Net block


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
    at_least(config, 1, "n_mels")


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
        at_least(self, 4, "channels")  # the squeeze takes a quarter of them
        at_least(self, 1, "entry_stride", "pooled_channels", "attention_channels", "embedding_dim")
        odd(self, "kernel_size")
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
class VerificationConfig(Config):
    """How two recordings are held against a cohort of voices, see `voxclone.models.cohort`."""

    cohort_size: int  # voices
    encoder: str  # weights_id of the speaker encoder that they were made with
    nearest: int = 50  # of them, that count
    threshold: float | None = None  # score that 1 % of pairs of different speakers reach, measured

    def __post_init__(self) -> None:
        at_least(self, 2, "nearest")
        if not re.fullmatch("[0-9a-f]{16}", self.encoder):
            raise ConfigError(f"VerificationConfig.encoder is {self.encoder!r}; it is a weights_id, 16 hex digits")
        if self.nearest > self.cohort_size:
            raise ConfigError(
                f"VerificationConfig.nearest is {self.nearest}; the cohort has only {self.cohort_size} voices"
            )


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
        at_least(self, 1, "n_symbols", "n_mels", "speaker_embedding_dim", "hidden_dim", "attention_heads")
        at_least(self, 1, "expansion", "frames_per_step")
        odd(self, "encoder_kernel_size", "decoder_kernel_size", "predictor_kernel_size")
        if self.hidden_dim % self.attention_heads:
            raise ConfigError("AcousticConfig.hidden_dim must be a multiple of attention_heads")
        at_least(self, 0, "quality_dims")
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
        at_least(self, 1, "n_symbols", "n_mels", "dim", "cepstra", "states", "components")
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
