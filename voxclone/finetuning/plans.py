"""How each depth is trained."""

from __future__ import annotations

from dataclasses import dataclass

from voxclone.finetuning.adaptation import Depth
from voxclone.training.step import TrainerConfig

AUTO: Depth = "lora"  # with ten sentences already (docs/decisions.md)


@dataclass(frozen=True)
class Plan:
    """Numbers of one depth.

    Attributes:
        discriminator_rate: The discriminators' learning rate as a multiple of this one.
        patience: Validations without a better one that end the run.
    """

    max_steps: int
    learning_rate: float
    validate_every: int
    discriminator_rate: float = 1.0
    patience: int = 4

    def trainer(self, minutes: float) -> TrainerConfig:
        """As the trainer takes it, for `minutes` at the most."""
        return TrainerConfig(
            max_steps=self.max_steps,
            max_minutes=minutes,
            learning_rate=self.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=0.0,
            warmup_steps=10,
            final_lr_factor=0.1,
            ema_decay=0.0,
            checkpoint_every_seconds=30.0,
            log_every=10,
            validate_every=self.validate_every,
        )


PLANS: dict[Depth, Plan] = {
    "embedding": Plan(max_steps=60, learning_rate=1e-2, validate_every=10),
    "norms": Plan(max_steps=200, learning_rate=3e-3, validate_every=20, discriminator_rate=1.3, patience=3),
    "lora": Plan(max_steps=200, learning_rate=1e-3, validate_every=20, discriminator_rate=4.0, patience=3),
    "full": Plan(max_steps=120, learning_rate=2e-4, validate_every=20, discriminator_rate=20.0, patience=3),
}
