"""How each recording is spoken: pace, as the rate reader hears it, and liveliness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from voxclone.audio.pitch import f0_spread
from voxclone.models.acoustic.manner import manner
from voxclone.models.acoustic.pace import PHONEME_SECONDS, RateReader
from voxclone.training.features import Entry, FeatureStore

Manner = tuple[float, float | None]  # seconds of a mean phoneme, octaves of f0_spread
TYPICAL: Manner = (PHONEME_SECONDS, None)


def measure_manners(
    store: FeatureStore, entries: Sequence[Entry], frame_rate: float, reader: RateReader
) -> dict[str, Manner]:
    """Key of each entry to what is heard in it, as in a recording to be cloned.

    Args:
        store: Mel and f0.
        entries: Recordings.
        frame_rate: Of mel and f0, in Hz.
        reader: Trained, see `voxclone.training.pace`.
    """
    manners = {}
    for entry in entries:
        count = reader.count(torch.from_numpy(store.read(entry, "mel").astype(np.float32).T))
        seconds = reader.phoneme_seconds([count], frame_rate)
        manners[entry.key] = (seconds or PHONEME_SECONDS, f0_spread(store.read(entry, "f0")))
    return manners


def mean_manner(manners: Iterable[Manner]) -> Tensor:
    """(MANNER_DIMS,) of several recordings of one speaker: means of the logarithms."""
    seconds, spreads = zip(*manners, strict=True)
    known = [spread for spread in spreads if spread]
    spread = float(np.exp(np.mean(np.log(known)))) if known else None
    return manner(float(np.exp(np.mean(np.log(seconds)))), spread)
