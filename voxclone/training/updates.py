"""The optimizer steps of a training step's phases."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from voxclone.errors import VoxcloneError
from voxclone.training.report import LogWindow
from voxclone.training.step import TrainerConfig, TrainingStep

MAX_SKIPPED_IN_A_ROW = 20


class PhaseUpdates:
    """One AdamW for each phase, and the updates that they make; what no phase updates is frozen.

    Args:
        step: Networks and losses; prepared by the accelerator here.
        config: Rates.
        accelerator: Backward, precision and clipping.

    Raises:
        VoxcloneError: A phase has no parameter to train.
    """

    def __init__(self, step: TrainingStep, config: TrainerConfig, accelerator: Accelerator) -> None:
        self._networks = step
        self._config = config
        self._accelerator = accelerator
        self._skipped_in_a_row = 0
        self._parameters = {p: [v for v in step.parameters_of(p) if v.requires_grad] for p in step.phases}
        for phase, parameters in self._parameters.items():
            if not parameters:
                raise VoxcloneError(
                    f"phase {phase!r} of {type(step).__name__} has no parameter that requires a gradient"
                )
        self._train_only(*step.phases)
        self._forward = accelerator.prepare(step)
        self.optimizers = {phase: self._optimizer(parameters) for phase, parameters in self._parameters.items()}

    def _optimizer(self, parameters: list[nn.Parameter], **further: Any) -> torch.optim.Optimizer:
        config = self._config
        given: dict[str, Any] = {"lr": config.learning_rate, "betas": (config.betas[0], config.betas[1])} | further
        return torch.optim.AdamW(parameters, weight_decay=config.weight_decay, fused=True, **given)

    def update(self, batch: Any, rate: float, window: LogWindow) -> None:
        """One optimizer step of every phase; a phase whose loss is not finite leaves its networks as they were.

        Raises:
            VoxcloneError: A loss or its gradient was not finite for the `MAX_SKIPPED_IN_A_ROW`-th batch in a row.
        """
        skipped = [phase for phase in self.optimizers if not self._update_phase(phase, batch, rate, window)]
        window.steps += 1
        window.skipped += bool(skipped)
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if skipped else 0
        if self._skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
            raise self._never_finite(skipped)

    @staticmethod
    def _never_finite(phases: list[str]) -> VoxcloneError:
        return VoxcloneError(
            f"the loss of {' and '.join(phases)}, or its gradient, was not finite in {MAX_SKIPPED_IN_A_ROW} "
            "updates in a row; go back to an older checkpoint, lower the learning rate or check the data"
        )

    def _update_phase(self, phase: str, batch: Any, rate: float, window: LogWindow) -> bool:
        """One step of a phase's optimizer; where loss or gradient is not finite, none, and False."""
        self._train_only(phase)
        buffers = [(buffer, buffer.clone()) for buffer in self._networks.buffers()]
        losses = self._forward(batch, phase)
        self._accelerator.backward(losses["total"])
        norm = self._accelerator.clip_grad_norm_(self._parameters[phase], self._config.gradient_clip)
        total = self._accelerator.reduce(losses["total"].detach(), "sum")  # all processes must judge alike
        finite = bool(torch.isfinite(total) & torch.isfinite(norm))
        optimizer = self.optimizers[phase]
        if finite:
            for group in optimizer.param_groups:
                group["lr"] = rate * self._networks.rate_of(phase)
            optimizer.step()
            window.add(losses, self._prefix(phase))
        else:  # the statistics that normalisation layers keep have seen the bad batch
            for buffer, before in buffers:
                buffer.copy_(before)
        optimizer.zero_grad()
        return finite

    def _prefix(self, phase: str) -> str:
        """Of the phase's losses in the log."""
        return f"{phase}/" if len(self.optimizers) > 1 else ""

    def _train_only(self, *phases: str) -> None:
        networks: nn.Module = self._networks
        networks.requires_grad_(False)
        for phase in phases:
            for parameter in self._parameters[phase]:
                parameter.requires_grad_(True)
