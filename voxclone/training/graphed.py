"""All phases of an update as one CUDA graph, for steps whose launches take longer than what they launch."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from voxclone.errors import VoxcloneError
from voxclone.training.report import LogWindow
from voxclone.training.step import TrainerConfig, TrainingStep
from voxclone.training.updates import MAX_SKIPPED_IN_A_ROW, PhaseUpdates

WARM_UP = 4  # updates: cuDNN and cuFFT choose and plan in them


class GraphedUpdates(PhaseUpdates):
    """As `PhaseUpdates`, captured once and replayed: an adversarial update is some thousand small kernels.

    The step must be the same for every batch: tensors of fixed shapes in a dict, nothing read back to the CPU, no
    random choice outside torch's CUDA generator, no statistics of normalisation layers (those of a batch that is
    skipped would stay).

    Raises:
        VoxcloneError: There is no CUDA device, or there are several processes.
    """

    def __init__(self, step: TrainingStep, config: TrainerConfig, accelerator: Accelerator) -> None:
        if accelerator.device.type != "cuda" or accelerator.num_processes > 1:
            raise VoxcloneError(
                f"cuda_graph needs one process on a CUDA device, this is {accelerator.num_processes} on "
                f"{accelerator.device}; leave it out of the trainer's config"
            )
        super().__init__(step, config, accelerator)
        self._rates = {phase: torch.zeros((), device=accelerator.device) for phase in step.phases}  # read by the graph
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: dict[str, Tensor] = {}
        self._losses: dict[str, dict[str, Tensor]] = {}
        self._skipped = torch.zeros((), device=accelerator.device)
        self._in_a_row = torch.zeros((), device=accelerator.device)
        self._updates = 0

    def _optimizer(self, parameters: list[nn.Parameter], **further: Any) -> torch.optim.Optimizer:
        rate = torch.tensor(self._config.learning_rate, device=self._accelerator.device)
        return super()._optimizer(parameters, lr=rate, capturable=True, **further)

    def update(self, batch: dict[str, Tensor], rate: float, window: LogWindow) -> None:
        """As `PhaseUpdates.update`; skipped updates are looked for, and logged, every few updates."""
        for phase, optimizer in self.optimizers.items():
            self._rates[phase].fill_(rate * self._networks.rate_of(phase))
            for group in optimizer.param_groups:
                group["lr"] = self._rates[phase]
        for name, value in batch.items():
            self._batch.setdefault(name, torch.empty_like(value)).copy_(value)
        if self._updates < WARM_UP:
            self._aside()
        else:
            if self._graph is None:
                self._graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                    self._losses = self._phases()
            self._graph.replay()
        self._updates += 1
        for phase, losses in self._losses.items():
            window.add({name: value.clone() for name, value in losses.items()}, self._prefix(phase))
        window.steps += 1
        if self._updates % MAX_SKIPPED_IN_A_ROW == 0:
            self._judge(window)

    def _aside(self) -> None:
        """An update on a stream of its own, as what is to be captured needs before."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # as torch has it
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._losses = self._phases()
        torch.cuda.current_stream().wait_stream(stream)

    def _phases(self) -> dict[str, dict[str, Tensor]]:
        """One optimizer step of every phase; what they lose."""
        lost: dict[str, dict[str, Tensor]] = {}
        skipped: Any = False
        for phase, optimizer in self.optimizers.items():
            self._train_only(phase)
            losses = self._forward(self._batch, phase)
            self._accelerator.backward(losses["total"])
            norm = self._accelerator.clip_grad_norm_(self._parameters[phase], self._config.gradient_clip)
            bad = ~(torch.isfinite(losses["total"].detach()) & torch.isfinite(norm))
            optimizer.found_inf = bad.float()  # type: ignore[attr-defined]  # the fused AdamW then does nothing
            optimizer.step()
            optimizer.zero_grad()
            lost[phase] = {name: value.detach() for name, value in losses.items()}
            skipped = skipped | bad
        self._skipped += skipped
        self._in_a_row.add_(1).mul_(skipped)
        return lost

    def _judge(self, window: LogWindow) -> None:
        window.skipped += int(self._skipped)
        self._skipped.zero_()
        if float(self._in_a_row) >= MAX_SKIPPED_IN_A_ROW:
            raise self._never_finite(list(self.optimizers))
