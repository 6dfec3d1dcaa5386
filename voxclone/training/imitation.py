"""Speech that is synthetic and unmarked: what a detector of a mark must not fall for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxclone.audio.mel import MelSpectrogram, mel_filterbank
from voxclone.config import AudioConfig


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
            mel = self.mel_spectrogram(waveform.float())
            magnitude = (self.inverse @ mel.exp()).clamp(min=1e-6)
            spectrum = torch.polar(magnitude, 2 * torch.pi * torch.rand_like(magnitude))
            last = torch.zeros_like(spectrum)
            for _ in range(self.iterations):
                rebuilt = self._stft(self._istft(spectrum, waveform.shape[1]))[..., : mel.shape[2]]
                ahead = rebuilt + self.momentum * (rebuilt - last)
                last = rebuilt
                spectrum = magnitude * ahead / ahead.abs().clamp(min=1e-8)
            return self._istft(spectrum, waveform.shape[1])

    def _stft(self, waveform: Tensor) -> Tensor:
        audio = self.audio
        edge = (audio.n_fft - audio.hop_length) // 2
        padded = nn.functional.pad(waveform[:, None], (edge, edge), mode="reflect")[:, 0]
        return torch.stft(
            padded, audio.n_fft, audio.hop_length, audio.win_length, self.window, center=False, return_complex=True
        )

    def _istft(self, spectrum: Tensor, length: int) -> Tensor:
        """Weighted overlap-add of frames that are centred on half hops."""
        audio = self.audio
        frames = torch.fft.irfft(spectrum, audio.n_fft, dim=1) * self.window[:, None]
        edge, total = (audio.n_fft - audio.hop_length) // 2, (spectrum.shape[2] - 1) * audio.hop_length + audio.n_fft
        fold = {"output_size": (1, total), "kernel_size": (1, audio.n_fft), "stride": (1, audio.hop_length)}
        summed = nn.functional.fold(frames, **fold)[:, 0, 0]
        weight = self.window.square()[None, :, None].expand(1, -1, spectrum.shape[2])
        summed = summed / nn.functional.fold(weight.contiguous(), **fold)[:, 0, 0].clamp(min=1e-3)
        return summed[:, edge : edge + length]


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
