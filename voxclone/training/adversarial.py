"""The vocoder's second stage: discriminators beside the spectral losses (HiFi-GAN, arXiv:2010.05646, section 2.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from voxclone.config import AudioConfig, VocoderConfig
from voxclone.training.discriminators import Judgement, MultiPeriodDiscriminator, MultiResolutionDiscriminator
from voxclone.training.gan_losses import (
    FEATURE_MATCHING_WEIGHT,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
)
from voxclone.training.vocoder import SpectralStep

SPECTRAL_WEIGHTS = {"mel": 15.0, "stft": 3.0, "f0": 0.5, "voicing": 0.2}


class AdversarialStep(SpectralStep):
    """Spectral losses, adversarial and feature matching losses; discriminators and generator in turn.

    Args:
        config: The generator.
        audio: Its mel.
        held_out: A fixed batch to validate on.
        resolution_channels: Width of the spectrogram discriminators.
        period_channels: Width of the period discriminators; 0 leaves them out, for a CPU.
    """

    phases = ("discriminator", "generator")

    def __init__(
        self,
        config: VocoderConfig,
        audio: AudioConfig,
        held_out: dict[str, Tensor] | None,
        resolution_channels: int = 16,
        period_channels: int = 0,
    ) -> None:
        super().__init__(config, audio, held_out)
        self.judges = nn.ModuleList([MultiResolutionDiscriminator(resolution_channels)])
        if period_channels:
            self.judges.append(MultiPeriodDiscriminator(period_channels))

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """The discriminators' or the generator's."""
        return self.judges.parameters() if phase == "discriminator" else self.vocoder.parameters()

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `VocoderSegments`."""
        natural, f0, bandwidth = batch["waveform"], batch["f0"], batch["bandwidth"]
        mel = self.mel_spectrogram(natural)
        start = 2 * math.pi * torch.rand(len(f0), 1, device=f0.device)
        with torch.set_grad_enabled(phase == "generator"):
            made = self.vocoder.synthesize(mel, f0, torch.randn_like(natural), start).float()
        both = band_limit(torch.cat([natural, made]), bandwidth.repeat(2), self.audio.sample_rate)
        judged = [_halves(judge(both)) for judge in self.judges]  # natural and made in one pass
        natural_scores, made_scores = ([s for halves in judged for s in halves[i][0]] for i in (0, 1))
        if phase == "discriminator":
            return {"total": discriminator_loss(natural_scores, made_scores)}
        natural_maps, made_maps = ([m for halves in judged for m in halves[i][1]] for i in (0, 1))
        losses = self._pitch_losses(mel, f0)
        with torch.autocast(made.device.type, enabled=False):
            losses |= self._compare(made, natural, mel, bandwidth)
        losses |= {
            "adversarial": adversarial_loss(made_scores),
            "matching": feature_matching_loss(natural_maps, made_maps),
        }
        spectral = torch.stack([weight * losses[name] for name, weight in SPECTRAL_WEIGHTS.items()]).sum()
        losses["total"] = spectral + losses["adversarial"] + FEATURE_MATCHING_WEIGHT * losses["matching"]
        return losses


def band_limit(waveform: Tensor, bandwidth: Tensor, sample_rate: int) -> Tensor:
    """(B, S) without what lies above (B,) Hz: a narrow-band recording must not tell natural from made by its edge."""
    spectrum = torch.fft.rfft(waveform)
    bins = torch.linspace(0, sample_rate / 2, spectrum.shape[1], device=waveform.device)
    limited: Tensor = torch.fft.irfft(spectrum * (bins < bandwidth[:, None]), waveform.shape[1])
    return limited


def _halves(judgement: Judgement) -> tuple[Judgement, Judgement]:
    """A judgement of natural and made waveforms, stacked along the batch, as one of each."""
    scores, maps = judgement
    count = len(scores[0]) // 2
    return (
        ([score[:count] for score in scores], [[m[:count] for m in layers] for layers in maps]),
        ([score[count:] for score in scores], [[m[count:] for m in layers] for layers in maps]),
    )
