"""The vocoder's marked stages: the adversarial one, with a detector that learns to find its speech or knows how to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from voxclone.config import AudioConfig, VocoderConfig, WatermarkConfig
from voxclone.training.adversarial import AdversarialStep
from voxclone.training.augmentation import simulate_rooms
from voxclone.training.channel import Channel, WhiteNoise
from voxclone.training.imitation import CopySynthesis, GriffinLim
from voxclone.training.pilot import PilotLoss
from voxclone.training.watermark import CollaborativeMark


class MarkedStep(AdversarialStep):
    """`AdversarialStep` and collaborative watermarking (arXiv:2309.15224): generator and detector help each other.

    Args:
        config: The generator.
        audio: Its mel.
        held_out: A fixed batch to validate on.
        mark: Detector and channel.
        mark_weight: Of the mark's loss in the generator's.
        mark_items: Of each batch, how many items go through the channel.
        pilot_weight: Of the pilot's loss in it.
        mark_gradient: Norm that the mark's gradient on these waveforms is held to. A detector of log spectra, through
            codecs and noise, at times asks for twenty times its usual change; clipped together, nothing else is learnt.
        adversarial: Further arguments of `AdversarialStep`.
    """

    phases: tuple[str, ...] = ("generator", "discriminator", "detector")

    def __init__(
        self,
        config: VocoderConfig,
        audio: AudioConfig,
        held_out: dict[str, Tensor] | None,
        mark: CollaborativeMark,
        mark_weight: float = 1.0,
        mark_items: int = 6,
        pilot_weight: float = 2.0,
        mark_gradient: float = 30.0,
        **adversarial: Any,
    ) -> None:
        super().__init__(config, audio, held_out, **adversarial)
        self.mark, self.mark_weight, self.mark_items = mark, mark_weight, mark_items
        self.pilot_weight, self.mark_gradient = pilot_weight, mark_gradient
        self.pilot = PilotLoss(audio.sample_rate, audio.hop_length, mark.detector.config)

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """The generator's, the discriminators' or the detector's."""
        return self.mark.detector.parameters() if phase == "detector" else super().parameters_of(phase)

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """As `AdversarialStep.forward`; "detector" hears what "generator" spoke last."""
        if phase != "detector":
            return super().forward(batch, phase)
        natural, made = (waveform[-self.mark_items :] for waveform in self.spoken())
        losses = self.mark.detector_loss(natural, made)
        return {"total": losses.pop("loss"), **losses}

    def further_losses(self, made: Tensor) -> dict[str, Tensor]:
        """That the detector does not hear the mark, and that the pilot is not deep enough."""
        heard = made[: self.mark_items]
        if heard.requires_grad:
            heard = heard.clone()
            heard.register_hook(self._bounded)  # type: ignore[no-untyped-call]  # as torch has it
        natural, _ = self.spoken()
        return {
            "mark": self.mark_weight * self.mark.vocoder_loss(heard),
            "pilot": self.pilot_weight * self.pilot(made, natural),
        }

    def _bounded(self, gradient: Tensor) -> Tensor:
        bounded: Tensor = gradient * (self.mark_gradient / gradient.norm().clamp(min=1e-9)).clamp(max=1.0)
        return bounded


class MarkKeepingStep(MarkedStep):
    """`MarkedStep` with a detector that stays as it is and hears the speech under white noise alone.

    Without codecs between them, an update is the same kernels for every batch (`voxclone.training.graphed`). What else
    the mark withstands wears off meanwhile: `MarkedStep` comes after.
    """

    phases = ("generator", "discriminator")


def kept_mark(audio: AudioConfig) -> CollaborativeMark:
    """What `MarkKeepingStep` needs: a detector, fresh, and a channel of noise that a graph can replay."""
    return CollaborativeMark(WatermarkConfig(), WhiteNoise(audio.sample_rate))


def collaborative_mark(
    audio: AudioConfig, unmarked: Sequence[nn.Module], rooms: int = 16, threads: int = 1
) -> CollaborativeMark:
    """The mark's detector and channel, fresh.

    Args:
        audio: The mel that the vocoders speak.
        unmarked: Vocoders whose speech is not to be found: other models', and the generator as before its mark, so
            that the mark is what sets it apart from that. Griffin-Lim is always among them.
        rooms: How many rooms the channel has.
        threads: How many waveforms it works on at once.
    """
    imitations = [GriffinLim(audio), *(CopySynthesis(vocoder, audio) for vocoder in unmarked)]
    channel = Channel(audio.sample_rate, simulate_rooms(rooms, audio.sample_rate), threads=threads)
    return CollaborativeMark(WatermarkConfig(), channel, imitations)
