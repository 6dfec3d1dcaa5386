"""The weights that spoke held-out sentences best, and when it is time to stop looking for better ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Best(nn.Module):
    """A copy of the best weights yet. All of it is in buffers: in a checkpoint it outlives a kill.

    Args:
        trained: The parameters that are trained, by name; they stay their owner's.
        patience: Validations without a better one that end the run.
    """

    first_loss: Tensor  # on the held-out sentences, before training
    loss: Tensor  # the lowest
    update: Tensor  # after which it was found; 0: before training
    since: Tensor  # validations

    def __init__(self, trained: Mapping[str, nn.Parameter], patience: int) -> None:
        super().__init__()
        self._trained, self.patience = dict(trained), patience
        self.register_buffer("first_loss", torch.tensor(float("inf")))
        self.register_buffer("loss", torch.tensor(float("inf")))
        self.register_buffer("update", torch.tensor(0))
        self.register_buffer("since", torch.tensor(0))
        for index, parameter in enumerate(self._trained.values()):
            self.register_buffer(f"weight_{index}", parameter.detach().clone())

    def begin(self, loss: float) -> None:
        """Take the loss before training as the one to beat; a checkpoint that is loaded later brings its own."""
        self.first_loss.fill_(loss)
        self.loss.fill_(loss)

    def offer(self, loss: float, update: int) -> None:
        """Keep the present weights if the loss is the lowest yet."""
        if loss >= float(self.loss):
            self.since += 1
            return
        self.loss.fill_(loss)
        self.update.fill_(update)
        self.since.zero_()
        for index, parameter in enumerate(self._trained.values()):
            self.get_buffer(f"weight_{index}").copy_(parameter)

    def is_done(self) -> bool:
        """Whether the held-out sentences have not been spoken better for a while."""
        return int(self.since) >= self.patience

    def weights(self) -> dict[str, Tensor]:
        """What was trained, at its best, by name, on the CPU."""
        return {name: self.get_buffer(f"weight_{index}").cpu().clone() for index, name in enumerate(self._trained)}
