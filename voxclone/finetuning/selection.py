"""What of the aligned utterances fits: text and audio agree, and it is one speaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.audio.resample import resample
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.speech_data import fits_monotonic

MIN_FOR_OUTLIERS = 5  # utterances below which nothing can be told from the others
MIN_CONFIDENCE_DROP = 1.5  # nats per frame below the median, at the least, that tell a wrong text
MIN_SPEAKER_COSINE = 0.35  # to the mean of the others
RMS = 0.07  # of speech at about -23 LUFS
DEVIATIONS = 4.0  # robust ones, below which an utterance is unlike the others


def embed_utterances(
    encoder: SpeakerEncoder,
    store: FeatureStore,
    entries: Sequence[Entry],
    sample_rate: int,
    max_seconds: float = 12.0,
) -> dict[str, NDArray[np.float32]]:
    """(D,) unit-length speaker embedding of each entry, from its waveform at `sample_rate`."""
    embeddings = {}
    for entry in entries:
        length = min(entry.rows["waveform"][1], int(max_seconds * sample_rate))
        embeddings[entry.key] = embed(encoder, store.read(entry, "waveform", 0, length) / 32768, sample_rate)
    return embeddings


@torch.inference_mode()
def embed(encoder: SpeakerEncoder, samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """(D,) unit-length speaker embedding of (S,) samples, whatever their level."""
    level = max(float(np.sqrt(np.mean(np.square(samples)))), 1e-6)
    narrow = resample((samples * (RMS / level)).astype(np.float32), sample_rate, encoder.sample_rate)
    return np.asarray(encoder.embed(torch.from_numpy(narrow)[None])[0].numpy(), np.float32)


def unfit(
    entries: Sequence[Entry], confidence: Mapping[str, float], embeddings: Mapping[str, NDArray[np.float32]]
) -> dict[str, tuple[str, str]]:
    """Keys of the utterances that should go, with the reason and a detail.

    Args:
        entries: Candidates.
        confidence: Of the alignment, nats per frame; an utterance that has none could not be aligned.
        embeddings: Speaker embedding of each.
    """
    gone: dict[str, tuple[str, str]] = {}
    for entry in entries:
        if not fits_monotonic(entry) or entry.key not in confidence:
            frames, phonemes = entry.rows["mel"][1], entry.rows["phoneme_ids"][1]
            gone[entry.key] = ("text does not fit", f"{phonemes} phonemes in {frames} frames")
    rest = [entry.key for entry in entries if entry.key not in gone]
    if len(rest) < MIN_FOR_OUTLIERS:
        return gone
    values = np.array([confidence[key] for key in rest])
    limit = float(np.median(values)) - max(MIN_CONFIDENCE_DROP, DEVIATIONS * _spread(values))
    for key, value in zip(rest, values, strict=True):
        if value < limit:
            gone[key] = (
                "text does not fit",
                f"confidence {value:.2f} nats/frame; the others have {np.median(values):.2f}",
            )
    rest = [key for key in rest if key not in gone]
    vectors = np.stack([embeddings[key] for key in rest])
    others = vectors.sum(0) - vectors
    cosines = (vectors * others).sum(1) / np.linalg.norm(others, axis=1)
    limit = min(MIN_SPEAKER_COSINE, float(np.median(cosines)) - DEVIATIONS * _spread(cosines))
    for key, cosine in zip(rest, cosines, strict=True):
        if cosine < limit:
            gone[key] = ("another speaker", f"cosine {cosine:.2f} to the others; they have {np.median(cosines):.2f}")
    return gone


def _spread(values: NDArray[np.floating]) -> float:
    """Standard deviation, estimated from the median distance to the median."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
