"""The acoustic model's second stage: its decoder against discriminators of mels (GANSpeech, arXiv:2106.15153)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.config import AcousticConfig
from voxclone.layers.masks import length_mask
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.units import MEL_MIDDLE, MEL_SPREAD
from voxclone.models.acoustic.variance import phoneme_prosody
from voxclone.training.acoustic import LOSS_WEIGHTS, AcousticStep, pitch_losses
from voxclone.training.consistency import SpeakerConsistency
from voxclone.training.gan_losses import adversarial_loss, discriminator_loss, feature_matching_loss
from voxclone.training.mel_discriminators import WINDOWS, MelDiscriminators
from voxclone.training.recognition import ContentConsistency, centred, frame_phonemes
from voxclone.training.speech_data import batch_condition
from voxclone.training.step import weighted

DISCRIMINATOR_RATE = 4.0  # times the decoder's learning rate
CONSISTENCY_SPAN = 224  # frames in which a voice is heard; of fewer the encoder tells less
MARGIN = 16  # frames beside a judged span that are decoded with it, so that its ends are not an utterance's


class AdversarialAcousticStep(AcousticStep):
    """Decoder and discriminators in turn, on a span of each utterance; encoder and predictors stay as they are.

    The feature matching loss is scaled to the regression loss, as the paper has it (section 2.3). The decoder speaks
    once for both: its spans are kept from its own phase for the discriminators'.

    Args:
        config: The acoustic model.
        held_out: Batches to validate on.
        channels: Width of the discriminators.
        consistency_weight: Of what `consistency` asks, beside the other losses.
        content_weight: Of what `content` asks.
        course_weight: Of what `hold_course` asks.

    Attributes:
        consistency: Asks that what is spoken in its voices sounds like them; None asks nothing.
        content: Asks that what is spoken in them is heard as its text; None asks nothing.
    """

    phases: tuple[str, ...] = ("generator", "discriminator")
    judges_weight = 1.0  # of what the discriminators ask for, beside the regression losses
    judges_others = False  # whether they judge what `consistency` hears; not told whose it is, they ask for its noise

    def __init__(
        self,
        config: AcousticConfig,
        held_out: Sequence[dict[str, Tensor]],
        channels: int = 16,
        consistency_weight: float = 0.0,
        content_weight: float = 0.0,
        course_weight: float = 0.0,
    ) -> None:
        super().__init__(config, held_out)
        self.consistency: SpeakerConsistency | None = None
        self.content: ContentConsistency | None = None
        self.asked_weights = {"consistency": consistency_weight, "content": content_weight, "course": course_weight}
        self._former: tuple[AcousticModel, ...] = ()  # in a tuple, so as not to be one of the step's networks
        self.judges = MelDiscriminators(config.speaker_embedding_dim, channels)
        self.span = max(WINDOWS) + 2 * MARGIN
        self._spoken: list[tuple[Tensor, Tensor]] = []  # of the generator's phase: natural, then made spans, and whose

    def train(self, mode: bool = True) -> Self:
        """Without dropout in the parts that are not trained."""
        super().train(mode)
        self.model.eval()
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What the course is held to goes to the device that the model goes to."""
        for former in self._former:
            former._apply(fn)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]

    def hold_course(self) -> None:
        """From here on the decoder's bands keep, in other voices, the course over time that they have now."""
        self._former = (copy.deepcopy(self.model).eval().requires_grad_(False),)

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """The discriminators', or those of all that comes after the encoder."""
        if phase == "discriminator":
            return self.judges.parameters()
        model = self.model
        parts = (model.prosody_embedding, model.place, model.entry, model.decoder, model.head)
        return [parameter for part in parts for parameter in part.parameters()]

    def rate_of(self, phase: str) -> float:
        """Discriminators learn from nothing, the decoder from what it can do."""
        return DISCRIMINATOR_RATE if phase == "discriminator" else 1.0

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `voiced_batch`; "model" gives the regression losses over whole utterances.

        "discriminator" judges what "generator" made last.
        """
        if phase == "model":
            return super().forward(batch, phase)
        if phase == "discriminator":
            return self._discriminate()
        self.store_calibration()
        made, natural, losses = self._make(batch)
        both, speaker = torch.cat([natural, made]), batch["speaker_embedding"].repeat(2, 1)
        self._spoken = [(both.detach(), speaker)]
        scores, maps = self.judges(both, speaker)
        count = len(natural)
        losses["adversarial"] = adversarial_loss([score[count:] for score in scores]) / len(scores)
        matching = feature_matching_loss(
            [[m[:count] for m in layers] for layers in maps], [[m[count:] for m in layers] for layers in maps]
        )
        regression = LOSS_WEIGHTS["mel"] * losses["mel"]
        losses["matching"] = matching
        scale = (regression / matching.clamp(min=1e-6)).detach()
        prosody = LOSS_WEIGHTS["f0"] * losses["f0"] + LOSS_WEIGHTS["voicing"] * losses["voicing"]
        losses["total"] = regression + self.judges_weight * (scale * matching + losses["adversarial"]) + prosody
        if self.consistency is not None:
            others, asked = self._in_other_voices(batch, self.consistency)
            losses |= asked
            losses["total"] = losses["total"] + weighted(asked, self.asked_weights)
            if self.judges_others:
                nobody = torch.zeros_like(speaker[: 2 * len(others)])
                self._spoken.append((torch.cat([natural[: len(others)], others.detach()]), nobody))
                scores, _ = self.judges(others, nobody[: len(others)])
                losses["adversarial_others"] = adversarial_loss(scores) / len(scores)
                losses["total"] = losses["total"] + self.judges_weight * losses["adversarial_others"]
        return losses

    def _discriminate(self) -> dict[str, Tensor]:
        if not self._spoken:
            raise RuntimeError("this phase needs the generator's on the same batch before it")
        totals = []
        for spans, speaker in self._spoken:
            scores, _ = self.judges(spans, speaker)
            halves = [score.chunk(2) for score in scores]
            total = discriminator_loss([natural for natural, _ in halves], [made for _, made in halves])
            totals.append(total / len(scores))
        return {"total": torch.stack(totals).sum()}

    def _in_other_voices(
        self, batch: dict[str, Tensor], consistency: SpeakerConsistency
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Half of the batch, spoken in other voices as from clean recordings.

        Returns:
            Spans (B / 2, n_mels, max(WINDOWS)), normalised, for judges who do not know whose they are, since nothing
            natural of these voices is at hand; and what is asked of them: how far they are from the voices, from what
            a recogniser hears, and from the course that is held.
        """
        half = {name: value[: (len(value) + 1) // 2] for name, value in batch.items()}
        voice = consistency.voices.draw(len(half["mel"]), half["mel"].device)
        if self.model.config.quality_dims:
            voice["quality"] = self.model.clean_quality.expand(len(half["mel"]), -1)
        (frames, *formerly), lengths, condition = self._frames_in(half, voice)
        starts = self._starts(lengths, CONSISTENCY_SPAN)
        mask = length_mask(lengths - starts, CONSISTENCY_SPAN)
        mel, _, _ = self.model.decode(_spans(frames, starts, CONSISTENCY_SPAN), mask, condition, voice["spectrum"])
        asked = {"consistency": consistency(mel, mask.sum(1), voice["speaker_embedding"])}
        if self.content is not None:
            said = frame_phonemes(half["phoneme_ids"], half["durations"])[:, :, None]
            asked["content"] = self.content(mel, mask.sum(1), _spans(said, starts, CONSISTENCY_SPAN)[:, :, 0])
        for former, own in zip(self._former, formerly, strict=True):
            with torch.no_grad():
                was, _, _ = former.decode(_spans(own, starts, CONSISTENCY_SPAN), mask, condition, voice["spectrum"])
            asked["course"] = self._mel_loss(centred(mel, mask.sum(1)), centred(was, mask.sum(1)), mask)
        natural = _spans(half["mel"].transpose(1, 2), starts, CONSISTENCY_SPAN).transpose(1, 2)
        spans = torch.where(mask[:, None], mel, natural)[:, :, MARGIN : self.span - MARGIN]  # padded as natural ones
        return (spans - MEL_MIDDLE) / MEL_SPREAD, asked

    def _starts(self, lengths: Tensor, span: int) -> Tensor:
        """(B,) random frames at which spans begin that lie within (B,) frames where these suffice."""
        step = self.model.config.frames_per_step
        places = (lengths - span).clamp(min=0)
        return (torch.rand(len(places), device=places.device) * (places + 1)).long() // step * step

    def _frames(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Frame encodings (B, T, D), their lengths (B,), and what the decoder's norms are told (B, C)."""
        (frames,), lengths, condition = _frames_of((self.model,), batch, batch)
        return frames, lengths, condition

    def _frames_in(self, batch: dict[str, Tensor], voice: dict[str, Tensor]) -> tuple[list[Tensor], Tensor, Tensor]:
        """As `_frames`, in another batch's voices; of the model whose course is held as well."""
        return _frames_of((self.model, *self._former), batch, voice)

    def _make(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """A made and a natural span (B, n_mels, max(WINDOWS)) of each utterance, normalised, and regression losses."""
        f0, median = batch["f0"], batch["f0_median"]
        frames, lengths, condition = self._frames(batch)
        starts = self._starts(lengths, self.span)
        frames, mask = _spans(frames, starts, self.span), length_mask(lengths - starts, self.span)
        made, relative_f0, voicing = self.model.decode(frames, mask, condition, batch["spectrum"])
        natural = _spans(batch["mel"].transpose(1, 2), starts, self.span).transpose(1, 2)
        own_f0 = _spans(f0[:, :, None], starts, self.span)[:, :, 0]
        inner = slice(MARGIN, self.span - MARGIN)
        kept = mask[:, inner]
        made, natural = made[:, :, inner], natural[:, :, inner]
        losses = {"mel": self._mel_loss(made, natural, kept)}
        losses |= pitch_losses(relative_f0[:, inner], voicing[:, inner], own_f0[:, inner], median, kept)
        made = torch.where(kept[:, None], made, natural)
        return (made - MEL_MIDDLE) / MEL_SPREAD, (natural - MEL_MIDDLE) / MEL_SPREAD, losses


def _frames_of(
    models: Sequence[AcousticModel], batch: dict[str, Tensor], voice: dict[str, Tensor]
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Frames of each model, all of which have the first one's encoder, and the lengths and the condition of all."""
    condition = batch_condition(models[0], voice)
    with torch.no_grad():
        encodings, _ = models[0].encode(batch["phoneme_ids"], batch["phoneme_lengths"], condition)
    target = phoneme_prosody(batch["mel"], batch["f0"], batch["durations"], batch["f0_median"])
    frames, lengths = zip(*(model.expand(encodings, target, batch["durations"]) for model in models), strict=True)
    return list(frames), lengths[0], condition


def _spans(frames: Tensor, starts: Tensor, length: int) -> Tensor:
    """(B, T, C) and (B,) to (B, length, C), zero beyond the end."""
    short = int(starts.max()) + length - frames.shape[1]
    frames = F.pad(frames, (0, 0, 0, max(0, short)))
    at = starts[:, None] + torch.arange(length, device=starts.device)
    return torch.gather(frames, 1, at[:, :, None].expand(-1, -1, frames.shape[2]))
