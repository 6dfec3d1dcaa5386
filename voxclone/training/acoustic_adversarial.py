"""The acoustic model's second stage: its decoder against discriminators of mels (GANSpeech, arXiv:2106.15153)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.config import AcousticConfig
from voxclone.layers.masks import length_mask
from voxclone.models.acoustic.model import MEL_MIDDLE, MEL_SPREAD
from voxclone.models.acoustic.variance import phoneme_prosody
from voxclone.training.acoustic import LOSS_WEIGHTS, AcousticStep
from voxclone.training.gan_losses import adversarial_loss, discriminator_loss, feature_matching_loss
from voxclone.training.mel_discriminators import WINDOWS, MelDiscriminators

DISCRIMINATOR_RATE = 4.0  # times the decoder's learning rate
MARGIN = 16  # frames beside a judged span that are decoded with it, so that its ends are not an utterance's


class AdversarialAcousticStep(AcousticStep):
    """Decoder and discriminators in turn, on a span of each utterance; encoder and predictors stay as they are.

    The feature matching loss is scaled to the regression loss, as the paper has it (section 2.3).

    Args:
        config: The acoustic model.
        held_out: Batches to validate on.
        channels: Width of the discriminators.
    """

    phases = ("discriminator", "generator")

    def __init__(self, config: AcousticConfig, held_out: Sequence[dict[str, Tensor]], channels: int = 16) -> None:
        super().__init__(config, held_out)
        self.judges = MelDiscriminators(config.speaker_embedding_dim, channels)
        self.span = max(WINDOWS) + 2 * MARGIN

    def train(self, mode: bool = True) -> Self:
        """Without dropout in the parts that are not trained."""
        super().train(mode)
        self.model.eval()
        return self

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
        """Named losses for a batch from `voiced_batch`; "model" gives the regression losses over whole utterances."""
        if phase == "model":
            return super().forward(batch, phase)
        self.store_calibration()
        with torch.set_grad_enabled(phase == "generator"):
            made, natural, losses = self._make(batch)
        speaker = batch["speaker_embedding"]
        both = torch.cat([natural, made])
        scores, maps = self.judges(both, speaker.repeat(2, 1))
        count = len(natural)
        made_scores = [score[count:] for score in scores]
        if phase == "discriminator":
            total = discriminator_loss([score[:count] for score in scores], made_scores) / len(scores)
            return {"total": total}
        losses["adversarial"] = adversarial_loss(made_scores) / len(scores)
        matching = feature_matching_loss(
            [[m[:count] for m in layers] for layers in maps], [[m[count:] for m in layers] for layers in maps]
        )
        regression = LOSS_WEIGHTS["mel"] * losses["mel"]
        losses["matching"] = matching
        scale = (regression / matching.clamp(min=1e-6)).detach()
        prosody = LOSS_WEIGHTS["f0"] * losses["f0"] + LOSS_WEIGHTS["voicing"] * losses["voicing"]
        losses["total"] = regression + scale * matching + losses["adversarial"] + prosody
        return losses

    def _make(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """A made and a natural span (B, n_mels, max(WINDOWS)) of each utterance, normalised, and regression losses."""
        model, durations = self.model, batch["durations"]
        f0, median = batch["f0"], batch["f0_median"]
        quality = batch["quality"] if model.config.quality_dims else None
        condition = model.condition(batch["speaker_embedding"], median, batch["spectrum"], quality, batch.get("manner"))
        with torch.no_grad():
            encodings, _ = model.encode(batch["phoneme_ids"], batch["phoneme_lengths"], condition)
        target = phoneme_prosody(batch["mel"], f0, durations, median)
        frames, lengths = model.expand(encodings, target, durations)
        step = model.config.frames_per_step
        places = (lengths - self.span).clamp(min=0)
        starts = (torch.rand(len(places), device=places.device) * (places + 1)).long() // step * step
        frames, mask = _spans(frames, starts, self.span), length_mask(lengths - starts, self.span)
        made, relative_f0, voicing = model.decode(frames, mask, condition, batch["spectrum"])
        natural = _spans(batch["mel"].transpose(1, 2), starts, self.span).transpose(1, 2)
        own_f0 = _spans(f0[:, :, None], starts, self.span)[:, :, 0]
        inner = slice(MARGIN, self.span - MARGIN)
        kept = mask[:, inner]
        voiced = (own_f0[:, inner] > 0) & kept
        octaves = torch.log2(torch.where(own_f0 > 0, own_f0, median[:, None]) / median[:, None])[:, inner]
        made, natural = ((mel[:, :, inner] - MEL_MIDDLE) / MEL_SPREAD for mel in (made, natural))
        made = torch.where(kept[:, None], made, natural)
        losses = {
            "mel": ((made - natural).abs().mean(1) * kept).sum() / kept.sum().clamp(min=1),
            "f0": ((relative_f0[:, inner] - octaves).abs() * voiced).sum() / voiced.sum().clamp(min=1),
            "voicing": F.binary_cross_entropy_with_logits(voicing[:, inner][kept], voiced[kept].float()),
        }
        return made, natural, losses


def _spans(frames: Tensor, starts: Tensor, length: int) -> Tensor:
    """(B, T, C) and (B,) to (B, length, C), zero beyond the end."""
    short = int(starts.max()) + length - frames.shape[1]
    frames = F.pad(frames, (0, 0, 0, max(0, short)))
    at = starts[:, None] + torch.arange(length, device=starts.device)
    return torch.gather(frames, 1, at[:, :, None].expand(-1, -1, frames.shape[2]))
