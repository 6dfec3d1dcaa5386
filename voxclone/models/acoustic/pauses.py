"""Where a voice pauses although the text marks nothing there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxclone.models.acoustic.variance import VariancePredictor
from voxclone.text.symbols import SILENCES, SPACE

BLOCKS = 2  # of the encoder, which have read the text when it is decided: a text without pauses is read once
WIDTH = 96
_SPACE, _COMMA = SILENCES.index(SPACE), SILENCES.index(",")


class PausePredictor(nn.Module):
    """Turns spaces between words into commas; how long a comma lasts is the duration predictor's to say."""

    bar: Tensor  # () log odds above which a voice pauses

    def __init__(self, dim: int, condition_dim: int, dropout: float) -> None:
        super().__init__()
        self.narrow = nn.Linear(dim, WIDTH)
        self.odds = VariancePredictor(WIDTH, 1, 2, 5, condition_dim, dropout)
        self.register_buffer("bar", torch.zeros(()))

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """Half-read text (B, N, D), mask (B, N) and condition (B, C) to the log odds (B, N) of a pause."""
        odds: Tensor = self.odds(self.narrow(x), mask, condition)[:, :, 0]
        return odds

    def mark(self, phoneme_ids: Tensor, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """Phoneme ids (B, N) with a comma where the voice pauses between two words; arguments as for `forward`."""
        pauses = (phoneme_ids == _SPACE) & (self(x, mask, condition) >= self.bar)
        return phoneme_ids.masked_fill(pauses, _COMMA)
