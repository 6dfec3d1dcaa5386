"""Speaker embeddings of a whole feature store."""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from voxclone.audio.resample import resample
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.features import FeatureStore


@torch.inference_mode()
def embed_store(
    encoder: SpeakerEncoder, store: FeatureStore, sample_rate: int, keys: Container[str], max_seconds: float = 6.0
) -> dict[str, NDArray[np.float32]]:
    """(D,) unit-length embedding of every entry whose key is wanted, from the first `max_seconds` of it.

    `sample_rate` (Hz) is that of the store's waveforms.
    """
    wanted = [entry for entry in store.entries if entry.key in keys]
    embeddings = {}
    for entry in tqdm(wanted, desc="embedding", disable=None):
        length = min(entry.rows["waveform"][1], int(max_seconds * sample_rate))
        waveform = store.read(entry, "waveform", 0, length).astype(np.float32) / 32768
        narrow = resample(waveform, sample_rate, encoder.sample_rate)
        embeddings[entry.key] = encoder.embed(torch.from_numpy(narrow)[None])[0].numpy()
    return embeddings


def kept_embeddings(
    path: Path,
    encoder: SpeakerEncoder,
    store: FeatureStore,
    sample_rate: int,
    keys: Container[str],
    max_seconds: float = 6.0,
) -> dict[str, NDArray[np.float32]]:
    """As `embed_store`, kept in an .npz file for the next start of the same run."""
    if path.exists():
        with np.load(path) as file:
            return dict(zip(file["keys"].tolist(), file["embeddings"], strict=True))
    embeddings = embed_store(encoder, store, sample_rate, keys, max_seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, keys=np.array(list(embeddings)), embeddings=np.stack(list(embeddings.values())))
    os.replace(partial, path)
    return embeddings
