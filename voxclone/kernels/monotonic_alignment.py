"""Monotonic alignment search: the most probable path of frames through phonemes."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def monotonic_alignment(
    log_probabilities: Tensor | NDArray[Any],
    phoneme_lengths: Tensor | NDArray[Any],
    mel_lengths: Tensor | NDArray[Any],
) -> Tensor:
    """Frames per phoneme on the best monotonic path (Glow-TTS, arXiv:2005.11129, algorithm 1; arXiv:2108.10447).

    The path begins at the first phoneme, ends at the last one and skips none. Where two paths are equally probable,
    the one that enters a phoneme earlier is taken. Compiled by numba at the first call, then kept on the
    disk; in NumPy where numba (of the train extra) is not installed.

    Args:
        log_probabilities: (B, T, N) float, read as float32; how well frame t fits phoneme n. -inf is allowed.
        phoneme_lengths: (B,) phonemes of each item, 1 to N.
        mel_lengths: (B,) frames of each item, at most T.

    Returns:
        Durations (B, N) int64 in frames, on the device of `log_probabilities`: at least 1 for every phoneme, 0 for
        padding; each row sums to the item's mel length.

    Raises:
        ValueError: An item has fewer frames than phonemes, no phoneme, or more than the table holds.
    """
    table, phonemes, frames, device = _checked(log_probabilities, phoneme_lengths, mel_lengths)
    return torch.from_numpy(_fastest()(table, phonemes, frames)).to(device)


def monotonic_alignment_reference(
    log_probabilities: Tensor | NDArray[Any],
    phoneme_lengths: Tensor | NDArray[Any],
    mel_lengths: Tensor | NDArray[Any],
) -> Tensor:
    """What `monotonic_alignment` computes, in plain Python."""
    table, phonemes, frames, device = _checked(log_probabilities, phoneme_lengths, mel_lengths)
    durations = torch.zeros(table.shape[0], table.shape[2], dtype=torch.int64)
    for item in range(table.shape[0]):
        n_phonemes, n_frames = int(phonemes[item]), int(frames[item])
        scores = table[item].tolist()
        best = [[-float("inf")] * n_phonemes for _ in range(n_frames)]  # of the paths that are at n in frame t
        best[0][0] = scores[0][0]
        for t in range(1, n_frames):
            for n in range(min(t + 1, n_phonemes)):
                stayed = best[t - 1][n]
                entered = best[t - 1][n - 1] if n > 0 else -float("inf")
                best[t][n] = (entered if entered > stayed else stayed) + scores[t][n]
        n = n_phonemes - 1
        for t in range(n_frames - 1, -1, -1):
            durations[item, n] += 1
            if n > 0 and (n == t or best[t - 1][n - 1] > best[t - 1][n]):
                n -= 1
    return durations.to(device)


def _checked(
    log_probabilities: Tensor | NDArray[Any], phoneme_lengths: Tensor | NDArray[Any], mel_lengths: Tensor | NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64], torch.device]:
    """All three on the CPU as arrays, with their lengths known to lie within the table."""
    tensor = torch.as_tensor(log_probabilities).detach()
    table = np.ascontiguousarray(tensor.to("cpu", torch.float32))
    phonemes = np.ascontiguousarray(torch.as_tensor(phoneme_lengths).to("cpu", torch.int64))
    frames = np.ascontiguousarray(torch.as_tensor(mel_lengths).to("cpu", torch.int64))
    if table.ndim != 3 or phonemes.shape != (len(table),) or frames.shape != (len(table),):
        raise ValueError(
            f"needed are log_probabilities (B, T, N) and two lengths (B,), "
            f"got {table.shape}, {phonemes.shape} and {frames.shape}"
        )
    for item, (n_phonemes, n_frames) in enumerate(zip(phonemes, frames, strict=True)):
        if not 1 <= n_phonemes <= table.shape[2] or n_frames > table.shape[1]:
            raise ValueError(
                f"item {item} has {n_phonemes} phonemes and {n_frames} frames; its table is of "
                f"{table.shape[2]} phonemes and {table.shape[1]} frames"
            )
        if n_frames < n_phonemes:
            raise ValueError(
                f"item {item} has {n_frames} frames for {n_phonemes} phonemes; each needs at least one frame: "
                "leave out utterances whose text is longer than their audio"
            )
    return table, phonemes, frames, tensor.device


@functools.cache
def _fastest() -> Callable[..., NDArray[np.int64]]:
    return _search_rows if importlib.util.find_spec("numba") is None else _compiled()


def _compiled() -> Callable[..., NDArray[np.int64]]:
    from numba import njit

    compiled: Callable[..., NDArray[np.int64]] = njit(cache=True, nogil=True)(_search)
    return compiled


def _search(table: NDArray[Any], phonemes: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Compiled by numba. One row of best scores is kept, and for every cell whether its phoneme was entered there."""
    durations = np.zeros((table.shape[0], table.shape[2]), np.int64)
    for item in range(table.shape[0]):
        n_phonemes, n_frames = phonemes[item], frames[item]
        entered = np.zeros((n_frames, n_phonemes), np.bool_)
        best = np.full(n_phonemes, -np.inf)
        before = np.full(n_phonemes, -np.inf)
        best[0] = table[item, 0, 0]
        for t in range(1, n_frames):
            best, before = before, best
            best[0] = before[0] + table[item, t, 0]
            for n in range(1, min(t + 1, n_phonemes)):
                entered[t, n] = before[n - 1] > before[n]
                best[n] = max(before[n - 1], before[n]) + table[item, t, n]
        n = n_phonemes - 1
        for t in range(n_frames - 1, -1, -1):
            durations[item, n] += 1
            if n > 0 and (n == t or entered[t, n]):
                n -= 1
    return durations


def _search_rows(table: NDArray[Any], phonemes: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """`_search` without numba: over all items and phonemes at once, frame by frame.

    A path is at phoneme t in frame t at the latest, which the -inf beyond the diagonal says: nothing enters from it.
    """
    items, n_frames, n_phonemes = len(table), int(frames.max()), int(phonemes.max())
    entered = np.zeros((n_frames, items, n_phonemes), np.bool_)
    best = np.full((items, n_phonemes), -np.inf)
    best[:, 0] = table[:, 0, 0]
    for t in range(1, n_frames):
        reached = min(t + 1, n_phonemes)
        np.greater(best[:, : reached - 1], best[:, 1:reached], out=entered[t, :, 1:reached])
        best[:, 1:reached] = np.maximum(best[:, : reached - 1], best[:, 1:reached])
        best[:, :reached] += table[:, t, :reached]
    durations = np.zeros((items, table.shape[2]), np.int64)
    rows, place = np.arange(items), phonemes - 1
    for t in range(n_frames - 1, -1, -1):
        inside = t < frames
        durations[rows, place] += inside
        back = inside & (place > 0) & ((place == t) | entered[t, rows, place])
        place = place - back
    return durations
