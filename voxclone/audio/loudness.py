"""How loud a waveform is, where it speaks, and where its silence ends."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voxclone.errors import AudioError

FRAMES_PER_SECOND = 100  # of every frame in this module: 10 ms
MAX_PEAK = 0.99  # full scale 1.0; what levelling never passes
TRIM_MARGIN_SECONDS = 0.05
BLOCK_FRAMES = 40  # frames of 10 ms in a gating block of 400 ms
BLOCK_STEP_FRAMES = 10  # blocks overlap by 75 %
ABSOLUTE_GATE_DB = -70.0  # LUFS
RELATIVE_GATE_DB = -10.0
_DECAY_SECONDS = 0.1  # of zeros, in which the weighting filter (38 Hz, Q 0.5) rings out
_CHUNK_FRAMES = 6000  # of the waveform that become float64 at once

MIN_LEVEL_DB = -70.0  # dBFS; no frame below it is speech
MIN_CONTRAST_DB = 6.0  # between the floor and the loudest frames; steady noise has 1 to 4 dB, a tone less
SMOOTHING_FRAMES = 3  # the detector looks at 30 ms
SPEECH_RANGE_DB = 40.0  # below the loudest frames; what is weaker is room and breath
MIN_RUN_FRAMES = 5  # a shorter burst, smoothed, is a click
HANGOVER_FRAMES = 10  # kept after each run: word ends fade


def integrated_loudness(waveform: NDArray[np.floating], sample_rate: int) -> float:
    """Integrated loudness of one channel after ITU-R BS.1770-4: K-weighting, 400 ms blocks, both gates.

    A waveform shorter than one block is measured as a single block of its own length.

    Args:
        waveform: (S,) float samples, full scale 1.0.
        sample_rate: In Hz.

    Returns:
        Loudness in LUFS; -inf where no block passes the absolute gate of -70 LUFS.
    """
    if waveform.size == 0:
        return -math.inf
    energy = _frame_energy(_k_weighted(waveform, sample_rate), sample_rate)
    width = min(BLOCK_FRAMES, len(energy))
    sums = np.concatenate(([0.0], np.cumsum(energy)))
    blocks = (sums[width:] - sums[:-width])[::BLOCK_STEP_FRAMES] / width
    blocks = blocks[blocks > 10 ** ((ABSOLUTE_GATE_DB + 0.691) / 10)]
    if blocks.size == 0:
        return -math.inf
    gated = blocks[blocks > blocks.mean() * 10 ** (RELATIVE_GATE_DB / 10)]
    return -0.691 + 10 * math.log10(float(gated.mean()))


def level(waveform: NDArray[np.floating], sample_rate: int, loudness_db: float = -23.0) -> NDArray[np.float32]:
    """Scale a waveform to an integrated loudness, or less where its peak would pass 0.99.

    Args:
        waveform: (S,) float samples.
        sample_rate: In Hz.
        loudness_db: Wanted, in LUFS (EBU R 128: -23).

    Returns:
        (S,) float32.

    Raises:
        AudioError: The waveform is silent: no 400 ms of it reach -70 LUFS.
    """
    found = integrated_loudness(waveform, sample_rate)
    if found == -math.inf:
        raise AudioError(
            f"the audio of {len(waveform) / sample_rate:.2f} s is silent: nothing in it reaches "
            f"{ABSOLUTE_GATE_DB:.0f} LUFS, so it cannot be levelled"
        )
    gain = min(10 ** ((loudness_db - found) / 20), MAX_PEAK / float(np.abs(waveform).max()))
    return (waveform * gain).astype(np.float32)


def trim_silence(waveform: NDArray[np.floating], sample_rate: int) -> NDArray[np.floating]:
    """Cut both ends off, up to 50 ms before the first and after the last 10 ms frame within range of the loudest.

    Frames more than `SPEECH_RANGE_DB` below the loudest frame are silence.

    Args:
        waveform: (S,) float samples.
        sample_rate: In Hz.

    Returns:
        A view (<= S,) of the waveform; all of it where it is digital silence.
    """
    start, end = sound_bounds(waveform, sample_rate)
    return waveform[start:end]


def sound_bounds(waveform: NDArray[np.floating], sample_rate: int) -> tuple[int, int]:
    """The samples [start, end) that `trim_silence` keeps."""
    decibels = frame_levels(waveform, sample_rate)
    active = np.flatnonzero(decibels >= decibels.max(initial=-math.inf) - SPEECH_RANGE_DB)
    if active.size == 0:
        return 0, len(waveform)
    margin = round(TRIM_MARGIN_SECONDS * FRAMES_PER_SECOND)
    first, last = max(0, int(active[0]) - margin), int(active[-1]) + 1 + margin
    end = len(waveform) if last >= len(decibels) else last * sample_rate // FRAMES_PER_SECOND
    return first * sample_rate // FRAMES_PER_SECOND, end


def frame_levels(waveform: NDArray[np.floating], sample_rate: int) -> NDArray[np.float64]:
    """Root-mean-square level of each 10 ms frame.

    Args:
        waveform: (S,) float samples, full scale 1.0.
        sample_rate: In Hz.

    Returns:
        (F,) dBFS, at least -200. Frame i starts at sample i * sample_rate // 100; the last one takes in what is left.
    """
    return 10 * np.log10(np.maximum(_frame_energy(waveform, sample_rate), 1e-20))


def speech_frames(waveform: NDArray[np.floating], sample_rate: int) -> NDArray[np.bool_]:
    """Which 10 ms frames hold speech, by an energy detector that adapts to the recording's noise.

    Levels are taken about the mean of each 5 ms, which leaves out offset, hum and rumble, and smoothed over 30 ms.
    The floor is their 10th percentile (digital silence aside), the top their 95th. Speech is what stands above the
    floor by a third of the distance to the top, 3 to 12 dB, and at most 40 dB under the top; runs shorter than 50 ms
    are clicks, and 100 ms are kept after each run. Where floor and top are less than 6 dB apart (steady noise, a
    tone) nothing is speech.

    Args:
        waveform: (S,) float samples, full scale 1.0.
        sample_rate: In Hz.

    Returns:
        (F,) True where speech is; frames as in `frame_levels`.
    """
    speech = np.zeros(len(waveform) * FRAMES_PER_SECOND // sample_rate, dtype=np.bool_)
    if len(speech) < SMOOTHING_FRAMES:
        return speech
    halves = _frame_energy(waveform, sample_rate, 2 * FRAMES_PER_SECOND, centred=True)
    energy = halves[: 2 * len(speech)].reshape(-1, 2).mean(axis=1)
    smooth = np.convolve(energy, np.full(SMOOTHING_FRAMES, 1 / SMOOTHING_FRAMES), mode="same")
    decibels = 10 * np.log10(np.maximum(smooth, 1e-20))
    audible = decibels[decibels > MIN_LEVEL_DB - 20]
    if audible.size == 0:
        return speech
    floor, top = np.percentile(audible, (10, 95))
    if top - floor < MIN_CONTRAST_DB:
        return speech
    margin = min(max((top - floor) / 3, 3.0), 12.0)
    active = decibels > max(floor + margin, top - SPEECH_RANGE_DB, MIN_LEVEL_DB)
    edges = np.flatnonzero(np.diff(active, prepend=False, append=False))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start >= MIN_RUN_FRAMES:
            speech[start : end + HANGOVER_FRAMES] = True
    return speech


def speech_seconds(waveform: NDArray[np.floating], sample_rate: int) -> float:
    """Seconds of speech in a waveform (S,), by `speech_frames`."""
    return float(np.count_nonzero(speech_frames(waveform, sample_rate))) / FRAMES_PER_SECOND


def _frame_energy(
    waveform: NDArray[np.floating], sample_rate: int, rate: int = FRAMES_PER_SECOND, *, centred: bool = False
) -> NDArray[np.float64]:
    """Mean square (F,) of each of `rate` frames per second, about the frame's own mean if `centred`."""
    frames = max(1, len(waveform) * rate // sample_rate) if len(waveform) else 0
    bounds = np.arange(frames + 1) * sample_rate // rate
    bounds[-1] = len(waveform)
    energy = np.empty(frames)
    for first in range(0, frames, _CHUNK_FRAMES):
        last = min(first + _CHUNK_FRAMES, frames)
        samples = waveform[bounds[first] : bounds[last]].astype(np.float64)
        starts, lengths = bounds[first:last] - bounds[first], np.diff(bounds[first : last + 1])
        energy[first:last] = np.add.reduceat(np.square(samples), starts) / lengths
        if centred:
            energy[first:last] -= np.square(np.add.reduceat(samples, starts) / lengths)
    return energy


def _k_weighted(waveform: NDArray[np.floating], sample_rate: int) -> NDArray[np.float64]:
    """The waveform (S,) through the two filters of ITU-R BS.1770-4, annex 1, multiplied in the frequency domain.

    The standard tabulates coefficients for 48 kHz alone; these are the analogue shelf and high-pass behind them,
    by the bilinear transform, which gives the table's numbers there to eight digits.
    """
    n_fft = _smooth_size(len(waveform) + round(_DECAY_SECONDS * sample_rate))
    z = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)  # one sample of delay
    k = math.tan(math.pi * 1681.974450955533 / sample_rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf = _biquad(z, (high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k), k, q)
    k = math.tan(math.pi * 38.13547087602444 / sample_rate)
    q = 0.5003270373238773
    high_pass = _biquad(z, (1.0, -2.0, 1.0), k, q) * (1 + k / q + k * k)  # the standard's numerator is 1, -2, 1
    return np.fft.irfft(np.fft.rfft(waveform, n_fft) * shelf * high_pass, n_fft)[: len(waveform)]


def _biquad(z: NDArray[np.complex128], b: tuple[float, float, float], k: float, q: float) -> NDArray[np.complex128]:
    """Response at unit delays z of numerator b over the second-order section of warped frequency k and quality q."""
    a = (1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k)
    return (b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z)


def _smooth_size(size: int) -> int:
    """The least n >= size of the form 2^i * 3^j with j <= 2, which an FFT takes fast."""
    return min(odd << max(0, (-(-size // odd) - 1).bit_length()) for odd in (1, 3, 9))
