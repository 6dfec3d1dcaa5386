"""When each word and phoneme of a recording is spoken, by the model's own aligner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxclone.audio.io import AudioSource, read_audio
from voxclone.audio.loudness import level, sound_bounds
from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.resample import resample
from voxclone.config import AudioConfig
from voxclone.errors import AudioError
from voxclone.models.aligner import Aligner
from voxclone.speech import Segment
from voxclone.text.phonemes import Phonemes, WordSpan
from voxclone.text.symbols import PUNCTUATION, SILENCES, SPACE, symbol_ids

MAX_SECONDS = 60.0  # the table of scores grows with the square


@dataclass(frozen=True, eq=False)
class Alignment:
    """A recording laid against its text.

    Attributes:
        words: One segment for each word of the spoken form, in order.
        phonemes: One segment for each symbol; silence before and after the speech belongs to the first and the last.
        phoneme_symbols: The symbols as the acoustic model reads them.
        durations: (N,) int64 frames of the model's hop for each symbol; they fill the recording.
        mel: (n_mels, T) natural-log mel of the recording at -23 LUFS; its frames are those that `durations` counts.
        confidence: Mean over all frames of the log-likelihood of the symbol that they belong to, less that of the best
            symbol of the table, in nats per frame: about 0 or above where text and recording fit, far below where not.
        match: The same over the frames of phonemes alone, without pauses.
    """

    words: tuple[Segment, ...]
    phonemes: tuple[Segment, ...]
    phoneme_symbols: tuple[str, ...]
    durations: NDArray[np.int64]
    mel: NDArray[np.float32]
    confidence: float
    match: float


@torch.inference_mode()
def align(aligner: Aligner, audio: AudioConfig, source: AudioSource, chunks: Sequence[Phonemes]) -> Alignment:
    """Lay a recording against the phonemes of what was said in it.

    Args:
        aligner: In eval mode.
        audio: The mel that it was trained on.
        source: One recording.
        chunks: The text's phonemes, as `read` gives them; they are aligned as one.

    Raises:
        AudioError: The recording is unreadable, silent, too long, or too short for the text.
    """
    mel, start, end = _listen(audio, source)
    phonemes = joined(chunks)
    sound = _Sound(aligner, mel[:, :, start:end])
    fit = sound.fit(phonemes.symbols)
    if fit is None:
        seconds = (end - start) * audio.hop_length / audio.sample_rate
        raise AudioError(
            f"{seconds:.1f} s of sound are too short for {len(phonemes.symbols)} phonemes: the recording does not hold "
            "the whole text"
        )
    durations = fit.durations
    durations[0] += start
    durations[-1] += mel.shape[2] - end
    edges = np.concatenate([[0], durations.cumsum(0).numpy()]) * audio.hop_length / audio.sample_rate
    times: list[float] = edges.tolist()
    return Alignment(
        tuple(Segment(word.text, times[word.start], times[word.end]) for word in phonemes.words),
        tuple(map(Segment, phonemes.symbols, times[:-1], times[1:])),
        phonemes.symbols,
        durations.numpy(),
        mel[0].numpy(),
        fit.confidence,
        fit.match,
    )


@torch.inference_mode()
def match_texts(
    aligner: Aligner, audio: AudioConfig, source: AudioSource, texts: Sequence[Sequence[Phonemes]]
) -> list[float]:
    """`Alignment.match` of one recording with each of many texts; -inf where it is too short for a text.

    Raises:
        AudioError: The recording is unreadable, silent, or too long.
    """
    mel, start, end = _listen(audio, source)
    sound = _Sound(aligner, mel[:, :, start:end])
    fits = (sound.fit(joined(chunks).symbols) for chunks in texts)
    return [-math.inf if fit is None else fit.match for fit in fits]


class _Fit(NamedTuple):
    """How symbols fit a sound: their durations (N,) int64 frames on the CPU, and see `Alignment`."""

    durations: Tensor
    confidence: float
    match: float


class _Sound:
    """A sound (1, n_mels, T) that texts are laid against."""

    def __init__(self, aligner: Aligner, mel: Tensor) -> None:
        self._aligner, self._mel = aligner, mel.to(aligner.embedding.weight.device)
        self._lengths = torch.tensor([mel.shape[2]], device=self._mel.device)

    @cached_property
    def _best(self) -> Tensor:
        """(1, T) log-likelihood of each frame in the symbol of the table that it fits best."""
        return self._aligner.best_scores(self._mel, self._lengths)

    def fit(self, symbols: Sequence[str]) -> _Fit | None:
        """The most likely way of the sound through the symbols; None where it has too few frames for them."""
        ids = torch.tensor(symbol_ids(symbols), device=self._mel.device)[None]
        counts = torch.tensor([len(symbols)], device=self._mel.device)
        if self._mel.shape[2] < int(self._aligner.states(ids, counts).lengths):
            return None
        path = self._aligner.align(ids, counts, self._mel, self._lengths)
        durations = path.durations[0].cpu()
        gap = (path.likelihoods - self._best)[0].cpu()
        spoken = torch.tensor([symbol not in SILENCES for symbol in symbols])
        return _Fit(durations, float(gap.mean()), float(gap[torch.repeat_interleave(spoken, durations)].mean()))


def _listen(audio: AudioConfig, source: AudioSource) -> tuple[Tensor, int, int]:
    """A recording's mel (1, n_mels, T) at -23 LUFS, and the frames at which its sound begins and ends."""
    waveform, rate = read_audio(source)
    seconds = len(waveform) / rate
    if seconds > MAX_SECONDS:
        raise AudioError(f"the recording is {seconds:.0f} s long; cut it into parts of {MAX_SECONDS:.0f} s at most")
    waveform = level(resample(waveform, rate, audio.sample_rate), audio.sample_rate)
    mel = MelSpectrogram(audio)(torch.from_numpy(waveform)[None])
    first, last = (at / audio.hop_length for at in sound_bounds(waveform, audio.sample_rate))
    return mel, min(int(first), mel.shape[2]), min(int(np.ceil(last)), mel.shape[2])  # training heard little but speech


def joined(chunks: Sequence[Phonemes]) -> Phonemes:
    """Chunks of one text as a single one: what ends a chunk inside it, silence, becomes a space."""
    symbols: list[str] = list(chunks[0].symbols[:1])
    words: list[WordSpan] = []
    for chunk in chunks:
        if len(symbols) > 1 and symbols[-1] not in PUNCTUATION:
            symbols.append(SPACE)
        offset = len(symbols) - 1
        words += [WordSpan(word.text, word.start + offset, word.end + offset) for word in chunk.words]
        symbols += chunk.symbols[1:-1]
    return Phonemes((*symbols, chunks[-1].symbols[-1]), tuple(words))
