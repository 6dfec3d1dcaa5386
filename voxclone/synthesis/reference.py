"""What a speaker's recordings say about the voice: its embedding and its pitch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from voxclone.audio.io import AudioSource
from voxclone.audio.pitch import f0
from voxclone.audio.reference import prepare_reference
from voxclone.config import SpeakerEncoderConfig
from voxclone.errors import AudioError
from voxclone.models.speaker_encoder import SpeakerEncoder


@torch.inference_mode()
def measure_speaker(
    encoder: SpeakerEncoder, config: SpeakerEncoderConfig, sources: Iterable[AudioSource]
) -> tuple[NDArray[np.float32], float]:
    """Embedding and median f0 over one speaker's recordings.

    Returns:
        The recordings' embeddings averaged by seconds of speech, (D,) unit length; and the median f0 in Hz of all
        voiced frames.

    Raises:
        AudioError: A recording is unreadable or unfit, there is none, or none has a voiced sound.
    """
    device = next(encoder.parameters()).device
    embeddings = []
    pitches = []
    for source in sources:
        reference = prepare_reference(source, config.sample_rate)
        embedding = encoder.embed(torch.tensor(reference.waveform[None], device=device))[0].cpu().numpy()
        embeddings.append(reference.speech_seconds * embedding)
        pitches.append(f0(reference.waveform, config.sample_rate, config.hop_length))
    if not embeddings:
        raise AudioError("there is no recording to clone from; give at least one")
    frames = np.concatenate(pitches)
    voiced = frames[frames > 0]
    if not len(voiced):
        raise AudioError("no voiced sound was found; give speech that is spoken aloud, not whispered")
    total = np.sum(embeddings, axis=0)
    return np.asarray(total / np.linalg.norm(total), np.float32), math.exp(float(np.median(np.log(voiced))))


def encoder_id(encoder: nn.Module) -> str:
    """16 hex digits of the SHA-256 over the weights' names and their values as fp16, as models are stored."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update((tensor.half() if tensor.is_floating_point() else tensor).cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
