"""HiFi-GAN's trunk, most of it at the mel's own rate, with an inverse-STFT head that turns the phase of a source.

The head of iSTFTNet (arXiv:2203.02395) after a single upsampling stage, the harmonic source of HiFTNet
(arXiv:2309.09493), and before the upsampling ConvNeXt blocks as in Vocos (arXiv:2306.00814), which cost little there.
The trunk sets each bin's magnitude, and its phase by turning the source's: what is hard to learn comes from the source.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from voxclone.config import VocoderConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.kernels.istft_head import istft_head
from voxclone.kernels.pulse_source import pulse_source
from voxclone.layers.convolution import Conv1d
from voxclone.layers.resblock import LEAKY_SLOPE, with_weight_norm
from voxclone.models.vocoder.hifigan import UpsamplingTrunk, require_mel
from voxclone.models.vocoder.source import PitchEstimator

NOISE_PERIOD = 1 << 16  # samples after which the source's noise repeats, 3 s
VOICED_NOISE = 0.05  # level of the source's noise under the pulses, whose own level is 1


class SourceISTFT(UpsamplingTrunk):
    """The bundle's vocoder. Arguments and errors as for `UpsamplingTrunk`; `head_n_fft` must suit the head's hop."""

    window: Tensor
    noise: Tensor

    def __init__(self, config: VocoderConfig, weight_norm: bool = False) -> None:
        super().__init__(config, weight_norm)
        hop, n_fft = config.head_hop_length, config.head_n_fft
        if n_fft < 2 * hop or (n_fft - hop) % 2:
            raise ConfigError(f"head_n_fft is {n_fft}; it must be {2 * hop} or more, by even steps")
        self.bins = n_fft // 2 + 1
        self.pitch = PitchEstimator(config.n_mels, channels=96)
        padding = (n_fft - hop) // 2
        self.source_in = with_weight_norm(
            nn.Conv1d(2, self.feature_channels, n_fft, stride=hop, padding=padding), weight_norm
        )
        self.conv_post = with_weight_norm(Conv1d(self.feature_channels, 2 * self.bins, 7, padding=3), weight_norm)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        noise = torch.randn(NOISE_PERIOD, generator=torch.Generator().manual_seed(0))
        self.register_buffer("noise", noise, persistent=False)

    def forward(self, mel: Tensor, f0: Tensor | None = None) -> Tensor:
        """Make the waveform; the same input gives the same samples.

        Args:
            mel: (B, n_mels, T) natural-log mel, T >= 1.
            f0: (B, T) Hz, 0 = unvoiced; None has it estimated from the mel.

        Returns:
            (B, T * hop_length) in [-1, 1].

        Raises:
            ModelError: The mel or the f0 has another shape.
        """
        return self.filter_source(mel, self.source(mel, f0))

    def source(self, mel: Tensor, f0: Tensor | None = None) -> Tensor:
        """As `forward`, the source that `filter_source` shapes: (B, 3, T * hop_length)."""
        self._check_shapes(mel, f0)
        if f0 is None:
            f0 = self.pitch.f0(mel)
        samples = mel.shape[2] * self.config.hop_length
        place = torch.arange(samples, device=mel.device) & (
            NOISE_PERIOD - 1
        )  # repeat() does not export for all lengths
        noise = self.noise.index_select(0, place)
        return self._source(f0, noise.expand(len(mel), -1), torch.zeros_like(f0[:, :1]))

    def synthesize(self, mel: Tensor, f0: Tensor, noise: Tensor, phase: Tensor) -> Tensor:
        """As `forward`, with the white noise (B, S) and the source's first phase (B, 1), radians, given."""
        return self.filter_source(mel, self._source(f0, noise, phase))

    def filter_source(self, mel: Tensor, source: Tensor) -> Tensor:
        """Speak with a source (B, 3, T * hop_length): (B, T * hop_length) in [-1, 1]."""
        x = self.features(mel, self._heard(source[:, :2]))
        weight, bias, hop = self.conv_post.weight, cast(Tensor, self.conv_post.bias), self.config.head_hop_length
        return istft_head(x, weight, bias, source[:, 2], self.window, hop_length=hop, slope=LEAKY_SLOPE)

    def _heard(self, source: Tensor) -> Tensor:
        """Pulses and noise (B, 2, S) at the head's rate, in float32 on a CPU.

        oneDNN's bfloat16 convolutions of few channels with a long kernel are wrong by their own size on processors with
        AMX (torch 2.12 and 2.13; tests/models/test_source_istft.py). Backwards they are right.
        """
        if source.device.type != "cpu":
            return cast(Tensor, self.source_in(source))
        with torch.autocast("cpu", enabled=False):
            return cast(Tensor, self.source_in(source))

    def _source(self, f0: Tensor, noise: Tensor, phase: Tensor) -> Tensor:
        """Pulses, white noise, and the mixture of both whose phase the head turns."""
        hop, rate = self.config.hop_length, self.config.sample_rate
        return pulse_source(f0, noise, phase, hop_length=hop, sample_rate=rate, voiced_noise=VOICED_NOISE)

    def _check_shapes(self, mel: Tensor, f0: Tensor | None) -> None:
        require_mel(mel, self.config.n_mels)
        if f0 is not None and f0.shape != (mel.shape[0], mel.shape[2]):
            raise ModelError(f"the f0 has shape {tuple(f0.shape)}; this mel needs {(mel.shape[0], mel.shape[2])}")
