"""Making a reference recording fit to clone from, or saying why it is not."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.io import AudioSource, read_audio
from voxclone.audio.loudness import FRAMES_PER_SECOND, frame_levels, level, speech_frames, trim_silence
from voxclone.audio.resample import resample
from voxclone.errors import AudioError

MIN_SPEECH_SECONDS = 1.0
MAX_REFERENCE_SECONDS = 30.0  # of a longer recording, the stretch with the most speech is taken
SILENCE_DB = -60.0  # dBFS; a recording whose loudest 10 ms stay below it is silent
MAX_CLIPPED_FRACTION = 0.01
CEILING_TOLERANCE = 0.002  # of the ceiling
CLIPPED_RUN = 3  # samples of one sign next to each other at the ceiling
MAX_SNR_DB = 100.0
BANDWIDTH_RANGE_DB = 65.0  # below the strongest band; what is weaker is not counted as bandwidth
_SPECTRUM_SECONDS = 0.032
_BAND_HZ = 250.0


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference recording, ready for the speaker encoder, and what was measured of it before it was prepared.

    Attributes:
        waveform: (S,) float32 at `sample_rate`, at most 30 s, silent ends trimmed, at -23 LUFS with its peak <= 0.99.
        sample_rate: In Hz.
        speech_seconds: Speech in it (`voxclone.audio.loudness.speech_frames`).
        snr_db: Level of the speech over that of the pauses, an estimate of at most 100.
        bandwidth_hz: Highest frequency with content, an estimate to 250 Hz; tells an upsampled or telephone source.
        peak: Largest magnitude of the source, full scale 1.0.
        clipped_fraction: See `clipped_fraction`.
        name: The file's name; "audio" for bytes and arrays.
    """

    waveform: NDArray[np.float32]
    sample_rate: int
    speech_seconds: float
    snr_db: float
    bandwidth_hz: float
    peak: float
    clipped_fraction: float
    name: str


def prepare_reference(source: AudioSource, sample_rate: int, name: str | None = None) -> Reference:
    """Read a recording of one speaker, check that it can be cloned from, trim, resample and level it.

    Of a recording longer than 30 s the 30 s with the most speech (the first such) are taken; all that is checked
    and measured is checked and measured on these.

    Args:
        source: What `voxclone.audio.io.read_audio` reads.
        sample_rate: Rate wanted, in Hz.
        name: What errors call it; None is the file's name, or "audio".

    Raises:
        AudioError: The source cannot be read (see `read_audio`); it is silent or holds nothing that sounds like
            speech; more than 1 % of its samples are clipped; it has less than 1 s of speech.
    """
    whole, source_rate = read_audio(source)
    name = name or name_of(source) or "audio"
    recorded = _densest(whole, source_rate)
    waveform = recorded - recorded.mean()  # a recorder's offset is neither speech nor loudness
    speech = speech_frames(waveform, source_rate)
    seconds = float(np.count_nonzero(speech)) / FRAMES_PER_SECOND
    clipped = clipped_fraction(recorded)
    _refuse_unfit(waveform, source_rate, seconds, clipped, name)
    levels = frame_levels(waveform, source_rate)[: len(speech)]
    trimmed = resample(trim_silence(waveform, source_rate), source_rate, sample_rate)
    return Reference(
        waveform=level(trimmed, sample_rate),
        sample_rate=sample_rate,
        speech_seconds=seconds,
        snr_db=_snr_db(levels, speech),
        bandwidth_hz=_bandwidth_hz(waveform, source_rate, speech),
        peak=float(np.abs(recorded).max()),
        clipped_fraction=clipped,
        name=name,
    )


