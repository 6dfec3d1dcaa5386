"""What a recipe gives the trainer: networks with their losses, and how long and fast to train."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from voxclone.config import Config
from voxclone.errors import ConfigError
from voxclone.training.report import Report


class TrainingStep(nn.Module):
    """Owns the networks of a run and maps a batch to losses; recipes subclass it.

    `phases` are updated in turn on every batch, each with its own optimizer: ("discriminator", "generator") for a GAN.
    """

    phases: tuple[str, ...] = ("model",)

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """What the phase updates; all else is frozen meanwhile."""
        return self.parameters()

    def rate_of(self, phase: str) -> float:
        """The phase's learning rate as a multiple of the config's."""
        return 1.0

    def forward(self, batch: dict[str, Any], phase: str) -> dict[str, Tensor]:
        """Named scalar losses of the phase; "total" is minimised, the others are logged."""
        raise NotImplementedError

    def validate(self, report: Report, step: int) -> None:
        """Report scalars, figures and audio; called in eval and inference mode, with the averaged weights in place."""

    def is_done(self) -> bool:
        """Whether the run may end before its configured end: early stopping. Kept in buffers, it outlives a kill."""
        return False


@dataclass(frozen=True)
class TrainerConfig(Config):
    """How long and how fast; at least one of `max_steps` and `max_minutes` is given, the nearer one ends the run."""

    max_steps: int | None = None
    max_minutes: float | None = None  # of training, over all resumes
    learning_rate: float = 2e-4
    betas: tuple[float, ...] = (0.9, 0.99)
    weight_decay: float = 0.01
    warmup_steps: int = 0
    final_lr_factor: float = 0.05  # of learning_rate, at the end of the cosine
    gradient_clip: float = 1.0  # norm over a phase's parameters
    ema_decay: float = 0.999  # 0 = no average
    mixed_precision: Literal["no", "bf16"] = "no"
    cuda_graph: bool = False  # one graph for all phases, see voxclone.training.graphed
    checkpoint_every_seconds: float = 180.0
    log_every: int = 20  # steps
    validate_every: int = 500  # steps
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_steps is None and self.max_minutes is None:
            raise ConfigError("TrainerConfig needs max_steps or max_minutes, or the training never ends")
        if any(limit is not None and limit <= 0 for limit in (self.max_steps, self.max_minutes)):
            raise ConfigError(f"max_steps {self.max_steps} and max_minutes {self.max_minutes} must be above 0")
        if len(self.betas) != 2:
            raise ConfigError(f"betas must be two numbers, got {self.betas}")

    def progress(self, step: int, minutes: float) -> float:
        """How much of the run is done, 0 to 1."""
        steps_done = step / self.max_steps if self.max_steps else 0.0
        minutes_done = minutes / self.max_minutes if self.max_minutes else 0.0
        return min(1.0, max(steps_done, minutes_done))

    def lr_factor(self, step: int, minutes: float) -> float:
        """Linear warm-up times cosine decay, for update number `step`, counted from 1."""
        warmup = min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress(step, minutes)))
        return warmup * (self.final_lr_factor + (1 - self.final_lr_factor) * cosine)


def weighted(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The weighted sum of those losses that are there."""
    return torch.stack([weight * losses[name] for name, weight in weights.items() if name in losses]).sum()
