"""Phonemes to speech: acoustic model, vocoder, and the times of every word and phoneme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from voxclone.config import AudioConfig
from voxclone.models.acoustic import AcousticModel
from voxclone.speech import Segment, Speech
from voxclone.synthesis.controls import Controls
from voxclone.synthesis.outlet import Origin, release
from voxclone.text.phonemes import Phonemes
from voxclone.text.symbols import symbol_ids
from voxclone.voice import Voice

PAUSE_SECONDS = 0.25  # between the chunks of a long text, to the nearest frame


class Utterance(NamedTuple):
    """One spoken chunk."""

    phonemes: Phonemes
    durations: NDArray[np.int64]  # (N,) frames
    mel: NDArray[np.float32]  # (n_mels, T)
    samples: NDArray[np.float32]  # (T * hop_length,)


@torch.inference_mode()
def render(
    acoustic: AcousticModel, vocoder: nn.Module, batch: Sequence[Phonemes], voice: Voice, controls: Controls
) -> list[Utterance]:
    """Speak chunks: one pass of the acoustic model for all, one of the vocoder for each.

    Padding would reach into a shorter chunk's last samples through the vocoder's receptive field, so that each chunk
    is vocoded by itself.
    """
    device = next(acoustic.parameters()).device
    lengths = [len(phonemes.symbols) for phonemes in batch]
    phoneme_ids = torch.zeros(len(batch), max(lengths), dtype=torch.int64)
    for row, phonemes in zip(phoneme_ids, batch, strict=True):
        row[: len(phonemes.symbols)] = torch.tensor(symbol_ids(phonemes.symbols))
    output = acoustic.infer(
        phoneme_ids.to(device),
        torch.tensor(lengths, device=device),
        torch.tensor(voice.speaker_embedding, device=device).expand(len(batch), -1),
        torch.full((len(batch),), voice.f0_median, device=device),
        torch.tensor(voice.spectrum, device=device).expand(len(batch), -1),
        speed=controls.speed,
        pitch=controls.pitch,
        energy=controls.energy,
        seed=controls.seed,
    )
    utterances = []
    for item, phonemes in enumerate(batch):
        frames = int(output.mel_lengths[item])
        mel = output.mel[item : item + 1, :, :frames]
        waveform = vocoder(mel, output.f0[item : item + 1, :frames])
        utterances.append(
            Utterance(
                phonemes,
                output.durations[item, : lengths[item]].cpu().numpy(),
                mel[0].float().cpu().numpy(),
                waveform[0].float().cpu().numpy(),
            )
        )
    return utterances


def join(utterances: Sequence[Utterance], audio: AudioConfig, origin: Origin, voice: Voice) -> Speech:
    """Lay the chunks of one text after one another, with pauses between, and let them out.

    Raises:
        ModelError: The model made samples that are not finite.
        UnmarkedError: They do not carry the mark that the model promises.
    """
    pause = round(PAUSE_SECONDS * audio.sample_rate / audio.hop_length)  # frames
    silent_mel = np.full((audio.n_mels, pause), math.log(audio.mel_floor), np.float32)
    mels: list[NDArray[np.float32]] = []
    waveforms: list[NDArray[np.float32]] = []
    words: list[Segment] = []
    phonemes: list[Segment] = []
    start = 0  # frame
    for utterance in utterances:
        if start:
            mels.append(silent_mel)
            waveforms.append(np.zeros(pause * audio.hop_length, np.float32))
            start += pause
        frames = start + np.concatenate([[0], np.cumsum(utterance.durations)])
        seconds = (frames * audio.hop_length / audio.sample_rate).tolist()
        phonemes += map(Segment, utterance.phonemes.symbols, seconds[:-1], seconds[1:])
        words += [Segment(word.text, seconds[word.start], seconds[word.end]) for word in utterance.phonemes.words]
        mels.append(utterance.mel)
        waveforms.append(utterance.samples)
        start = int(frames[-1])
    samples = np.concatenate(waveforms)
    samples /= max(1.0, float(np.abs(samples).max()))
    return release(
        samples, origin, voice, words=tuple(words), phonemes=tuple(phonemes), mel=np.concatenate(mels, axis=1)
    )
