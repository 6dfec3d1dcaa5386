"""Thresholds of a detector, from its scores of speech that carries no mark."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.config import WatermarkConfig
from voxclone.errors import VoxcloneError
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.detection import SHORTEST_SECONDS, WINDOW_SECONDS, audible, frame_levels
from voxclone.training.features import Entry, FeatureStore

FALSE_ALARMS = 1e-3  # share of natural windows that may pass the threshold
DOUBTFUL = 1e-2  # and of those that may pass the lower one
BATCH = 16  # windows at once
LEAST_SCORES = 1000
LONG_WINDOWS = (4.0, 8.0, 12.0)  # seconds

Scores = NDArray[np.float64]


def for_training(entry: Entry) -> bool:
    """Whether a detector may be trained on the recording: three speakers in ten, by their names; never held-out ones.

    The others are what thresholds are set on.
    """
    digest = hashlib.sha256(entry.about["speaker"].encode()).digest()
    return entry.about["split"] != "valid" and digest[0] < 0.3 * 256


@torch.inference_mode()
def window_scores(detector: WatermarkDetector, windows: NDArray[np.float32]) -> Scores:
    """The score of each window (N, S) at the detector's rate, heard by itself; NaN where half of it is silent."""
    config = detector.config
    frame_rate = config.sample_rate / config.frame_length
    scores = []
    for start in range(0, len(windows), BATCH):
        batch = windows[start : start + BATCH]
        evidence, weight = (each.double().numpy() for each in detector(torch.from_numpy(batch)))
        heard = audible(frame_levels(batch, config.frame_length), frame_rate)
        weight = weight * heard
        pooled = (evidence * weight).sum(1) / np.maximum(weight.sum(1), 1e-6)
        scores.append(np.where(heard.mean(1) >= 0.5, pooled, np.nan))
    return np.concatenate(scores) if scores else np.zeros(0)


def cut_windows(
    store: FeatureStore, entries: Sequence[Entry], sample_rate: int, seconds: float = WINDOW_SECONDS
) -> Iterator[tuple[Entry, NDArray[np.float32]]]:
    """Each recording's whole windows (N, S), one after the other from its start."""
    length = round(seconds * sample_rate)
    for entry in entries:
        count = entry.rows["waveform"][1] // length
        if count:
            samples = store.read(entry, "waveform", 0, count * length)
            yield entry, samples.astype(np.float32).reshape(count, length) / np.float32(32768)


def calibrated(
    config: WatermarkConfig, natural: Scores, recordings: Sequence[str], distorted: Scores, short: Scores
) -> WatermarkConfig:
    """The configuration with thresholds that few unmarked windows pass.

    Args:
        config: The detector's.
        natural: Scores of natural windows of `WINDOW_SECONDS`, those of one recording in a row.
        recordings: Whose each of them is.
        distorted: Of such windows through the channel; the higher bar of the two counts.
        short: Of natural windows of `SHORTEST_SECONDS`.

    Raises:
        VoxcloneError: There are too few scores to tell one false alarm in a thousand.
    """
    kinds = [scores[np.isfinite(scores)] for scores in (natural, distorted, short)]
    if min(map(len, kinds)) < LEAST_SCORES:
        raise VoxcloneError(f"{min(map(len, kinds))} scores of one kind; calibration needs {LEAST_SCORES} of each")
    whole, sent, brief = kinds
    threshold = max(_quantile(scores, FALSE_ALARMS) for scores in (whole, sent))
    doubt = max(_quantile(scores, DOUBTFUL) for scores in (whole, sent))
    longer = [_runs(natural, recordings, round(seconds / WINDOW_SECONDS)) for seconds in LONG_WINDOWS]
    kept = [
        (seconds, scores) for seconds, scores in zip(LONG_WINDOWS, longer, strict=True) if len(scores) >= LEAST_SCORES
    ]
    return dataclasses.replace(
        config,
        threshold=threshold,
        doubt=min(doubt, threshold),
        threshold_short=max(0.0, round(_quantile(brief, FALSE_ALARMS) - _quantile(whole, FALSE_ALARMS), 3)),
        threshold_tail=_tail(whole),
        long_windows=tuple(seconds for seconds, _ in kept),
        long_thresholds=tuple(_quantile(scores, FALSE_ALARMS) for _, scores in kept),
        long_tails=tuple(_tail(scores) for _, scores in kept),
    )


def _quantile(scores: Scores, passed: float) -> float:
    return round(float(np.quantile(scores, 1 - passed)), 3)


def _tail(scores: Scores) -> float:
    """How far the highest scores lie beyond the bar that they pass, in the mean: the scale of an exponential tail."""
    highest = np.sort(scores)[-max(8, round(FALSE_ALARMS * len(scores))) - 1 :]
    return round(float((highest[1:] - highest[0]).mean()), 3)


def _runs(scores: Scores, recordings: Sequence[str], count: int) -> Scores:
    """Means of that many windows in a row of one recording."""
    names = np.asarray(recordings)
    if len(scores) < count:
        return np.zeros(0)
    means = np.convolve(scores, np.ones(count) / count, "valid")
    together = names[: len(means)] == names[count - 1 :]
    kept: Scores = means[together & np.isfinite(means)]
    return kept


__all__ = ["SHORTEST_SECONDS", "WINDOW_SECONDS", "calibrated", "cut_windows", "for_training", "window_scores"]
