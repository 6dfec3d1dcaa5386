"""Where a voice pauses although the text marks nothing there: as predicted, and as heard in a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxclone.models.acoustic.variance import VariancePredictor
from voxclone.text.symbols import SILENCES, SPACE

BLOCKS = 2  # of the encoder, which have read the text when it is decided: a text without pauses is read once
WIDTH = 96
PAUSE_FRAMES = 10  # 0.12 s; a shorter silence between words is a stop's closure or careful speech
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


def with_heard_pauses(phoneme_ids: NDArray[Any], durations: NDArray[Any], mel: NDArray[Any]) -> NDArray[Any]:
    """Write a comma where the speaker pauses between two words and the text has none.

    Args:
        phoneme_ids: (N,).
        durations: (N,) frames.
        mel: (T, n_mels) natural log.

    Returns:
        (N,) a copy in which each space that lasts `PAUSE_FRAMES` or more, and is quiet for most of that, is a comma.
    """
    energy = np.log(np.exp(mel.astype(np.float32)).sum(1))
    quiet, loud = np.quantile(energy, [0.05, 0.95])
    silent = np.concatenate([[0], np.cumsum(energy < quiet + 0.4 * (loud - quiet))])
    ends = np.cumsum(durations)
    share = (silent[ends] - silent[ends - durations]) / np.maximum(durations, 1)
    heard = phoneme_ids.copy()
    heard[(phoneme_ids == _SPACE) & (durations >= PAUSE_FRAMES) & (share > 0.5)] = _COMMA
    return heard
