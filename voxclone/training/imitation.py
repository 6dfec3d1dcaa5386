"""Speech that is synthetic and unmarked: what a detector of a mark must not fall for."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from voxclone.audio.mel import MelSpectrogram, mel_filterbank
from voxclone.config import AudioConfig
from voxclone.kernels.istft_head import inverse_stft
from voxclone.models.mark_tables import BAND_HERTZ

RHYTHM_N_FFT = 128  # samples
RHYTHM_HOPS = 8  # to a beat


class GriffinLim(nn.Module):
    """The mel turned back to a waveform by phase estimation alone (fast Griffin-Lim, Perraudin et al., 2013)."""

    inverse: Tensor
    window: Tensor

    def __init__(self, audio: AudioConfig, iterations: int = 8, momentum: float = 0.9) -> None:
        super().__init__()
        self.mel_spectrogram = MelSpectrogram(audio)
        self.audio, self.iterations, self.momentum = audio, iterations, momentum
        filterbank = torch.from_numpy(mel_filterbank(audio)).double()
        self.register_buffer("inverse", torch.linalg.pinv(filterbank).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(audio.win_length), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, S) natural to (B, S) remade, S a multiple of the hop length."""
        with torch.autocast(waveform.device.type, enabled=False):
            mel, hop = self.mel_spectrogram(waveform.float()), self.audio.hop_length
            magnitude = (self.inverse @ mel.exp()).clamp(min=1e-6)
            spectrum = torch.polar(magnitude, 2 * torch.pi * torch.rand_like(magnitude))
            last = torch.zeros_like(spectrum)
            for _ in range(self.iterations):
                rebuilt = self._stft(inverse_stft(spectrum, self.window, hop))[..., : mel.shape[2]]
                ahead = rebuilt + self.momentum * (rebuilt - last)
                last = rebuilt
                spectrum = magnitude * ahead / ahead.abs().clamp(min=1e-8)
            return inverse_stft(spectrum, self.window, hop)

    def _stft(self, waveform: Tensor) -> Tensor:
        audio = self.audio
        edge = (audio.n_fft - audio.hop_length) // 2
        padded = nn.functional.pad(waveform[:, None], (edge, edge), mode="reflect")[:, 0]
        return torch.stft(
            padded, audio.n_fft, audio.hop_length, audio.win_length, self.window, center=False, return_complex=True
        )


class CopySynthesis(nn.Module):
    """A vocoder that speaks a waveform's own mel."""

    def __init__(self, vocoder: nn.Module, audio: AudioConfig) -> None:
        super().__init__()
        self.vocoder = vocoder.eval()
        self.mel_spectrogram = MelSpectrogram(audio)

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, S) natural to (B, S) remade, S a multiple of the hop length."""
        made: Tensor = self.vocoder(self.mel_spectrogram(waveform))
        return made


class OtherRhythm(nn.Module):
    """Natural speech with the rhythm of a vocoder that is not marked: a pilot's (`voxclone.models.pilot`), by chance.

    Any vocoder of the same hop length may have one, each band at whatever phase and depth came of its training.

    Args:
        audio: The vocoder's mel.
        deepest: Nepers, of a waveform's rhythm; each draws its own depth and phases.
    """

    window: Tensor

    def __init__(self, audio: AudioConfig, deepest: float = 0.25) -> None:
        super().__init__()
        self.hop, self.deepest = audio.hop_length // RHYTHM_HOPS, deepest
        hertz = torch.linspace(0, audio.sample_rate / 2, RHYTHM_N_FFT // 2 + 1)
        self.band = (hertz / BAND_HERTZ).long()
        self.register_buffer("window", torch.hann_window(RHYTHM_N_FFT), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, S) natural to (B, S)."""
        spectrum = torch.stft(waveform, RHYTHM_N_FFT, self.hop, window=self.window, return_complex=True)
        phase = 2 * math.pi * torch.rand(len(waveform), int(self.band.max()) + 1)[:, self.band, None]
        beat = (2 * math.pi / RHYTHM_HOPS * torch.arange(spectrum.shape[2]) + phase).cos().to(waveform.device)
        depth = self.deepest * torch.rand(len(waveform), 1, 1, device=waveform.device)
        made: Tensor = torch.istft(
            spectrum * torch.exp(depth * beat), RHYTHM_N_FFT, self.hop, window=self.window, length=waveform.shape[1]
        )
        return made
