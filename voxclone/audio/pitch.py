"""Fundamental frequency by autocorrelation and a best path (Boersma 1993, Proc. Inst. Phonetic Sciences 17, 97-110)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CANDIDATES = 6  # voiced candidates for each frame
OCTAVE_COST = 0.02  # favours higher candidates, per octave
OCTAVE_JUMP_COST = 0.35  # per octave between neighbouring frames
VOICING_CHANGE_COST = 0.14
VOICING_THRESHOLD = 0.45
SILENCE_THRESHOLD = 0.03  # of the loudest sample
HUM_HZ = 85.0  # what lies lower counts little


def f0(
    waveform: NDArray[np.float32], sample_rate: int, hop_length: int, f_min: float = 60.0, f_max: float = 500.0
) -> NDArray[np.float32]:
    """Fundamental frequency in Hz, 0 where unvoiced, one value for each mel frame.

    Args:
        waveform: (S,) mono.
        sample_rate: Hz.
        hop_length: Samples from frame to frame; frame t is centred on sample (t + 1/2) hop_length, as the mel is.
        f_min: Lowest f0 looked for, Hz.
        f_max: Highest f0 looked for, Hz.

    Returns:
        (S // hop_length,) float32.
    """
    n_frames = len(waveform) // hop_length
    peak = float(np.abs(waveform).max()) if len(waveform) else 0.0
    if n_frames == 0 or peak == 0.0:
        return np.zeros(n_frames, np.float32)
    voice = _without_hum(waveform / peak, sample_rate)
    frequencies, strengths = _candidates(voice, sample_rate, hop_length, n_frames, f_min, f_max)
    return _best_path(frequencies, strengths, sample_rate / hop_length)


def _without_hum(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """High-passed at `HUM_HZ`, 24 dB per octave, without delay: mains hum would pass for a voice in its pauses."""
    from scipy import fft

    n_fft = fft.next_fast_len(len(waveform) + sample_rate // 10, real=True)
    ratio = HUM_HZ / np.maximum(np.arange(n_fft // 2 + 1) * (sample_rate / n_fft), 1e-3)
    filtered = fft.irfft(fft.rfft(waveform, n_fft) / (1 + ratio**4), n_fft)
    return np.asarray(filtered[: len(waveform)], np.float32)


def _candidates(
    waveform: NDArray[np.float32], sample_rate: int, hop_length: int, n_frames: int, f_min: float, f_max: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(T, CANDIDATES + 1) frequencies and strengths; column 0 is the unvoiced candidate."""
    from scipy import fft

    length = int(3 * sample_rate / f_min) // 2 * 2
    n_fft = fft.next_fast_len(2 * length, real=True)
    window = np.hanning(length).astype(np.float32)
    lag_min, lag_max = int(sample_rate / f_max), min(int(sample_rate / f_min) + 2, length - 2)
    window_correlation = fft.irfft(np.abs(fft.rfft(window, n_fft)) ** 2)[: lag_max + 2]
    window_correlation /= window_correlation[0]

    padded = np.pad(waveform, (length // 2, length // 2 + hop_length)).astype(np.float32)
    all_frames = np.lib.stride_tricks.sliding_window_view(padded, length)[hop_length // 2 :: hop_length][:n_frames]
    frequencies = np.zeros((n_frames, CANDIDATES + 1), np.float32)
    strengths = np.full((n_frames, CANDIDATES + 1), -1e3, np.float32)
    for start in range(0, n_frames, 512):
        frames = all_frames[start : start + 512]
        frames = frames - frames.mean(1, keepdims=True)
        loudness = np.abs(frames).max(1)
        spectrum = fft.rfft(frames * window, n_fft)
        correlation = fft.irfft(spectrum.real**2 + spectrum.imag**2, n_fft)[:, : lag_max + 2]
        correlation /= np.maximum(correlation[:, :1], 1e-9) * window_correlation
        before, here, after = (correlation[:, lag_min - 1 + i : lag_max - 1 + i] for i in range(3))
        peaks = np.where((here > before) & (here >= after) & (here > 0.15), here, -1e3)
        lags = np.arange(lag_min, lag_max)
        ranked = peaks + np.where(peaks > 0, -OCTAVE_COST * np.log2(f_min * lags / sample_rate), 0)
        best = np.argpartition(-ranked, CANDIDATES, axis=1)[:, :CANDIDATES]
        left, middle, right = (np.take_along_axis(part, best, 1) for part in (before, here, after))
        curvature = left - 2 * middle + right
        shift = np.where(np.abs(curvature) > 1e-9, 0.5 * (left - right) / np.where(curvature == 0, 1, curvature), 0)
        rows = slice(start, start + len(frames))
        frequencies[rows, 1:] = sample_rate / (lags[best] + np.clip(shift, -0.5, 0.5))
        strengths[rows, 1:] = np.take_along_axis(ranked, best, 1)
        quiet = np.maximum(0, 2 - loudness / (SILENCE_THRESHOLD / (1 + VOICING_THRESHOLD)))
        strengths[rows, 0] = VOICING_THRESHOLD + quiet
    return frequencies, strengths


def _best_path(
    frequencies: NDArray[np.float32], strengths: NDArray[np.float32], frames_per_second: float
) -> NDArray[np.float32]:
    """Viterbi search; costs are per 10 ms, as in section 3.3 of the paper."""
    scale = 0.01 * frames_per_second
    log_f = np.log2(np.maximum(frequencies, 1.0))
    steps = np.abs(log_f[1:, None, :] - log_f[:-1, :, None]) * (OCTAVE_JUMP_COST * scale)  # (T - 1, from, to)
    steps[:, 0, :] = steps[:, :, 0] = VOICING_CHANGE_COST * scale
    steps[:, 0, 0] = 0
    score = strengths[0]
    back = np.zeros(strengths.shape, np.int64)
    for t in range(1, len(strengths)):
        arriving = score[:, None] - steps[t - 1]
        back[t] = arriving.argmax(0)
        score = arriving.max(0) + strengths[t]
    path = np.zeros(len(strengths), np.int64)
    path[-1] = score.argmax()
    for t in range(len(strengths) - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return np.take_along_axis(frequencies, path[:, None], 1)[:, 0]


def f0_spread(f0: NDArray[np.floating]) -> float | None:
    """How widely a melody moves, in octaves: the deviation of log2 f0 (T,) in Hz, octave errors left out.

    None where less than ten frames are voiced, or near the median of those that are.
    """
    voiced = np.log2(f0[f0 > 0])
    if len(voiced) < 10:
        return None
    near = voiced[np.abs(voiced - np.median(voiced)) < 0.7]
    return float(near.std()) if len(near) >= 10 else None
