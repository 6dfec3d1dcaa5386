"""What a vocoder of speech finds hard: noise and music as recorded, whisper and song as stand-ins made of speech.

There was no recording of whispering or singing to be had. A stand-in takes a recording's spectral envelope, frame by
frame, and gives it another excitation: white noise for a whisper, pulses along a melody with vibrato for a song, in
which everything lasts twice as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from voxclone.audio.io import audio_files, read_audio
from voxclone.audio.pitch import f0
from voxclone.kernels.pulse_source import impulse_train

Waveform = NDArray[np.float32]
Read = Callable[[Path], Waveform]

SECONDS = 4.0  # of each piece
PIECES = 3  # of each piece of music
ORDER = 26  # of the linear prediction
WINDOW, HOP = 512, 128  # samples, of the envelope's frames
MELODY = (0, 2, 4, 7, 5, 9, 7, 12, 11, 7, 4, 0)  # semitones above the speaker's median f0
NOTE_SECONDS, VIBRATO_HZ, VIBRATO_SEMITONES, STRETCH = 0.45, 5.5, 0.4, 2.0


def stress_sets(read: Read, rate: int, noise: Path | None, music: Path | None, speech: Sequence[Path]) -> Iterator[
    tuple[str, list[tuple[Waveform, float]]]
]:  # fmt: skip
    """The sets by name: waveforms at `rate`, each with the rate in Hz at which it was recorded."""
    if noise:
        kinds = {path.parent: path for path in reversed(audio_files(noise))}  # the first of each folder
        yield "noise", [(_cut(read(path), rate, 0.0), _own_rate(path)) for path in kinds.values()]
    if music:
        places = np.linspace(0.1, 0.8, PIECES)
        pieces = [(read(path), _own_rate(path)) for path in audio_files(music)]
        yield "music", [(_cut(samples, rate, at), own_rate) for samples, own_rate in pieces for at in places]
    recordings = [(read(path), _own_rate(path)) for path in speech]
    yield "whisper (speech, its voice made noise)", [(whispered(x, rate), own_rate) for x, own_rate in recordings]
    yield "song (speech, its pitch made a melody)", [(sung(x, rate), own_rate) for x, own_rate in recordings]


def _own_rate(path: Path) -> float:
    return float(read_audio(path)[1])


def _cut(samples: Waveform, rate: int, place: float) -> Waveform:
    """`SECONDS` of it, from that share of its length on."""
    start = int(place * max(0, len(samples) - SECONDS * rate))
    return samples[start : start + int(SECONDS * rate)]


def whispered(samples: Waveform, rate: int) -> Waveform:
    """The recording's envelope, excited by white noise."""
    excitation = np.random.default_rng(0).standard_normal(len(samples))
    return _excite(samples, excitation, 1.0)


def sung(samples: Waveform, rate: int) -> Waveform:
    """The recording's envelope, `STRETCH` times as long, excited by pulses along `MELODY` where it is voiced."""
    heard = f0(samples, rate, HOP)
    frames = int(len(heard) * STRETCH)
    seconds = np.arange(frames) * HOP / rate
    note = np.array(MELODY)[(seconds / NOTE_SECONDS).astype(int) % len(MELODY)]
    vibrato = VIBRATO_SEMITONES * np.sin(2 * np.pi * VIBRATO_HZ * seconds)
    median = float(np.median(heard[heard > 0])) if (heard > 0).any() else 150.0
    voiced = heard[(np.arange(frames) / STRETCH).astype(int)] > 0
    melody = np.where(voiced, median * 2 ** ((note + vibrato) / 12), 0).astype(np.float32)
    pulses = impulse_train(torch.from_numpy(melody)[None], HOP, rate, torch.zeros(1, 1))[0].numpy()
    breath = np.random.default_rng(0).standard_normal(len(pulses)) * np.where(np.repeat(voiced, HOP), 0.05, 1.0)
    return _excite(samples, pulses + breath, STRETCH)


def _excite(samples: Waveform, excitation: NDArray[np.float64], stretch: float) -> Waveform:
    """Excitation of unit power through the recording's linear prediction, its frames `stretch` times as far apart."""
    window = np.hanning(WINDOW)
    padded = np.pad(samples, WINDOW)
    made = np.zeros(len(excitation) + 2 * WINDOW)
    excitation = np.pad(excitation, WINDOW)
    for frame in range((len(made) - WINDOW) // HOP):
        at, source = frame * HOP, int(frame / stretch) * HOP
        piece = padded[source : source + WINDOW] * window
        if len(piece) < WINDOW or not piece.any():
            continue
        correlation = np.correlate(piece, piece, "full")[WINDOW - 1 : WINDOW + ORDER]
        correlation[0] *= 1.0001
        prediction = solve_toeplitz(correlation[:-1], correlation[1:])
        power = max(0.0, correlation[0] - prediction @ correlation[1:]) / np.square(window).sum()
        grain = excitation[at : at + WINDOW] * window / (0.5 * WINDOW / HOP)  # the windows add up to 1
        made[at : at + WINDOW] += np.sqrt(power) * lfilter([1.0], np.r_[1.0, -prediction], grain)
    made = made[WINDOW:-WINDOW]
    return np.asarray(0.5 * made / max(1e-9, np.abs(made).max()), np.float32)
