"""Embedding many recordings: batches that keep the order and bound the memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.rnn import pad_sequence

from voxclone.models.speaker_encoder import SpeakerEncoder

BATCH_SECONDS = {"cpu": 30.0, "cuda": 600.0}  # padding included; the CPU gains nothing by more
OTHER_BATCH_SECONDS = 120.0


@torch.inference_mode()
def embed_waveforms(
    encoder: SpeakerEncoder, waveforms: Iterable[NDArray[np.float32]], batch_seconds: float | None = None
) -> Iterator[NDArray[np.float32]]:
    """Embed speech (S,), each at the encoder's rate and about -23 LUFS: one (D,) of unit length for each, in order.

    Neighbours go together through the encoder, on its device, as many as fit into `batch_seconds` with the padding to
    the longest; None chooses by the device. A batch differs from single recordings by rounding.
    """
    device = next(encoder.parameters()).device
    limit = batch_seconds or BATCH_SECONDS.get(device.type, OTHER_BATCH_SECONDS)
    pending: list[NDArray[np.float32]] = []
    for waveform in waveforms:
        longest = max(map(len, [*pending, waveform]))
        if pending and longest * (len(pending) + 1) > limit * encoder.sample_rate:
            yield from _embed(encoder, pending, device)
            pending = []
        pending.append(waveform)
    if pending:
        yield from _embed(encoder, pending, device)


def _embed(
    encoder: SpeakerEncoder, waveforms: list[NDArray[np.float32]], device: torch.device
) -> Iterator[NDArray[np.float32]]:
    mels = [encoder.mel_spectrogram(torch.tensor(each[None], device=device))[0].T for each in waveforms]
    lengths = torch.tensor([len(mel) for mel in mels], device=device)
    embeddings = encoder(pad_sequence(mels, batch_first=True).transpose(1, 2), lengths)
    yield from embeddings.float().cpu().numpy()
