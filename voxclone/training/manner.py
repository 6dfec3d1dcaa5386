"""How each recording is spoken: pace, as a reader that is fitted here hears it, and liveliness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from voxclone.audio.rhythm import f0_spread, rhythm_features
from voxclone.models.acoustic.manner import PHONEME_SECONDS, RateReader, manner
from voxclone.text.symbols import SILENCES, symbol_ids
from voxclone.training.features import Entry, FeatureStore

LEAST_SOUNDS = 12  # of a recording whose pace counts
Manner = tuple[float, float | None]  # seconds of a mean phoneme, octaves of f0_spread
TYPICAL: Manner = (PHONEME_SECONDS, None)


def measure_manners(
    store: FeatureStore, durations: FeatureStore, entries: Sequence[Entry], frame_rate: float, reader: RateReader
) -> dict[str, Manner]:
    """Fit the reader on the entries of split "train", in place, and let it hear all of them.

    Args:
        store: Phonemes, mel and f0.
        durations: Of the aligner, under the same keys.
        entries: Aligned recordings.
        frame_rate: Of mel and f0, in Hz.
        reader: To be fitted.

    Returns:
        Key to what was heard, without the help of text or alignment: as of a recording to be cloned.
    """
    aligned = {entry.key: entry for entry in durations.entries}
    silences = symbol_ids(SILENCES)
    features, seconds = {}, {}
    for entry in entries:
        features[entry.key] = rhythm_features(store.read(entry, "mel").astype(np.float32).T, frame_rate)
        sounds = ~np.isin(store.read(entry, "phoneme_ids"), silences)
        if entry.about["split"] == "train" and sounds.sum() >= LEAST_SOUNDS and features[entry.key].any():
            frames = durations.read(aligned[entry.key], "durations")[sounds].mean()
            seconds[entry.key] = float(frames) / frame_rate
    if seconds:
        known = torch.from_numpy(np.stack([features[key] for key in seconds]))
        reader.fit(known, torch.tensor(list(seconds.values())))
    heard = reader(torch.from_numpy(np.stack(list(features.values())))).tolist() if features else []
    spreads = [f0_spread(store.read(entry, "f0")) for entry in entries]
    return dict(zip(features, zip(heard, spreads, strict=True), strict=True))


def mean_manner(manners: Iterable[Manner]) -> Tensor:
    """(MANNER_DIMS,) of several recordings of one speaker: means of the logarithms."""
    seconds, spreads = zip(*manners, strict=True)
    known = [spread for spread in spreads if spread]
    spread = float(np.exp(np.mean(np.log(known)))) if known else None
    return manner(float(np.exp(np.mean(np.log(seconds)))), spread)
