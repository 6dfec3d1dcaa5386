"""Teaching a vocoder its pilot (`voxclone.models.pilot`): made and natural speech differ by that and no more."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from voxclone.models.mark_tables import NOISE_FLOOR, band_phases
from voxclone.models.pilot import standing_out

N_FFT = 128  # samples: shorter than a beat
HOPS = 8  # to a beat
DEPTH = 0.1  # nepers that loudness rises and falls by


class PilotLoss(nn.Module):
    """How much of the pilot a vocoder's speech lacks.

    Args:
        sample_rate: Hz of the speech.
        beat: Samples from one beat to the next: the mel's hop.
        bands: That the pilot is in.
    """

    window: Tensor
    phases: Tensor
    there: Tensor

    def __init__(self, sample_rate: int, beat: int, bands: int) -> None:
        super().__init__()
        self.hop = beat // HOPS
        phases, there = map(torch.from_numpy, band_phases(np.arange(N_FFT // 2 + 1) * (sample_rate / N_FFT), bands))
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.register_buffer("phases", phases.float(), persistent=False)
        self.register_buffer("there", there.float(), persistent=False)

    def forward(self, made: Tensor, natural: Tensor) -> Tensor:
        """Waveforms (B, S) from a beat on, to a scalar: 0 where the pilot is `DEPTH` deep, 1 where it is missing."""
        missing = (1 - self.depth(made, natural) / DEPTH).clamp(-2, 2)  # deeper would be heard
        return (missing.square() * self.there).sum() / self.there.sum()

    def depth(self, made: Tensor, natural: Tensor) -> Tensor:
        """(bins,) nepers by which `made` follows the pilot more than `natural` does, where it is loud enough to."""
        with torch.autocast(made.device.type, enabled=False):
            before, heard = self._loudness(natural.float())
            after, _ = self._loudness(made.float())
            hops = torch.arange(before.shape[2], device=made.device)
            beat = (2 * math.pi * (hops + 0.5) / HOPS + self.phases[:, None]).cos()
            return 2 * ((after - before) * heard * beat).sum((0, 2)) / heard.square().sum((0, 2)).clamp(min=1.0)

    def _loudness(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Log magnitudes over the floor, and the share of what is heard that is not floor; (B, bins, hops) both."""
        edge = (N_FFT - self.hop) // 2
        padded = nn.functional.pad(waveform, (edge, N_FFT - self.hop - edge))
        spectrum = torch.stft(padded, N_FFT, self.hop, N_FFT, self.window, center=False, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        mean = power.mean((1, 2), keepdim=True)
        heard = power / (power + NOISE_FLOOR * mean + 1e-10)
        return standing_out(power, mean), heard
