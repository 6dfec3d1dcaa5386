"""Teaching a vocoder its pilot (`voxclone.models.pilot`): made and natural speech differ by that and no more."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from voxclone.config import WatermarkConfig
from voxclone.models.mark_tables import BAND_HERTZ, GOLDEN_ANGLE, NOISE_FLOOR, band_phases
from voxclone.models.pilot import standing_out

N_FFT = 128  # samples: shorter than a beat
HOPS = 8  # to a beat
DEPTH = 0.15  # nepers that loudness rises and falls by


class PilotLoss(nn.Module):
    """How much of the pilot a vocoder's speech lacks, and how much of such a rhythm it has where no pilot is to be.

    Args:
        sample_rate: Hz of the speech.
        beat: Samples from one beat to the next: the mel's hop.
        config: The detector's, which says in which bands the pilot is.
        depth: Nepers that loudness is to rise and fall by there; 0 asks for speech without a pilot.
    """

    window: Tensor
    phases: Tensor
    there: Tensor
    below: Tensor

    def __init__(self, sample_rate: int, beat: int, config: WatermarkConfig, depth: float = DEPTH) -> None:
        super().__init__()
        self.wanted = depth
        self.hop = beat // HOPS
        hertz = np.arange(N_FFT // 2 + 1) * (sample_rate / N_FFT)
        phases, there = band_phases(hertz, config.pilot_first_band, config.pilot_bands)
        below = hertz < config.pilot_first_band * BAND_HERTZ
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        for name, table in (("phases", phases), ("there", there), ("below", below)):
            self.register_buffer(name, torch.from_numpy(table).float(), persistent=False)

    def forward(self, made: Tensor, natural: Tensor) -> Tensor:
        """Waveforms (B, S) from a beat on, to a scalar: 0 for a pilot as deep as asked, 1 for one `DEPTH` off."""
        along, across = self.rhythm(made, natural)
        missing = ((self.wanted - along) / DEPTH).clamp(-2, 2)  # deeper would be heard
        loss = (missing.square() * self.there).sum() / self.there.sum()
        rough = ((along.square() + across.square()) / DEPTH**2).clamp(max=4)
        return loss + (rough * self.below).sum() / self.below.sum().clamp(min=1)

    def depth(self, made: Tensor, natural: Tensor) -> Tensor:
        """(bins,) nepers by which `made` follows the pilot more than `natural` does, where it is loud enough to."""
        return self.rhythm(made, natural)[0]

    def rhythm(self, made: Tensor, natural: Tensor) -> tuple[Tensor, Tensor]:
        """(bins,) nepers that `made` has more of such a rhythm than `natural`, in the pilot's phase and across it."""
        with torch.autocast(made.device.type, enabled=False):
            before, heard = self._loudness(natural.float())
            after, _ = self._loudness(made.float())
            hops = torch.arange(before.shape[2], device=made.device)
            angle = 2 * math.pi * (hops + 0.5) / HOPS + self.phases[:, None]
            more, share = (after - before) * heard, heard.square().sum((0, 2)).clamp(min=1.0)
            along, across = (2 * (more * beat).sum((0, 2)) / share for beat in (angle.cos(), angle.sin()))
            return along, across

    def _loudness(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Log magnitudes over the floor, and the share of what is heard that is not floor; (B, bins, hops) both."""
        edge = (N_FFT - self.hop) // 2
        padded = nn.functional.pad(waveform, (edge, N_FFT - self.hop - edge))
        spectrum = torch.stft(padded, N_FFT, self.hop, N_FFT, self.window, center=False, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        mean = power.mean((1, 2), keepdim=True)
        heard = power / (power + NOISE_FLOOR * mean + 1e-10)
        return standing_out(power, mean), heard


def lay_pilot(waveform: Tensor, depth: float, bands: Iterable[int], sample_rate: int, beat: float) -> Tensor:
    """Waveforms (B, S) whose bands get louder and softer by `depth` nepers in the pilot's rhythm."""
    count = waveform.shape[1]
    spectrum = torch.fft.rfft(waveform)
    band = torch.linspace(0, sample_rate / 2, spectrum.shape[1], device=waveform.device) // BAND_HERTZ
    angle = 2 * math.pi * (torch.arange(count, device=waveform.device) + 0.5) / beat
    laid = waveform.clone()
    for index in bands:
        part = torch.fft.irfft(spectrum * (band == index), count)
        laid += part * torch.expm1(depth * torch.cos(angle + GOLDEN_ANGLE * index**2))
    return laid
