"""What a speaker's recordings say about the voice: its embedding, spectrum and pitch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from voxclone.audio.io import AudioSource
from voxclone.audio.mel import MelSpectrogram, voiced_spectrum
from voxclone.audio.pitch import f0
from voxclone.audio.reference import prepare_reference
from voxclone.audio.resample import resample
from voxclone.config import AudioConfig
from voxclone.errors import AudioError
from voxclone.models.identity import weights_id
from voxclone.models.speaker_encoder import SpeakerEncoder


class SpeakerMeasures(NamedTuple):
    """What of a voice is measured, over all recordings.

    Attributes:
        speaker_embedding: (D,) unit length; the recordings' embeddings averaged by seconds of speech.
        spectrum: (n_mels,), see `voiced_spectrum`; averaged likewise.
        f0_median: Hz, of all voiced frames.
    """

    speaker_embedding: NDArray[np.float32]
    spectrum: NDArray[np.float32]
    f0_median: float


@torch.inference_mode()
def measure_speaker(encoder: SpeakerEncoder, audio: AudioConfig, sources: Iterable[AudioSource]) -> SpeakerMeasures:
    """Listen to one speaker's recordings.

    Raises:
        AudioError: A recording is unreadable or unfit, there is none, or none has a voiced sound.
    """
    device = next(encoder.parameters()).device
    mel_spectrogram = MelSpectrogram(audio)
    embeddings, spectra, pitches, seconds = [], [], [], []
    for source in sources:
        reference = prepare_reference(source, audio.sample_rate)
        narrow = resample(reference.waveform, audio.sample_rate, encoder.sample_rate)
        embeddings.append(encoder.embed(torch.tensor(narrow[None], device=device))[0].cpu().numpy())
        pitches.append(f0(reference.waveform, audio.sample_rate, audio.hop_length))
        mel = mel_spectrogram(torch.tensor(reference.waveform[None]))[0].numpy()
        spectra.append(voiced_spectrum(mel, pitches[-1]))
        seconds.append(reference.speech_seconds)
    if not seconds:
        raise AudioError("there is no recording to clone from; give at least one")
    frames = np.concatenate(pitches)
    voiced = frames[frames > 0]
    if not len(voiced):
        raise AudioError("no voiced sound was found; give speech that is spoken aloud, not whispered")
    embedding = np.average(embeddings, axis=0, weights=seconds)
    return SpeakerMeasures(
        np.asarray(embedding / np.linalg.norm(embedding), np.float32),
        np.asarray(np.average(spectra, axis=0, weights=seconds), np.float32),
        math.exp(float(np.median(np.log(voiced)))),
    )


@torch.inference_mode()
def embed_speaker(
    encoder: SpeakerEncoder, sample_rate: int, sources: AudioSource | list[AudioSource]
) -> NDArray[np.float32]:
    """One speaker's embedding (D,) of unit length, as `measure_speaker` makes it of recordings at `sample_rate`.

    Raises:
        AudioError: A recording is unreadable or unfit.
    """
    device = next(encoder.parameters()).device
    total = np.zeros(encoder.project.out_features)
    for source in sources if isinstance(sources, list) else [sources]:
        reference = prepare_reference(source, sample_rate)
        narrow = resample(reference.waveform, sample_rate, encoder.sample_rate)
        embedding = encoder.embed(torch.tensor(narrow[None], device=device))[0].cpu().numpy()
        total += reference.speech_seconds * embedding
    if not total.any():
        raise AudioError("there is no recording to compare; give at least one")
    return np.asarray(total / np.linalg.norm(total), np.float32)


def encoder_id(encoder: nn.Module) -> str:
    """Which speaker encoder it is, see `weights_id`; voices carry it."""
    return weights_id(encoder)
