"""The vocoder's second stage: discriminators beside the spectral losses (HiFi-GAN, arXiv:2010.05646, section 2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from voxclone.config import AudioConfig, VocoderConfig
from voxclone.training.discriminators import (
    PERIODS,
    RESOLUTIONS,
    Judgement,
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
)
from voxclone.training.gan_losses import (
    FEATURE_MATCHING_WEIGHT,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
)
from voxclone.training.step import weighted
from voxclone.training.vocoder import SpectralStep

SPECTRAL_WEIGHTS = {"mel": 15.0, "stft": 3.0, "f0": 0.5, "voicing": 0.2}


class AdversarialStep(SpectralStep):
    """Spectral, adversarial and feature matching losses; generator and discriminators in turn.

    The generator speaks once for both: its waveforms are kept from its own phase for the discriminators'.

    Args:
        config: The generator.
        audio: Its mel.
        held_out: A fixed batch to validate on.
        resolution_channels: Width of the spectrogram discriminators.
        period_channels: Width of the period discriminators; 0 leaves them out.
        resolutions: n_fft of the spectrogram discriminators, in samples.
        periods: Of the period discriminators, in samples.
        discriminator_rate: Their learning rate as a multiple of the generator's (TTUR, arXiv:1706.08500): slim ones at
            the same rate lag behind, and cannot tell at all.
    """

    phases: tuple[str, ...] = ("generator", "discriminator")

    def __init__(
        self,
        config: VocoderConfig,
        audio: AudioConfig,
        held_out: dict[str, Tensor] | None,
        resolution_channels: int = 16,
        period_channels: int = 4,
        resolutions: Sequence[int] = RESOLUTIONS,
        periods: Sequence[int] = PERIODS,
        discriminator_rate: float = 1.0,
    ) -> None:
        super().__init__(config, audio, held_out)
        self.judges = nn.ModuleList([MultiResolutionDiscriminator(resolution_channels, resolutions)])
        if period_channels:
            self.judges.append(MultiPeriodDiscriminator(period_channels, periods))
        self.discriminator_rate = discriminator_rate
        self._spoken: tuple[Tensor, Tensor] | None = None  # natural and made, of the generator's last phase

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """The discriminators' or the generator's."""
        return self.judges.parameters() if phase == "discriminator" else self.vocoder.parameters()

    def rate_of(self, phase: str) -> float:
        """The discriminators' is `discriminator_rate`."""
        return self.discriminator_rate if phase == "discriminator" else 1.0

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `VocoderSegments`; "discriminator" judges what "generator" spoke last."""
        if phase == "discriminator":
            return self._discriminate()
        natural, f0, bandwidth = batch["waveform"], batch["f0"], batch["bandwidth"]
        mel = self.mel_spectrogram(natural)
        made = self.speak(batch, mel)
        limited_natural, limited_made = self._limited(natural, made, bandwidth)
        self._spoken = limited_natural.detach(), limited_made.detach()
        with torch.no_grad():
            natural_maps = [maps for judge in self.judges for maps in judge(limited_natural)[1]]
        judged = [judge(limited_made) for judge in self.judges]
        losses = self._pitch_losses(mel, f0)
        with torch.autocast(made.device.type, enabled=False):
            losses |= self._compare(made, natural, mel, bandwidth)
        losses |= {
            "adversarial": adversarial_loss([score for scores, _ in judged for score in scores]),
            "matching": feature_matching_loss(natural_maps, [maps for _, all_maps in judged for maps in all_maps]),
        }
        losses["total"] = (
            weighted(losses, SPECTRAL_WEIGHTS) + losses["adversarial"] + FEATURE_MATCHING_WEIGHT * losses["matching"]
        )
        for name, loss in self.further_losses(limited_made).items():
            losses |= {name: loss, "total": losses["total"] + loss}
        return losses

    def further_losses(self, made: Tensor) -> dict[str, Tensor]:
        """What a subclass adds to the generator's losses for its waveforms (B, S), weighted."""
        return {}

    def spoken(self) -> tuple[Tensor, Tensor]:
        """Natural and made waveforms (B, S) of the generator's last phase, without gradient."""
        if self._spoken is None:
            raise RuntimeError("this phase needs the generator's on the same batch before it")
        return self._spoken

    def _limited(self, natural: Tensor, made: Tensor, bandwidth: Tensor) -> tuple[Tensor, Tensor]:
        """Both (B, S) by `band_limit`."""
        limited = band_limit(torch.cat([natural, made]), bandwidth.repeat(2), self.audio.sample_rate)
        limited_natural, limited_made = limited.chunk(2)
        return limited_natural, limited_made

    def _discriminate(self) -> dict[str, Tensor]:
        judged = [_halves(judge(torch.cat(self.spoken()))) for judge in self.judges]  # natural and made in one pass
        natural, made = ([score for halves in judged for score in halves[i]] for i in (0, 1))
        return {"total": discriminator_loss(natural, made)}


class DiscriminatorStep(AdversarialStep):
    """`AdversarialStep` with a generator that stays as it is: discriminators that begin anew catch up with it.

    Beside discriminators that know nothing, a trained generator unlearns what only grown ones had taught it.
    """

    phases = ("discriminator",)

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """The discriminators' loss for a batch from `VocoderSegments`."""
        natural = batch["waveform"]
        with torch.no_grad():
            made = self.speak(batch, self.mel_spectrogram(natural))
        self._spoken = self._limited(natural, made, batch["bandwidth"])
        return self._discriminate()


def band_limit(waveform: Tensor, bandwidth: Tensor, sample_rate: int) -> Tensor:
    """(B, S) without what lies above (B,) Hz: a narrow-band recording must not tell natural from made by its edge."""
    spectrum = torch.fft.rfft(waveform)
    bins = torch.linspace(0, sample_rate / 2, spectrum.shape[1], device=waveform.device)
    limited: Tensor = torch.fft.irfft(spectrum * (bins < bandwidth[:, None]), waveform.shape[1])
    return limited


def _halves(judgement: Judgement) -> tuple[list[Tensor], list[Tensor]]:
    """The scores of natural and of made waveforms, which were stacked along the batch."""
    scores, _ = judgement
    count = len(scores[0]) // 2
    return [score[:count] for score in scores], [score[count:] for score in scores]
