"""Whether a recording is of its text: by how much better that fits than texts which nobody said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from voxclone.models.aligner import Aligner
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.speech_data import fits_monotonic

LEAST_MARGIN = 0.3  # nats per frame, which few right texts lie below and few wrong ones above (docs/decisions.md)
MIN_SYMBOLS = 12  # of a text, below which other texts are too much like it
OTHERS = 4  # of the set's own texts, nearest in length


@torch.inference_mode()
def text_margins(aligner: Aligner, store: FeatureStore, entries: Sequence[Entry]) -> dict[str, float]:
    """By how many nats per frame each recording's text fits it better than the best of some others.

    These are its own phonemes, backwards and with halves and thirds exchanged, and the texts of other entries that are
    nearest in length. The aligner's confidence is low for an accent or a bad microphone as well; this is not.

    Args:
        aligner: Frozen.
        store: Of the entries, with phonemes and mels.
        entries: Those whose text has too few symbols, or cannot be aligned, are passed over.

    Returns:
        A margin for the key of each entry that was not passed over.
    """
    able = [
        e for e in entries if "phoneme_ids" in e.rows and e.rows["phoneme_ids"][1] >= MIN_SYMBOLS and fits_monotonic(e)
    ]
    texts = {entry.key: tuple(store.read(entry, "phoneme_ids").tolist()) for entry in able}
    known, margins = set(texts.values()), {}
    for entry in able:
        own = texts[entry.key]
        others = sorted(known - {own}, key=lambda text: abs(len(text) - len(own)))[:OTHERS]
        mel = torch.from_numpy(store.read(entry, "mel")).float().T[None]
        fit, *rest = (_fit(aligner, text, mel) for text in (own, *(set(scrambled(own)) - {own}), *others))
        margins[entry.key] = fit - max(rest)
    return margins


def scrambled(ids: tuple[int, ...]) -> list[tuple[int, ...]]:
    """A text's symbols, begin and end apart, in four wrong orders."""
    inner, half, third = ids[1:-1], len(ids[1:-1]) // 2, len(ids[1:-1]) // 3
    orders = (
        inner[::-1],
        inner[half:] + inner[:half],
        inner[third:] + inner[:third],
        inner[:half][::-1] + inner[half:][::-1],
    )
    return [(ids[0], *order, ids[-1]) for order in orders]


def _fit(aligner: Aligner, ids: Sequence[int], mel: Tensor) -> float:
    """Mean log-likelihood of the frames of a mel (1, n_mels, T) on the text's best path; -inf where it is too long."""
    device = aligner.embedding.weight.device
    phonemes, counts = torch.tensor([ids], device=device), torch.tensor([len(ids)], device=device)
    if mel.shape[2] < int(aligner.states(phonemes, counts).lengths):
        return -np.inf
    path = aligner.align(phonemes, counts, mel.to(device), torch.tensor([mel.shape[2]], device=device))
    return float(path.likelihoods.mean())
