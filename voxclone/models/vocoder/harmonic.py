"""HiFi-GAN's trunk with an inverse-STFT head that shapes a harmonic-plus-noise source.

The head of iSTFTNet (arXiv:2203.02395) and the source of HiFTNet (arXiv:2309.09493), joined by a product: the trunk
makes, for each frame of a short STFT, a complex filter for an impulse train at f0 and a gain for white noise. The phase
that is hard to learn then comes from the source, so that spectral losses alone give a usable voice.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.config import VocoderConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.kernels.precision import at_inference
from voxclone.layers.convolution import Conv1d
from voxclone.layers.resblock import LEAKY_SLOPE, with_weight_norm
from voxclone.models.vocoder.hifigan import UpsamplingTrunk

MAX_LOG_GAIN = 6.0


class HarmonicISTFT(UpsamplingTrunk):
    """The bundle's vocoder. Arguments and errors as for `UpsamplingTrunk`; `head_n_fft` must suit the head's hop."""

    window: Tensor

    def __init__(self, config: VocoderConfig, weight_norm: bool = False) -> None:
        super().__init__(config, weight_norm)
        hop, n_fft = config.head_hop_length, config.head_n_fft
        if n_fft < 2 * hop or n_fft % 2 or (n_fft - hop) % 2:
            raise ConfigError(f"head_n_fft is {n_fft}; an even number of at least twice the head's hop {hop} is needed")
        self.bins = n_fft // 2 + 1
        self.pitch = PitchEstimator(config.n_mels)
        self.source_in = with_weight_norm(Conv1d(2 * self.bins, self.feature_channels, 3, padding=1), weight_norm)
        self.conv_post = with_weight_norm(Conv1d(self.feature_channels, 3 * self.bins, 7, padding=3), weight_norm)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

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
        """As `forward`, the pulses and white noise that `filter_source` shapes: (B, 2, T * hop_length)."""
        self._check_shapes(mel, f0)
        if f0 is None:
            f0 = self.pitch.f0(mel)
        pulses = self._pulses(f0, torch.zeros_like(f0[:, :1]))
        noise = torch.randn(1, pulses.shape[1], generator=torch.Generator().manual_seed(0)).to(pulses)
        return torch.stack([pulses, noise.expand(len(mel), -1)], 1)

    def synthesize(self, mel: Tensor, f0: Tensor, noise: Tensor, phase: Tensor) -> Tensor:
        """As `forward`, with the white noise (B, S) and the source's first phase (B, 1), radians, given."""
        return self.filter_source(mel, torch.stack([self._pulses(f0, phase), noise], 1))

    def filter_source(self, mel: Tensor, source: Tensor) -> Tensor:
        """Shape pulses and noise (B, 2, T * hop_length): (B, T * hop_length) in [-1, 1]."""
        harmonic, aperiodic = (self._stft(part) for part in source.unbind(1))
        *stages, last = zip(self.ups, self.fusions, strict=True)
        x = self.conv_pre(at_inference(mel, self.precision))
        for up, fusion in stages:
            x = fusion(up(x, LEAKY_SLOPE))
        up, fusion = last
        source_in = self.source_in(torch.cat([harmonic.real, harmonic.imag], 1).to(x.dtype))
        x = fusion(up(x, LEAKY_SLOPE) + source_in)
        gain, turn, noise_gain = self.conv_post(x, LEAKY_SLOPE).float().chunk(3, 1)
        shaped = harmonic * torch.polar(_gain(gain), turn) + aperiodic * _gain(_smooth_over_bins(noise_gain))
        return self._istft(shaped).clamp(-1, 1)

    def _pulses(self, f0: Tensor, phase: Tensor) -> Tensor:
        return impulse_train(f0, self.config.hop_length, self.config.sample_rate, phase)

    def _check_shapes(self, mel: Tensor, f0: Tensor | None) -> None:
        bands = self.config.n_mels
        if mel.dim() != 3 or mel.shape[1] != bands or mel.shape[2] == 0:
            raise ModelError(f"the mel has shape {tuple(mel.shape)}; this vocoder needs (B, {bands}, T >= 1)")
        if f0 is not None and f0.shape != (mel.shape[0], mel.shape[2]):
            raise ModelError(f"the f0 has shape {tuple(f0.shape)}; this mel needs {(mel.shape[0], mel.shape[2])}")

    def _stft(self, waveform: Tensor) -> Tensor:
        """(B, S) to complex (B, bins, S / hop); frame j is centred on (j + 1/2) hop."""
        n_fft, hop = self.config.head_n_fft, self.config.head_hop_length
        padded = F.pad(waveform, ((n_fft - hop) // 2, (n_fft - hop) // 2))
        scale = self.window.square().sum().rsqrt()
        return torch.stft(padded, n_fft, hop, n_fft, self.window, center=False, return_complex=True) * scale

    def _istft(self, spectrum: Tensor) -> Tensor:
        """Complex (B, bins, J) to (B, J * hop), by overlap-add."""
        n_fft, hop = self.config.head_n_fft, self.config.head_hop_length
        frames = torch.fft.irfft(spectrum, n_fft, dim=1) * self.window[:, None]
        length = (frames.shape[2] - 1) * hop + n_fft
        summed = _overlap_add(frames, hop, length)
        weight = _overlap_add(self.window.square()[None, :, None].expand(1, -1, frames.shape[2]), hop, length)
        edge = (n_fft - hop) // 2
        scale = self.window.square().sum().sqrt()
        return (summed / weight.clamp(min=1e-3))[:, edge : length - edge] * scale


class PitchEstimator(nn.Module):
    """f0 and voicing of a mel's frames, for mels that come without."""

    def __init__(self, n_mels: int, channels: int = 128, kernel_size: int = 5) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.layers = nn.Sequential(
            Conv1d(n_mels, channels, kernel_size, padding=padding),
            nn.ReLU(),
            Conv1d(channels, channels, kernel_size, padding=padding),
            nn.ReLU(),
            Conv1d(channels, 2, kernel_size, padding=padding),
        )

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n_mels, T) to log2-f0 in octaves above 128 Hz, and voicing logits, both (B, T)."""
        made = self.layers(mel / 4 + 1).float()
        return made[:, 0], made[:, 1]

    def f0(self, mel: Tensor) -> Tensor:
        """(B, n_mels, T) to (B, T) Hz, 0 = unvoiced."""
        octaves, voicing = self(mel)
        return torch.where(voicing > 0, 128 * 2 ** octaves.clamp(-1.5, 2.5), torch.zeros_like(voicing))


def impulse_train(f0: Tensor, hop_length: int, sample_rate: int, phase: Tensor) -> Tensor:
    """All harmonics of f0 below Nyquist in cosine phase, at unit power; silent where unvoiced.

    Args:
        f0: (B, T) Hz, 0 = unvoiced.
        hop_length: Samples for each frame.
        sample_rate: Hz.
        phase: (B, 1) radians at the start.

    Returns:
        (B, T * hop_length).
    """
    voiced = (f0 > 0).float().repeat_interleave(hop_length, 1)
    dense = _interpolate(_fill_unvoiced(f0), hop_length)
    radians = torch.cumsum(dense.double() * (2 * math.pi / sample_rate), 1) + phase
    half = torch.remainder(radians, 2 * math.pi).float() / 2
    harmonics = (0.5 * sample_rate / dense).floor().clamp(min=1)
    sine = torch.sin(half)
    small = sine.abs() < 1e-4
    kernel = torch.sin((2 * harmonics + 1) * half) / torch.where(small, torch.ones_like(sine), sine)
    total = (torch.where(small, 2 * harmonics + 1, kernel) - 1) / 2  # the sum of cos(k radians), k = 1 … harmonics
    return total * torch.sqrt(2 / harmonics) * voiced


def _fill_unvoiced(f0: Tensor) -> Tensor:
    """Unvoiced frames take the last voiced value, or the first one to come, or 128 Hz."""
    index = torch.arange(f0.shape[1], device=f0.device).expand_as(f0)
    voiced = f0 > 0
    before = torch.cummax(torch.where(voiced, index, torch.full_like(index, -1)), 1).values
    ahead = torch.where(voiced, index, torch.full_like(index, f0.shape[1])).min(1, keepdim=True).values
    source = torch.where(before >= 0, before, ahead).clamp(max=f0.shape[1] - 1)
    filled = torch.gather(f0, 1, source)
    return torch.where(filled > 0, filled, torch.full_like(filled, 128.0))


def _interpolate(frames: Tensor, hop_length: int) -> Tensor:
    """(B, T) to (B, T * hop_length), linear between the frames' centres."""
    return F.interpolate(frames[:, None], scale_factor=float(hop_length), mode="linear", align_corners=False)[:, 0]


def _smooth_over_bins(log_gain: Tensor) -> Tensor:
    """(B, bins, J) averaged 1:2:1 along the bins: gains that alternate from bin to bin are an echo."""
    padded = F.pad(log_gain, (0, 0, 1, 1), mode="replicate")
    return (padded[:, :-2] + 2 * log_gain + padded[:, 2:]) / 4


def _gain(log_gain: Tensor) -> Tensor:
    return torch.exp(log_gain.clamp(max=MAX_LOG_GAIN) - 2)


def _overlap_add(frames: Tensor, hop: int, length: int) -> Tensor:
    """(B, n_fft, J) frames summed at their places: (B, length)."""
    return F.fold(frames, (1, length), (1, frames.shape[1]), stride=(1, hop))[:, 0, 0]
