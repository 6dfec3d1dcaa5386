"""Another pilot for a vocoder that is trained already, without discriminators: a frozen copy says what is to be kept.

Beside discriminators that begin anew a trained vocoder loses what grown ones had taught it. Here there are none: where
the pilot is to be, the vocoder is held to its own former waveform, the pilot deepened; below that, where a rhythm of
loudness is heard as roughness, to the natural spectrum, which leaves little to chance there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from voxclone.config import AudioConfig, VocoderConfig, WatermarkConfig
from voxclone.models.mark_tables import BAND_HERTZ
from voxclone.models.vocoder import build_vocoder
from voxclone.training.pilot import DEPTH, PilotLoss, lay_pilot
from voxclone.training.step import weighted
from voxclone.training.vocoder import SpectralStep

WEIGHTS = {"kept": 3.0, "low": 3.0, "pilot": 1.0, "f0": 0.5, "voicing": 0.2}
KEPT_RESOLUTIONS = ((1024, 256), (512, 128), (128, 32))  # n_fft, hop_length in samples
# The longest tells a voice's harmonics from the sidebands that a rhythm gives them.
LOW_RESOLUTIONS = ((2048, 128), (1024, 64), (512, 32))
FLOOR = 1e-4  # of a magnitude, full scale 1


class RemarkStep(SpectralStep):
    """A vocoder with a source, moved from its pilot to the one of a detector's configuration.

    Args:
        config: The vocoder.
        audio: Its mel.
        held_out: A fixed batch to validate on.
        watermark: Where the pilot is to be.
        had: Depth in nepers of the pilot that the vocoder has there.
        depth: Depth that it is to have; 0 makes a twin without a pilot, for what the pilot costs.

    `vocoder` and `former` are to be given the same weights before the first update.
    """

    def __init__(
        self,
        config: VocoderConfig,
        audio: AudioConfig,
        held_out: dict[str, Tensor] | None,
        watermark: WatermarkConfig,
        had: float = 0.0,
        depth: float = DEPTH,
    ) -> None:
        super().__init__(config, audio, held_out)
        self.pilot = PilotLoss(audio.sample_rate, audio.hop_length, watermark, depth)
        self.bands, self.deeper = range(watermark.pilot_first_band, watermark.pilot_bands), depth - had
        self.former = build_vocoder(config, weight_norm=True).requires_grad_(False)  # saved, for a run that goes on

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """The vocoder's."""
        return self.vocoder.parameters()

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `VocoderSegments`."""
        natural, f0 = batch["waveform"], batch["f0"]
        with torch.no_grad():
            mel = self.mel_spectrogram(natural)
            with torch.random.fork_rng([natural.device] if natural.is_cuda else []):  # both draw the same
                former = self.speak(batch, mel, self.former)
            target = lay_pilot(former, self.deeper, self.bands, self.audio.sample_rate, self.audio.hop_length)
        made = self.speak(batch, mel)
        losses = self._pitch_losses(mel, f0)
        with torch.autocast(made.device.type, enabled=False):
            losses |= {
                "kept": self._kept(made, target),
                "low": self._low(made, natural),
                "pilot": self.pilot(made, natural),
            }
            losses["total"] = weighted(losses, WEIGHTS)
        return losses

    def _kept(self, made: Tensor, target: Tensor) -> Tensor:
        """Distance of complex spectra from the lowest band of the pilot on, each bin by its own mean magnitude."""
        losses = []
        for n_fft, hop in KEPT_RESOLUTIONS:
            window = torch.hann_window(n_fft, device=made.device)
            a, b = (torch.stft(x, n_fft, hop, n_fft, window, return_complex=True) for x in (made, target))
            first = math.ceil(self.bands.start * BAND_HERTZ * n_fft / self.audio.sample_rate)
            a, b = a[:, first:], b[:, first:]
            losses.append(((a - b).abs() / (b.abs().mean(2, keepdim=True) + FLOOR)).mean())
        return torch.stack(losses).mean()

    def _low(self, made: Tensor, natural: Tensor) -> Tensor:
        """Distance of magnitudes, and of their logarithms, below the lowest band of the pilot."""
        losses = []
        for n_fft, hop in LOW_RESOLUTIONS:
            window = torch.hann_window(n_fft, device=made.device)
            spectra = (torch.stft(x, n_fft, hop, n_fft, window, return_complex=True) for x in (made, natural))
            last = math.floor(self.bands.start * BAND_HERTZ * n_fft / self.audio.sample_rate) + 1
            a, b = ((x.real.square() + x.imag.square() + 1e-7).sqrt()[:, :last] for x in spectra)
            linear = (a - b).abs().sum((1, 2)) / b.sum((1, 2)).clamp(min=1e-3)
            losses.append(linear.mean() + 0.3 * (a.log() - b.log()).abs().mean())
        return torch.stack(losses).mean()
