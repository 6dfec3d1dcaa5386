"""What fine-tuning trains: a voice's own numbers, or the acoustic model's decoder against discriminators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from voxclone.config import AcousticConfig
from voxclone.finetuning.best import Best
from voxclone.finetuning.detail import course_and_detail_loss
from voxclone.layers.masks import length_mask
from voxclone.layers.norm import ConditionalLayerNorm
from voxclone.models.acoustic.model import DECODER_PARTS
from voxclone.models.adapter import DOWN, UP, Adapter
from voxclone.synthesis.progress import Stages
from voxclone.training.acoustic import LOSS_WEIGHTS, AcousticStep, pitch_losses
from voxclone.training.acoustic_adversarial import AdversarialAcousticStep
from voxclone.training.consistency import SpeakerConsistency
from voxclone.training.report import Report
from voxclone.training.speech_data import batch_condition

Depth = Literal["embedding", "norms", "lora", "full"]
DEPTHS: tuple[Depth, ...] = ("embedding", "norms", "lora", "full")
RANK = 8  # of LoRA's factors
CONSISTENCY_WEIGHT = 3.0  # of what the speaker encoder asks of the decoder
EMBEDDING_STEP = 3.0  # the embedding's learning rate against the spectrum's; its values are a tenth of the spectrum's


class Adaptation(Protocol):
    """What `learning.train` gives: a step that has been trained."""

    best: Best

    def learned_voice(self) -> dict[str, Tensor]:
        """speaker_embedding (D,) of unit length and spectrum (n_mels,), on the CPU."""

    def adapter(self, base_id: str, base_name: str) -> Adapter | None:
        """What was learned of the model, in fp16; None if nothing."""


class LowRank(nn.Module):
    """A weight plus a product of two factors, zero at first (LoRA, arXiv:2106.09685)."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = len(weight), weight.numel() // len(weight)
        self.up = nn.Parameter(torch.zeros(rows, rank))
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight in its own shape."""
        return weight + (self.up @ self.down).view(weight.shape)


class KeepsBest(AcousticStep, ABC):
    """A step that keeps the weights that did best on held-out sentences, and is done when no better ones came for a
    while.
    """

    best: Best
    stages = Stages(False)  # told at each validation how far it has come

    @abstractmethod
    def held_out_losses(self) -> dict[str, float]:
        """Means over frames, as they are now; "total" is the one that counts."""

    def validate(self, report: Report, step: int) -> None:
        """Losses on the held-out sentences; the weights are kept where their total is the lowest yet."""
        losses = self.held_out_losses()
        named = {f"valid_{name}": loss for name, loss in losses.items()}
        for name, loss in named.items():
            report.scalar(name, loss)
        report.row(named)
        self.best.offer(losses["total"], step)
        now, first = losses["total"], float(self.best.first_loss)
        self.stages.at(f"training: update {step}, loss on held-back recordings {now:.3f}, at first {first:.3f}")

    def is_done(self) -> bool:
        """Whether the best is some validations old."""
        return self.best.is_done()

    def _mel_loss(self, made: Tensor, natural: Tensor, frame_mask: Tensor) -> Tensor:
        return course_and_detail_loss(made, natural, frame_mask)


class VoiceStep(KeepsBest):
    """Depth "embedding": the voice's embedding and spectrum by the model's own losses, and nothing of the model.

    Args:
        config: The base model's.
        base: Its state dict.
        voice: What to begin with, and the f0_median and manner that stay.
        held_out: Batches of `voiced_batch` to validate on, at least one.
        patience: See `Best`.
    """

    def __init__(
        self,
        config: AcousticConfig,
        base: Mapping[str, Tensor],
        voice: Mapping[str, Tensor],
        held_out: Sequence[dict[str, Tensor]],
        patience: int,
    ) -> None:
        super().__init__(config, held_out)
        self.model.load_state_dict(dict(base))
        self.speaker_embedding = nn.Parameter(voice["speaker_embedding"].clone() / EMBEDDING_STEP)
        self.spectrum = nn.Parameter(voice["spectrum"].clone())
        self._stays = {name: voice[name] for name in ("f0_median", "manner")}
        self._trained = {"speaker_embedding": self.speaker_embedding, "spectrum": self.spectrum}
        self.best = Best(self._trained, patience)

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """The voice's."""
        return self._trained.values()

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `voiced_batch`, in the one voice."""
        own = self._trained | send_to_device(self._stays, self.spectrum.device)
        own["speaker_embedding"] = functional.normalize(self.speaker_embedding, dim=0)
        items = len(batch["mel"])
        return super().forward(batch | {name: each.expand(items, *each.shape) for name, each in own.items()}, phase)

    def held_out_losses(self) -> dict[str, float]:
        """Means over frames, as they are now."""
        held_out = send_to_device(list(self.held_out), self.spectrum.device)
        found = [(self(batch, "model"), int(batch["mel_lengths"].sum())) for batch in held_out]
        frames = sum(count for _, count in found)
        return {name: sum(float(each[name]) * count for each, count in found) / frames for name in found[0][0]}

    def learned_voice(self) -> dict[str, Tensor]:
        """speaker_embedding (D,) of unit length and spectrum (n_mels,), at their best."""
        found = self.best.weights()
        return found | {"speaker_embedding": functional.normalize(found["speaker_embedding"], dim=0)}

    def adapter(self, base_id: str, base_name: str) -> None:
        """Nothing of the model was learned."""
        return None


class DecoderStep(KeepsBest, AdversarialAcousticStep):
    """The decoder on one speaker, against discriminators that begin anew, with `course_and_detail_loss`.

    "norms" trains what shifts and scales its conditional norms, after AdaSpeech (arXiv:2103.00993, section 2.3): for
    one speaker the biases of the layers that make them. "lora" trains these, and low-rank factors of its large weights;
    "full" all of it. How the voice speaks, its durations and prosody, stays the clone's.

    Args:
        config: The base model's.
        base: Its state dict.
        depth: What to train.
        voice: Of `Frames`; it stays.
        held_out: Batches of `frames_batch` to validate on, at least one.
        consistency: Hears whether speech as from a clean recording, which is what is asked of the voice later, is
            still in the voice; its voices are that one.
        discriminator_rate: The discriminators' learning rate as a multiple of the decoder's.
        patience: See `Best`.
    """

    judges_weight = 0.5
    judges_others = True  # all that is natural is of the one speaker

    def __init__(
        self,
        config: AcousticConfig,
        base: Mapping[str, Tensor],
        depth: Depth,
        voice: Mapping[str, Tensor],
        held_out: Sequence[dict[str, Tensor]],
        consistency: SpeakerConsistency,
        discriminator_rate: float,
        patience: int,
    ) -> None:
        super().__init__(config, held_out, consistency_weight=CONSISTENCY_WEIGHT)
        self.consistency = consistency
        self.model.load_state_dict(dict(base))
        self.depth, self._voice, self.discriminator_rate = depth, voice, discriminator_rate
        self._trained = self._choose(depth)
        self._start = {name: value.detach().clone() for name, value in self._trained.items()}
        self.best = Best(self._trained, patience)

    def _choose(self, depth: Depth) -> dict[str, nn.Parameter]:
        parts = {name: module for name, module in self.model.named_modules() if name.split(".")[0] in DECODER_PARTS}
        if depth == "full":
            return {name: value for name, value in self.model.named_parameters() if name.split(".")[0] in DECODER_PARTS}
        norms = [name for name, module in parts.items() if isinstance(module, ConditionalLayerNorm)]
        chosen = {name: self.model.get_parameter(name) for name in [f"{n}.affine.bias" for n in norms] + ["head.bias"]}
        if depth == "lora":
            for name, module in parts.items():
                if _is_large(name, module):
                    factors = LowRank(module.weight, RANK)
                    chosen |= {f"{name}.weight{UP}": factors.up, f"{name}.weight{DOWN}": factors.down}
                    parametrize.register_parametrization(module, "weight", factors)
        return chosen

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """The discriminators', or those of the depth."""
        return self.judges.parameters() if phase == "discriminator" else self._trained.values()

    def rate_of(self, phase: str) -> float:
        """The discriminators' is `discriminator_rate`."""
        return self.discriminator_rate if phase == "discriminator" else 1.0

    def _frames(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        return batch["frames"], batch["mel_lengths"], batch["condition"]

    def _frames_in(self, batch: dict[str, Tensor], voice: dict[str, Tensor]) -> tuple[list[Tensor], Tensor, Tensor]:
        return [batch["frames"]], batch["mel_lengths"], batch_condition(self.model, voice)

    def held_out_losses(self) -> dict[str, float]:
        """Regression losses, means over frames, as they are now."""
        sums: dict[str, float] = {}
        batches = send_to_device(list(self.held_out), self.model.embedding.weight.device)
        frames = sum(int(batch["mel_lengths"].sum()) for batch in batches)
        for batch in batches:
            mask = length_mask(batch["mel_lengths"], batch["frames"].shape[1])
            mel, f0, voicing = self.model.decode(batch["frames"], mask, batch["condition"], batch["spectrum"])
            losses = {"mel": self._mel_loss(mel, batch["mel"], mask)}
            losses |= pitch_losses(f0, voicing, batch["f0"], batch["f0_median"], mask)
            losses["total"] = torch.stack([LOSS_WEIGHTS[name] * value for name, value in losses.items()]).sum()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value) * int(mask.sum()) / frames
        return sums

    def learned_voice(self) -> dict[str, Tensor]:
        """The given speaker_embedding (D,) and spectrum (n_mels,)."""
        return {name: self._voice[name].clone() for name in ("speaker_embedding", "spectrum")}

    def adapter(self, base_id: str, base_name: str) -> Adapter:
        """What was learned, in fp16."""
        changes = {
            name: (value if name.endswith((UP, DOWN)) else value - self._start[name].cpu()).half()
            for name, value in self.best.weights().items()
        }
        return Adapter(changes, base_id, base_name, self.depth)


def _is_large(name: str, module: nn.Module) -> bool:
    """Whether a layer's weights are worth factors; those that see the voice alone are covered by their biases."""
    if not isinstance(module, (nn.Linear, nn.Conv1d)) or name.endswith(".affine"):
        return False
    grouped = isinstance(module, nn.Conv1d) and module.groups > 1
    return not grouped and min(module.weight.shape[:2]) >= 2 * RANK
