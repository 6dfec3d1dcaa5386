"""Exponential moving average of a module's weights and buffers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialMovingAverage:
    """Averages every floating-point entry of a module's state dict.

    The decay of update n is min(decay, (1 + n) / (10 + n)), so that the average follows the first steps closely.

    Args:
        module: What is averaged, on the device where it trains.
        decay: In [0, 1); 0 keeps no average, and the module stands for it.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._module = module
        self.state: dict[str, Tensor] = {}
        if decay > 0:
            self.state = {name: value.clone() for name, value in self._floats().items()}

    def _floats(self) -> dict[str, Tensor]:
        return {name: value for name, value in self._module.state_dict().items() if value.is_floating_point()}

    def update(self, step: int) -> None:
        """Move towards the module's present weights, after its update number `step`."""
        if self.state:
            current = self._floats()
            average = get_ema_multi_avg_fn(min(self.decay, (1 + step) / (10 + step)))  # type: ignore[no-untyped-call]
            average(list(self.state.values()), [current[name] for name in self.state], step)

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Take over a saved average of the same module."""
        for name, average in self.state.items():
            average.copy_(state[name])

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Within, the module holds the average; after, its own weights again."""
        own = {name: value.clone() for name, value in self._floats().items()} if self.state else {}
        try:
            self._copy_into_module(self.state)
            yield
        finally:
            self._copy_into_module(own)

    @torch.no_grad()
    def _copy_into_module(self, state: dict[str, Tensor]) -> None:
        current = self._floats()
        for name, value in state.items():
            current[name].copy_(value)
