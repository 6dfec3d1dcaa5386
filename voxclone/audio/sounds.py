"""Telling speech from music and noise by a recording's pitch and zero crossings (after Saunders, ICASSP 1996)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.loudness import FRAMES_PER_SECOND, speech_frames

VOICED_SHARE = 0.2  # of the frames with sound; speech has 0.45 to 0.85, rain and surf none
STEADY_SEMITONES = 10.0  # a second: pitch that moves less stands still
STEADY_SHARE = 0.65  # of the voiced frames; speech has 0.2 to 0.5, music 0.7 to 0.95
CROSSINGS_SPREAD = 0.075  # between frames; speech has 0.08 to 0.24, its hisses beside its vowels, music 0.03 to 0.06
LEAST_FRAMES = 20

NOISE = "it sounds like noise: hardly any of it is voiced. Clone from plain speech"
MUSIC = "it sounds like music or a machine: its pitch stands still, and nothing hisses. Clone from plain speech"


def unlike_speech(waveform: NDArray[np.float32], sample_rate: int, f0: NDArray[np.float32]) -> str:
    """What speaks against a recording's being speech, `NOISE` or `MUSIC`; empty where nothing does.

    Args:
        waveform: (S,) mono.
        sample_rate: Hz.
        f0: (T,) Hz, 0 where unvoiced, evenly over the waveform.
    """
    hop = sample_rate // FRAMES_PER_SECOND
    count = len(waveform) // hop
    frames = waveform[: count * hop].reshape(count, hop)
    sound = speech_frames(waveform, sample_rate)[:count]
    pitch = f0[np.minimum(np.arange(len(sound)) * len(f0) // max(1, len(sound)), len(f0) - 1)]
    if sound.sum() < LEAST_FRAMES:
        return ""
    if (pitch[sound] > 0).mean() < VOICED_SHARE:
        return NOISE
    both = (f0[1:] > 0) & (f0[:-1] > 0)
    moves = np.abs(12 * np.diff(np.log2(np.where(f0 > 0, f0, 1.0))))[both] * len(f0) * sample_rate / len(waveform)
    crossings = (np.diff(np.signbit(frames[: len(sound)][sound]), axis=1)).mean(axis=1)
    steady = len(moves) >= LEAST_FRAMES and float((moves < STEADY_SEMITONES).mean()) > STEADY_SHARE
    return MUSIC if steady and float(crossings.std()) < CROSSINGS_SPREAD else ""
