"""Backgrounds for augmentation: recordings of noise, babble of speakers, and noise of every colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voxclone.audio.io import audio_files, read_audio
from voxclone.audio.resample import resample
from voxclone.errors import VoxcloneError
from voxclone.training.distortions import fit_length
from voxclone.training.features import Entry, FeatureStore


def recorded(folder: Path, sample_rate: int) -> list[Tensor]:
    """The recordings (S,) of a folder of noise.

    Raises:
        AudioError: It is no folder, or one cannot be read.
        VoxcloneError: It holds no audio.
    """
    noises = [read_audio(path) for path in audio_files(folder)]
    if not noises:
        raise VoxcloneError(f"{folder} holds no audio: name a folder of noise recordings, or leave it out")
    return [torch.from_numpy(resample(noise, rate, sample_rate)) for noise, rate in noises]


def babble(
    store: FeatureStore, entries: Sequence[Entry], count: int, sample_rate: int, seconds: float = 10.0, seed: int = 0
) -> list[Tensor]:
    """`count` backgrounds (S,) of three to six recordings at once, equally strong, each repeated to the length."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        mixed = torch.zeros(int(seconds * sample_rate))
        for index in rng.choice(len(entries), int(rng.integers(3, 7))):
            voice = torch.from_numpy(store.read(entries[index], "waveform").astype(np.float32))
            mixed += fit_length(voice / voice.square().mean().sqrt().clamp(min=1.0), len(mixed))
        made.append(mixed / mixed.abs().max())
    return made


def coloured_noise(count: int, sample_rate: int, seconds: float = 10.0, seed: int = 0) -> list[Tensor]:
    """`count` noises (S,) whose power falls by 0 to 6 dB an octave: from white over pink to brown."""
    rng = np.random.default_rng(seed)
    length = int(seconds * sample_rate)
    made = []
    for slope in rng.uniform(0, 1, count):
        spectrum = torch.fft.rfft(torch.from_numpy(rng.standard_normal(length, np.float32)))
        hertz = torch.fft.rfftfreq(length, 1 / sample_rate).clamp(min=20.0)
        noise = torch.fft.irfft(spectrum * hertz ** -float(slope), length)
        made.append(noise / noise.abs().max())
    return made
