"""Fine-tuning an acoustic model on one voice, at three depths, with early stopping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from voxclone.config import AcousticConfig
from voxclone.finetuning.detail import course_and_detail_loss
from voxclone.layers.norm import ConditionalLayerNorm
from voxclone.models.acoustic.manner import manner
from voxclone.models.adapter import DOWN, UP, Adapter
from voxclone.training.acoustic import AcousticStep
from voxclone.training.calibration import calibrate
from voxclone.training.trainer import Report

Depth = Literal["embedding", "norms", "lora", "full"]
DEPTHS: tuple[Depth, ...] = ("embedding", "norms", "lora", "full")
RANK = 8  # of LoRA's factors
PREDICTORS = ("prosody_predictor.", "duration_predictor.")
EMBEDDING_STEP = 3.0  # the embedding's learning rate against the spectrum's; its values are a tenth of the spectrum's


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


class AdaptationStep(AcousticStep):
    """The acoustic model's own losses on one speaker, but for the mel's (see `course_and_detail_loss`).

    What is trained depends on the depth. "embedding": the voice's embedding and spectrum, and nothing of the model.
    "norms": shift and scale of every conditional norm and the speaker's vector, after AdaSpeech (arXiv:2103.00993,
    section 2.3); for one speaker they are the biases of the layers that make them. "lora": these, and low-rank factors
    of the large weights. "full": all.

    The weights of the best validation are kept; `is_done` where the last `patience` validations were no better.

    Args:
        config: The base model's.
        base: Its state dict.
        voice: What to begin with, see `SpeakerData.measured_voice`.
        depth: What to train.
        held_out: Batches of sentences to validate on, at least one.
        patience: Validations without a better one that end the run.
    """

    f0_median: Tensor  # Hz, 0-dim
    manner: Tensor  # (MANNER_DIMS,)
    first_loss: Tensor  # on the held-out sentences, before training
    best_loss: Tensor
    best_update: Tensor  # after which it was found; 0: before training
    since_best: Tensor

    def __init__(
        self,
        config: AcousticConfig,
        base: Mapping[str, Tensor],
        voice: Mapping[str, Tensor],
        depth: Depth,
        held_out: Sequence[dict[str, Tensor]],
        patience: int = 5,
    ) -> None:
        super().__init__(config, held_out)
        self.model.load_state_dict(dict(base))
        self.depth, self.patience = depth, patience
        self._start = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        self.speaker_embedding = nn.Parameter(voice["speaker_embedding"].clone() / EMBEDDING_STEP)
        self.spectrum = nn.Parameter(voice["spectrum"].clone())
        self.register_buffer("f0_median", voice["f0_median"].clone())
        self.measures = {name: _known(voice[name]) for name in ("f0_spread", "phoneme_seconds")}
        self.register_buffer("manner", manner(self.measures["phoneme_seconds"], self.measures["f0_spread"]))
        self._trained = self._choose(depth)
        self.register_buffer("first_loss", torch.tensor(float("inf")))
        self.register_buffer("best_loss", torch.tensor(float("inf")))
        self.register_buffer("best_update", torch.tensor(0))
        self.register_buffer("since_best", torch.tensor(0))
        for index, parameter in enumerate(self._trained.values()):
            self.register_buffer(f"best_{index}", parameter.detach().clone())

    def _choose(self, depth: Depth) -> dict[str, nn.Parameter]:
        if depth == "embedding":
            return {"speaker_embedding": self.speaker_embedding, "spectrum": self.spectrum}
        if depth == "full":
            return {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        chosen = {name: self.model.get_parameter(name) for name in _norm_names(self.model)}
        if depth == "lora":
            for name, module in _large_layers(self.model).items():
                factors = LowRank(module.weight, RANK)
                chosen |= {f"{name}.weight{UP}": factors.up, f"{name}.weight{DOWN}": factors.down}
                parametrize.register_parametrization(module, "weight", factors)
        return chosen

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """Those of the depth."""
        return self._trained.values()

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `voiced_batch`, in the one voice."""
        return super().forward(batch | self._voice(len(batch["mel"])), phase)

    def _mel_loss(self, made: Tensor, natural: Tensor, frame_mask: Tensor) -> Tensor:
        return course_and_detail_loss(made, natural, frame_mask)

    def _voice(self, items: int) -> dict[str, Tensor]:
        embedding = functional.normalize(self.speaker_embedding, dim=0)
        return {
            "speaker_embedding": embedding.expand(items, -1),
            "spectrum": self.spectrum.expand(items, -1),
            "f0_median": self.f0_median.expand(items),
            "manner": self.manner.expand(items, -1),
        }

    @torch.inference_mode()
    def begin(self) -> None:
        """Take the loss before training as the one to beat; a checkpoint that is loaded later brings its own."""
        self.eval()
        loss = self._held_out_losses()["total"]
        self.first_loss.fill_(loss)
        self.best_loss.fill_(loss)

    def validate(self, report: Report, step: int) -> None:
        """Losses on the held-out sentences; keeps the weights where their total is the lowest yet."""
        losses = {f"valid_{name}": loss for name, loss in self._held_out_losses().items()}
        for name, loss in losses.items():
            report.scalar(name, loss)
        report.row(losses)
        if losses["valid_total"] < float(self.best_loss):
            self.best_loss.fill_(losses["valid_total"])
            self.best_update.fill_(step)
            self.since_best.zero_()
            for index, parameter in enumerate(self._trained.values()):
                self.get_buffer(f"best_{index}").copy_(parameter)
        else:
            self.since_best += 1

    def _held_out_losses(self) -> dict[str, float]:
        """Means over frames."""
        held_out = send_to_device(list(self.held_out), self.spectrum.device)
        found = [(self(batch, "model"), int(batch["mel_lengths"].sum())) for batch in held_out]
        frames = sum(count for _, count in found)
        return {name: sum(float(each[name]) * count for each, count in found) / frames for name in found[0][0]}

    def is_done(self) -> bool:
        """Whether the held-out sentences have not been spoken better for a while."""
        return int(self.since_best) >= self.patience

    def best(self) -> dict[str, Tensor]:
        """What was trained, at its best, by name, on the CPU."""
        return {name: self.get_buffer(f"best_{index}").cpu().clone() for index, name in enumerate(self._trained)}

    def learned_voice(self) -> dict[str, Tensor]:
        """speaker_embedding (D,) of unit length and spectrum (n_mels,): the given ones but in depth "embedding"."""
        found = {"speaker_embedding": self.speaker_embedding.detach(), "spectrum": self.spectrum.detach()}
        if self.depth == "embedding":
            found = self.best()
        return {
            "speaker_embedding": functional.normalize(found["speaker_embedding"].cpu(), dim=0),
            "spectrum": found["spectrum"].cpu().clone(),
        }

    def adapter(self, base_id: str, base_name: str) -> Adapter | None:
        """What was learned of the model, in fp16; None in depth "embedding"."""
        if self.depth == "embedding":
            return None
        changes = {
            name: (value if name.endswith((UP, DOWN)) else value - self._start[name].cpu()).half()
            for name, value in self.best().items()
        }
        return Adapter(changes | self._spread_changes(), base_id, base_name, self.depth)

    @torch.inference_mode()
    def _spread_changes(self) -> dict[str, Tensor]:
        """What the prosody's spread is changed by: one speaker is predicted better, and needs less stretch, if any."""
        spread = self.model.spread
        if spread is None:
            return {}
        self.eval()
        for parameter, best in zip(self._trained.values(), self.best().values(), strict=True):
            parameter.copy_(best)
        held_out = send_to_device(list(self.held_out), self.spectrum.device)
        batches = [batch | self._voice(len(batch["mel"])) for batch in held_out]
        found = calibrate(self.model, spread.average, batches)
        changes = {}
        for name, was, value in zip(("stretch", "residual"), (spread.stretch, spread.residual), found, strict=True):
            changes[f"spread.{name}"] = (torch.minimum(was, value) - was).cpu().half()
        return changes


def _known(value: Tensor) -> float | None:
    return None if value.isnan() else float(value)


def _norm_names(model: nn.Module) -> list[str]:
    """Biases that make each conditional norm's scale and shift, that of the speaker's vector, and that of the mel."""
    norms = [name for name, module in model.named_modules() if isinstance(module, ConditionalLayerNorm)]
    return [f"{name}.affine.bias" for name in norms] + ["speaker.2.bias", "head.bias"]


def _large_layers(model: nn.Module) -> dict[str, nn.Linear | nn.Conv1d]:
    """Layers whose weights are worth factors.

    Those that see the voice alone are covered by their biases. Predictors of prosody would learn the few sentences by
    heart: of them the norms must do.
    """
    found = {}
    for name, module in model.named_modules():
        left_out = name.startswith(("speaker.", "rate_reader.", *PREDICTORS)) or name.endswith(".affine")
        if isinstance(module, (nn.Linear, nn.Conv1d)) and not left_out:
            grouped = isinstance(module, nn.Conv1d) and module.groups > 1
            if not grouped and min(module.weight.shape[:2]) >= 2 * RANK:
                found[name] = module
    return found