def name_of(source: AudioSource) -> str:
    """A file's name; empty for bytes and arrays."""
    return os.path.basename(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else ""


def clipped_fraction(waveform: NDArray[np.floating]) -> float:
    """Fraction of samples that stand at the ceiling in runs of three or more: 0 for a clean recording.

    Each sign's ceiling is its own largest magnitude, so that clipped audio is found that was turned down or shifted
    later, and at most 1.0, so that clipped audio is found which a lossy codec made ripple.

    Args:
        waveform: (S,) float samples, full scale 1.0, S >= 1.
    """
    clipped = 0
    for side in (waveform, -waveform):
        ceiling = min(float(side.max()), 1.0)
        if ceiling <= 0:
            continue
        at_ceiling = side >= ceiling * (1 - CEILING_TOLERANCE)
        edges = np.flatnonzero(np.diff(at_ceiling, prepend=False, append=False))
        runs = edges[1::2] - edges[::2]
        clipped += int(runs[runs >= CLIPPED_RUN].sum())
    return clipped / len(waveform)


def _refuse_unfit(waveform: NDArray[np.float32], sample_rate: int, seconds: float, clipped: float, name: str) -> None:
    """Raise AudioError for a recording that cannot be cloned from."""
    duration = len(waveform) / sample_rate
    loudest = float(frame_levels(waveform, sample_rate).max())
    if loudest < SILENCE_DB:
        found = "digital silence" if loudest <= -200 else f"its loudest 10 ms are at {loudest:.0f} dBFS"
        raise AudioError(
            f"{name}: the {duration:.2f} s of audio are silent ({found}); speech above {SILENCE_DB:.0f} dBFS is needed"
        )
    if seconds > 0 and clipped > MAX_CLIPPED_FRACTION:
        raise AudioError(
            f"{name}: the audio is clipped: {clipped:.1%} of its samples stand at the ceiling, at most "
            f"{MAX_CLIPPED_FRACTION:.0%} is accepted; record again with a lower input gain"
        )
    if seconds < MIN_SPEECH_SECONDS:
        raise AudioError(
            f"{name}: {seconds:.2f} s of speech were found in {duration:.2f} s of audio; at least "
            f"{MIN_SPEECH_SECONDS:.1f} s of speech is needed, 5 to 30 s is better"
        )


def _densest(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """The first stretch (a view) of at most 30 s that holds the most speech frames."""
    width = round(MAX_REFERENCE_SECONDS * FRAMES_PER_SECOND)
    length = round(MAX_REFERENCE_SECONDS * sample_rate)
    if len(waveform) <= length:
        return waveform
    counts = np.concatenate(([0], np.cumsum(speech_frames(waveform, sample_rate))))
    start = int(np.argmax(counts[width:] - counts[:-width])) * sample_rate // FRAMES_PER_SECOND
    return waveform[start : start + length]


def _snr_db(levels: NDArray[np.float64], speech: NDArray[np.bool_]) -> float:
    """Mean power of the speech frames over the median power of the pauses, or of the weakest 5 % where none is."""
    power = 10 ** (levels / 10)
    pauses = power[~speech]
    noise = float(np.median(pauses)) if len(pauses) >= 10 else float(np.percentile(power, 5))
    signal = float(power[speech].mean()) - noise
    if signal <= 0:
        return 0.0
    return min(10 * math.log10(signal / max(noise, 1e-20)), MAX_SNR_DB)


def _bandwidth_hz(waveform: NDArray[np.float32], sample_rate: int, speech: NDArray[np.bool_]) -> float:
    """Upper edge of the highest 250 Hz band that is within 65 dB of the strongest, in the mean spectrum of speech."""
    n_fft = round(_SPECTRUM_SECONDS * sample_rate)
    starts = np.flatnonzero(speech) * sample_rate // FRAMES_PER_SECOND
    starts = starts[starts + n_fft <= len(waveform)]
    window = np.hanning(n_fft).astype(np.float32)
    power = np.zeros(n_fft // 2 + 1)
    for at in starts[::2]:
        power += np.abs(np.fft.rfft(waveform[at : at + n_fft] * window)) ** 2
    bands = math.floor(sample_rate / 2 / _BAND_HZ)
    width = len(power) / (sample_rate / 2 / _BAND_HZ)
    energy = np.array([power[round(i * width) : round((i + 1) * width)].mean() for i in range(bands)])
    present = np.flatnonzero(energy > energy.max() * 10 ** (-BANDWIDTH_RANGE_DB / 10))
    return float(present[-1] + 1) * _BAND_HZ
