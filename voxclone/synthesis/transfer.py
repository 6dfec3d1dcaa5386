"""How a text is spoken in a recording, as prosody that a voice can speak again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.audio.io import AudioSource, read_audio
from voxclone.audio.loudness import level
from voxclone.audio.pitch import f0 as estimate_f0
from voxclone.audio.resample import resample
from voxclone.config import AudioConfig
from voxclone.errors import AudioError
from voxclone.models.acoustic import phoneme_delivery
from voxclone.models.acoustic.pauses import with_heard_pauses
from voxclone.models.aligner import Aligner
from voxclone.prosody import Prosody
from voxclone.synthesis.alignment import Alignment, align
from voxclone.text.phonemes import Phonemes
from voxclone.text.symbols import PAUSE, PUNCTUATION, SPACE, symbol_ids

MARK_FRAMES = 12  # of a pause between chunks, how much the punctuation before it keeps; the rest is silence


def measure_prosody(aligner: Aligner, audio: AudioConfig, source: AudioSource, chunks: Sequence[Phonemes]) -> Prosody:
    """Duration, f0 and energy of each phoneme of a recording of the text, and the pauses between its words.

    Raises:
        AudioError: The recording is unreadable, silent, too long, too short for the text, or has no voiced sound.
    """
    alignment = align(aligner, audio, source, chunks)
    waveform, rate = read_audio(source)
    waveform = level(resample(waveform, rate, audio.sample_rate), audio.sample_rate)
    frames = alignment.mel.shape[1]
    f0 = estimate_f0(waveform, audio.sample_rate, audio.hop_length)[:frames]
    f0 = np.pad(f0, (0, frames - len(f0)))
    if not (f0 > 0).any():
        raise AudioError("no voiced sound was found; give speech that is spoken aloud, not whispered")
    durations, pauses, owners = _chunked(alignment.durations, chunks)
    chunks = _paused(chunks, owners, alignment)
    measured = phoneme_delivery(
        torch.from_numpy(alignment.mel)[None],
        torch.from_numpy(f0)[None],
        torch.from_numpy(alignment.durations)[None],
        torch.tensor([float(np.exp(np.median(np.log(f0[f0 > 0]))))]),
    )
    columns = {
        name: getattr(measured, name)[0].numpy().astype(np.float32)[owners] for name in ("f0", "voicing", "energy")
    }
    ends = np.cumsum([len(chunk.symbols) for chunk in chunks])
    parts = [
        Prosody(
            chunk.symbols,
            chunk.words,
            durations[end - len(chunk.symbols) : end],
            movement=np.ones(len(chunk.symbols), np.float32),
            gain=np.zeros(len(chunk.symbols), np.float32),
            pauses=pauses[end - len(chunk.symbols) : end],
            frame_seconds=audio.hop_length / audio.sample_rate,
            **{name: values[end - len(chunk.symbols) : end] for name, values in columns.items()},
        )
        for chunk, end in zip(chunks, ends.tolist(), strict=True)
    ]
    return Prosody.concatenate(parts)


def _paused(chunks: Sequence[Phonemes], owners: NDArray[np.int64], alignment: Alignment) -> list[Phonemes]:
    """The chunks with a comma between words where there is a pause in the recording."""
    ids = np.array(symbol_ids(alignment.phoneme_symbols))
    heard = with_heard_pauses(ids, alignment.durations, alignment.mel.T)
    paused = iter((heard != ids)[owners].tolist())
    return [
        dataclasses.replace(
            chunk,
            symbols=tuple(
                PAUSE if pause and symbol == SPACE else symbol
                for symbol, pause in zip(chunk.symbols, islice(paused, len(chunk.symbols)), strict=True)
            ),
        )
        for chunk in chunks
    ]


def _chunked(
    durations: NDArray[np.int64], chunks: Sequence[Phonemes]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The durations of chunks that were aligned as one text, where a pause stands for each end and start between them.

    Returns:
        For each symbol of the chunks its frames, the pause after it, and which of the aligned symbols it is.
    """
    own: list[int] = []
    pauses: list[int] = []
    owners: list[int] = []
    at = 0  # of the aligned symbols
    for number, chunk in enumerate(chunks):
        first, last = number == 0, number == len(chunks) - 1
        inner = len(chunk.symbols) - 2
        start = at + 1 if first or chunks[number - 1].symbols[-2] not in PUNCTUATION else at
        head = int(durations[0]) if first else 1
        own += [head, *map(int, durations[start : start + inner])]
        owners += [max(start - 1, 0), *range(start, start + inner)]
        pauses += [0] * (inner + 2)
        at = start + inner
        if last:
            own.append(int(durations[at]))
            owners.append(at)
            continue
        if chunk.symbols[-2] in PUNCTUATION:
            between = max(own[-1] - 2, 1)
            own[-1] = min(between, MARK_FRAMES)
            pauses[-1] = between - own[-1]
            owners.append(at - 1)
        else:
            pauses[-1] = max(int(durations[at]) - 2, 0)  # the aligner's space
            owners.append(at)
        own.append(1)
    return np.array(own), np.array(pauses), np.array(owners)
