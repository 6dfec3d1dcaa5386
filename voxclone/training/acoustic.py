"""Training the acoustic model: durations, prosody and mel of transcribed speech, in the voice of each utterance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from accelerate.utils import send_to_device
from torch import Tensor, nn

from voxclone.config import AcousticConfig
from voxclone.layers.masks import length_mask
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.units import MEL_SPREAD
from voxclone.models.acoustic.variance import phoneme_prosody
from voxclone.training.calibration import VALUES, calibrate
from voxclone.training.plots import compare_mels
from voxclone.training.report import Report
from voxclone.training.speech_data import batch_condition
from voxclone.training.step import TrainingStep

LOSS_WEIGHTS = {
    "mel": 4.0, "duration": 0.5, "pitch": 0.3, "voiced_share": 0.5, "energy": 0.3, "f0": 1.0, "voicing": 0.3,
}  # fmt: skip


class AcousticStep(TrainingStep):
    """Regression of FastSpeech 2 (arXiv:2006.04558): mel, durations in the log domain, prosody, frame-level f0.

    Args:
        config: The acoustic model.
        held_out: Batches to validate on.
        frozen: Parts of the model that stay as they are, such as a decoder that discriminators have sharpened.
    """

    def __init__(
        self, config: AcousticConfig, held_out: Sequence[dict[str, Tensor]], frozen: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.model = AcousticModel(config)
        self.held_out, self.frozen = held_out, frozen
        self._calibration: tuple[Tensor, Tensor] | None = None  # found by validate, which runs on averaged weights

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """Those of the parts that are not frozen."""
        return [value for name, value in self.model.named_parameters() if name.split(".")[0] not in self.frozen]

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `voiced_batch`."""
        model, durations = self.model, batch["durations"]
        self.store_calibration()
        mel, f0, median = batch["mel"], batch["f0"], batch["f0_median"]
        target = phoneme_prosody(mel, f0, durations, median)
        condition = batch_condition(model, batch)
        encodings, mask = model.encode(batch["phoneme_ids"], batch["phoneme_lengths"], condition)
        prosody, log_durations = model.predict(encodings, mask, condition)
        frames, _ = model.expand(encodings, target, durations)
        frame_mask = length_mask(batch["mel_lengths"], frames.shape[1])
        made, relative_f0, voicing = model.decode(frames, frame_mask, condition, batch["spectrum"])
        weight = mask.float() / mask.sum()
        heard = (target[:, :, 1] > 0).float() * mask
        losses = {
            "mel": self._mel_loss(made, mel, frame_mask),
            "duration": ((log_durations.float() - torch.log(durations.clamp(min=1))).square() * weight).sum(),
            "pitch": ((prosody[:, :, 0] - target[:, :, 0]).float().square() * heard).sum() / heard.sum().clamp(min=1),
            "voiced_share": ((prosody[:, :, 1] - target[:, :, 1]).float().square() * weight).sum(),
            "energy": ((prosody[:, :, 2] - target[:, :, 2]).float().square() * weight).sum(),
        } | pitch_losses(relative_f0, voicing, f0, median, frame_mask)
        losses["total"] = torch.stack([LOSS_WEIGHTS[name] * value for name, value in losses.items()]).sum()
        return losses

    def _mel_loss(self, made: Tensor, natural: Tensor, frame_mask: Tensor) -> Tensor:
        return ((made - natural).abs().mean(1) * frame_mask).sum() / frame_mask.sum() / MEL_SPREAD

    @torch.no_grad()
    def store_calibration(self) -> None:
        """Put what validation measured into the model; not there and then, since it ran on averaged weights."""
        if self.training and self.model.spread is not None and self._calibration is not None:
            self.model.spread.stretch.copy_(self._calibration[0])
            self.model.spread.residual.copy_(self._calibration[1])
            self._calibration = None

    def _global_variance(self, held_out: Sequence[dict[str, Tensor]]) -> float:
        """Variance over time of made mels by that of natural ones, with natural durations and prosody; 1 is real."""
        ratios = []
        for batch in held_out:
            made, inside = teacher_forced(self.model, batch)
            for own, natural, frames in zip(made, batch["mel"], inside.sum(1).tolist(), strict=True):
                ratios.append((own[:, :frames].var(1) / natural[:, :frames].var(1).clamp(min=1e-3)).mean())
        return float(torch.stack(ratios).mean())

    def validate(self, report: Report, step: int) -> None:
        """Losses on held-out speakers with their own durations and prosody; predicted mels beside natural ones."""
        if not self.held_out:
            return
        held_out = send_to_device(list(self.held_out), self.model.embedding.weight.device)
        sums: dict[str, float] = defaultdict(float)
        for batch in held_out:
            for name, value in self(batch, "model").items():
                sums[name] += float(value) / len(held_out)
        for name, mean in sums.items():
            report.scalar(f"valid_{name}", mean)
        if self.model.spread is not None:
            self._calibration = calibrate(self.model, self.model.spread.average, held_out)
            for name, stretch, residual in zip(VALUES, *(each.tolist() for each in self._calibration), strict=True):
                report.scalar(f"valid_stretch_{name}", stretch)
                report.scalar(f"valid_residual_{name}", residual)
        report.scalar("valid_global_variance", self._global_variance(held_out))
        batch = {name: value[:4] for name, value in held_out[0].items()}
        made = self.model.infer(
            batch["phoneme_ids"],
            batch["phoneme_lengths"],
            batch["speaker_embedding"],
            batch["f0_median"],
            batch["spectrum"],
            batch.get("manner"),
        )
        length = max(made.mel.shape[2], batch["mel"].shape[2])
        padded = [F.pad(mel, (0, length - mel.shape[2]), value=-11.5) for mel in (batch["mel"], made.mel)]
        report.figure("mels", compare_mels(*padded))


def pitch_losses(
    relative_f0: Tensor, voicing: Tensor, f0: Tensor, f0_median: Tensor, frame_mask: Tensor
) -> dict[str, Tensor]:
    """How far the decoder's pitch is from the natural one: "f0" in octaves over voiced frames, and "voicing".

    Args:
        relative_f0: (B, T) octaves from the median, as `AcousticModel.decode` makes it.
        voicing: (B, T) logits.
        f0: (B, T) Hz, natural, 0 = unvoiced.
        f0_median: (B,) Hz.
        frame_mask: (B, T), True = real.
    """
    median = f0_median[:, None]
    voiced = (f0 > 0) & frame_mask
    octaves = torch.log2(torch.where(f0 > 0, f0, median) / median)
    return {
        "f0": ((relative_f0 - octaves).abs() * voiced).sum() / voiced.sum().clamp(min=1),
        "voicing": F.binary_cross_entropy_with_logits(voicing[frame_mask], voiced[frame_mask].float()),
    }


def teacher_forced(model: AcousticModel, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Mels (B, n_mels, T) for a batch of `voiced_batch`, spoken as it was, and the mask (B, T) of their frames.

    Durations, prosody, voice and the sound of the recording are the natural ones: frame t stands for the natural one.
    """
    durations, median = batch["durations"], batch["f0_median"]
    condition = batch_condition(model, batch)
    encodings, _ = model.encode(batch["phoneme_ids"], batch["phoneme_lengths"], condition)
    target = phoneme_prosody(batch["mel"], batch["f0"], durations, median)
    frames, lengths = model.expand(encodings, target, durations)
    inside = length_mask(lengths, frames.shape[1])
    return model.decode(frames, inside, condition, batch["spectrum"])[0], inside
