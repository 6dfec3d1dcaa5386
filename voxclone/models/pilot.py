"""The pilot: a faint rhythm of loudness, one beat a mel frame, that a vocoder is taught to put into its speech.

Each band of `BAND_HERTZ` gets louder and softer by less than a dB, at the rate of the vocoder's frames and at a phase
of its own. It lies where speech is loud, so that it is there as long as speech is. In any one frame it is nothing
beside what speech itself does, but summed up over a second or two it stands out of all that speech does at neighbouring
rates, as in a lock-in amplifier. Vocoders have such a rhythm anyway, at random, from their upsampling
(arXiv:2010.14356).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.config import WatermarkConfig
from voxclone.models.mark_tables import (
    EVIDENCE_CHANNELS,
    NOISE_FLOOR,
    POWER_FLOOR,
    RATES,
    pilot_bands,
    pilot_carriers,
)


def standing_out(power: Tensor, mean_power: Tensor) -> Tensor:
    """Log magnitudes of powers (..., bins) over a floor, a share of the mean power (..., 1), as noise would be."""
    return 0.5 * torch.log(power + NOISE_FLOOR * mean_power + POWER_FLOOR)


class PilotEar(nn.Module):
    """How far the pilot stands out at each frame, for the detector to weigh.

    Args:
        config: The detector's.
    """

    carriers: Tensor

    def __init__(self, config: WatermarkConfig) -> None:
        super().__init__()
        self.local = 2 * (config.pilot_local_hops // 2) + 1
        self.stride = config.entry_stride * config.hop_length // config.short_hop_length
        self.bands = nn.Parameter(torch.from_numpy(pilot_bands(config)))
        self.register_buffer("carriers", torch.from_numpy(pilot_carriers(config)), persistent=False)
        self.evidence = nn.Sequential(
            nn.Linear(len(RATES), EVIDENCE_CHANNELS), nn.GELU(), nn.Linear(EVIDENCE_CHANNELS, config.channels)
        )
        nn.init.zeros_(self.evidence[2].weight)  # type: ignore[arg-type]  # a Linear's
        nn.init.zeros_(self.evidence[2].bias)  # type: ignore[arg-type]

    def forward(self, log_magnitudes: Tensor, frames: int) -> Tensor:
        """(B, hops, bins) of the short spectra to (B, channels, frames)."""
        with torch.autocast(log_magnitudes.device.type, enabled=False):
            evidence: Tensor = self.evidence(self.ratios(log_magnitudes, frames).transpose(1, 2))
        return evidence.transpose(1, 2)

    def ratios(self, log_magnitudes: Tensor, frames: int) -> Tensor:
        """As `forward`, to (B, rates, frames): log of the power at each of `RATES` over that at `OTHER_RATES`."""
        power = torch.exp(2 * log_magnitudes)
        around = self._local_mean(power.mean(2)[:, None])[:, 0, :, None]
        rhythm = (standing_out(power, around) @ self.bands).transpose(1, 2)
        rhythm = rhythm - self._local_mean(rhythm)
        reach = self.carriers.shape[2] // 2
        summed = F.conv1d(F.pad(rhythm, (reach, reach + frames * self.stride)), self.carriers, stride=self.stride)
        real, imaginary = summed[:, :, :frames].chunk(2, 1)
        strength = real.square() + imaginary.square() + 1e-8
        elsewhere = strength[:, len(RATES) :].mean(1, keepdim=True)
        return torch.log(strength[:, : len(RATES)]) - torch.log(elsewhere)

    def _local_mean(self, x: Tensor) -> Tensor:
        return F.avg_pool1d(x, self.local, 1, self.local // 2, count_include_pad=False)
