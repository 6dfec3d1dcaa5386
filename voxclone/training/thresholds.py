"""Thresholds of a detector, from its scores of speech that carries no mark."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.config import WatermarkConfig
from voxclone.errors import VoxcloneError
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.detection import WINDOW_SECONDS
from voxclone.safety.hearing import at_speed, audible, frame_levels
from voxclone.training.features import Entry, FeatureStore

FALSE_ALARMS = 1e-3  # share of natural windows that may pass the threshold
DOUBTFUL = 1e-2  # and of those that may pass the lower one
SOUND_ALARMS = 1e-2  # share of windows without speech that may pass the threshold: few ask of what was not spoken
AS_MADE = 0.5  # share of the false alarms that are left to the speed that the file has; the others divide the rest
BATCH = 16  # windows at once
LEAST_SCORES = 1000
LEAST_BEYOND = 8  # windows that tell how far the highest scores reach
NOTEWORTHY = -3.0  # a recording with such a score at its own speed is searched for certain
SEARCHED_SHARE = 0.3  # of the other recordings are
LONG_WINDOWS = (4.0, 8.0, 12.0)  # seconds

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Scores of windows at each of a detector's speeds.

    Attributes:
        scores: (N, K), the first column at the speed that the windows have; NaN in silence.
        weight: (N,) how many windows each stands for; 0 for those that were heard at their own speed alone.
        recordings: Whose each window is; those of one recording in a row.
    """

    scores: Scores
    weight: Scores
    recordings: Sequence[str]

    def best(self, cost: float) -> Scores:
        """(N,) what detection makes of each window; NaN in silence."""
        return best_scores(self.scores, cost)


def for_training(entry: Entry) -> bool:
    """Whether a detector may be trained on the recording: three speakers in ten, by their names; never held-out ones.

    The others are what thresholds are set on.
    """
    digest = hashlib.sha256(entry.about["speaker"].encode()).digest()
    return entry.about["split"] != "valid" and digest[0] < 0.3 * 256


@torch.inference_mode()
def window_scores(detector: WatermarkDetector, windows: NDArray[np.float32], speed: float = 1.0) -> Scores:
    """The score of each window (N, S) at the detector's rate, heard by itself; NaN where half of it is silent.

    Args:
        detector: The detector.
        windows: The windows.
        speed: How many times as fast as it was made each is taken to be played.
    """
    config = detector.config
    frame_rate = config.sample_rate / config.frame_length
    scores = []
    for start in range(0, len(windows), BATCH):
        batch = at_speed(windows[start : start + BATCH], speed)
        evidence, weight = (each.double().numpy() for each in detector(torch.from_numpy(batch)))
        heard = audible(frame_levels(batch, config.frame_length), frame_rate)
        weight = weight * heard
        pooled = (evidence * weight).sum(1) / np.maximum(weight.sum(1), 1e-6)
        scores.append(np.where(heard.mean(1) >= 0.5, pooled, np.nan))
    return np.concatenate(scores) if scores else np.zeros(0)


def searched_scores(detector: WatermarkDetector, windows: NDArray[np.float32]) -> Scores:
    """(N, K) the score of each window (N, S) at each of the detector's speeds, its own first."""
    speeds = (1.0, *detector.config.speeds)
    return np.stack([window_scores(detector, windows, speed) for speed in speeds], 1)


def sampled_scores(
    detector: WatermarkDetector, windows: NDArray[np.float32], key: str, share: float = SEARCHED_SHARE
) -> tuple[Scores, Scores]:
    """Scores (N, K) of a recording's windows, and the weight (N,) of each.

    To search all natural speech would take K times as long. So each recording is heard at its own speed, and searched
    for certain if something of it scores `NOTEWORTHY` there; of the others a share is, drawn by the key, each of which
    stands for those that were not.
    """
    own = window_scores(detector, windows)
    certain = bool((own >= NOTEWORTHY).any()) or not detector.config.speeds
    drawn = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) < share * 2**32
    if certain or drawn:
        others = [window_scores(detector, windows, speed) for speed in detector.config.speeds]
        return np.stack([own, *others], 1), np.full(len(own), 1.0 if certain else 1 / share)
    unheard = np.full((len(own), len(detector.config.speeds)), np.nan)
    return np.concatenate([own[:, None], unheard], 1), np.zeros(len(own))


def best_scores(scores: Scores, cost: float) -> Scores:
    """Scores (N, K) at each speed to the highest (N,), all but the first less the cost; NaN where the first is."""
    costs = np.array([0.0] + [cost] * (scores.shape[1] - 1))
    best: Scores = np.where(np.isnan(scores), -np.inf, scores - costs).max(1)
    return np.where(np.isnan(scores[:, 0]), np.nan, best)


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
    config: WatermarkConfig, natural: Scored, distorted: Scored, short: Scored, sounds: Scored
) -> WatermarkConfig:
    """The configuration with thresholds that few unmarked windows pass, at whatever speed they are heard.

    Longer windows are for what none of 2 s can tell; their bars hold for all kinds as well, so far as these are long.

    Args:
        config: The detector's.
        natural: Scores of natural windows of `WINDOW_SECONDS`.
        distorted: Of such windows through the channel; the highest bar counts.
        short: Of natural windows of `SHORTEST_SECONDS`.
        sounds: Of windows of `WINDOW_SECONDS` without speech.

    Raises:
        VoxcloneError: There are too few scores to tell one false alarm in a thousand.
    """
    kinds = [_searched(scored) for scored in (natural, distorted, short, sounds)]
    if (fewest := min(len(scored.weight) for scored in kinds)) < LEAST_SCORES:
        raise VoxcloneError(f"{fewest} scores of one kind; calibration needs {LEAST_SCORES} of each")
    whole, sent, brief, other = kinds
    cost = max(_cost(scored) for scored in (whole, sent)) if config.speeds else 0.0
    allowed = ((whole, FALSE_ALARMS), (sent, FALSE_ALARMS), (other, SOUND_ALARMS))
    threshold = max(_bar(scored, cost, share) for scored, share in allowed)
    doubt = max(_bar(scored, cost, DOUBTFUL) for scored in (whole, sent))
    longer = []
    for seconds in LONG_WINDOWS:
        means = [_longer(scored, round(seconds / WINDOW_SECONDS)) for scored in (natural, distorted, sounds)]
        if len(means[0].weight) >= LEAST_SCORES:
            enough = [
                (each, share)
                for each, (_, share) in zip(means, allowed, strict=True)
                if len(each.weight) > 2 * LEAST_BEYOND
            ]
            longer.append((seconds, max(_bar(each, cost, share) for each, share in enough), _tail(means[0], cost)))
    return dataclasses.replace(
        config,
        speed_cost=cost,
        threshold=threshold,
        doubt=min(doubt, threshold),
        output_threshold=_output_threshold(natural),
        threshold_short=max(0.0, round(_bar(brief, cost, FALSE_ALARMS) - _bar(whole, cost, FALSE_ALARMS), 3)),
        threshold_tail=_tail(whole, cost),
        long_windows=tuple(seconds for seconds, _, _ in longer),
        long_thresholds=tuple(bar for _, bar, _ in longer),
        long_tails=tuple(tail for _, _, tail in longer),
    )


def passed(scored: Scored, cost: float, threshold: float) -> float:
    """The share of the windows that pass a threshold."""
    heard = _searched(scored)
    return float(heard.weight[heard.best(cost) >= threshold].sum() / heard.weight.sum())


def _searched(scored: Scored) -> Scored:
    """The windows that are not silent and were heard at all speeds."""
    kept = np.isfinite(scored.scores[:, 0]) & (scored.weight > 0)
    return Scored(scored.scores[kept], scored.weight[kept], np.asarray(scored.recordings)[kept].tolist())


def _output_threshold(natural: Scored) -> float:
    """What few natural windows pass at their own speed: an output, which is neither distorted nor searched, must."""
    own = natural.scores[np.isfinite(natural.scores[:, 0]), 0]
    return round(_quantile(own, np.ones(len(own)), DOUBTFUL), 3)


def _cost(scored: Scored) -> float:
    """How much less the best of the other speeds must count to pass a bar no oftener than its share."""
    others = np.nan_to_num(scored.scores[:, 1:], nan=-np.inf).max(1)
    own = _quantile(scored.scores[:, 0], scored.weight, AS_MADE * FALSE_ALARMS)
    return max(0.0, round(_quantile(others, scored.weight, (1 - AS_MADE) * FALSE_ALARMS) - own, 3))


def _bar(scored: Scored, cost: float, share: float) -> float:
    return round(_quantile(scored.best(cost), scored.weight, share), 3)


def _quantile(scores: Scores, weight: Scores, share: float) -> float:
    """The score that a share of the weight passes; by an exponential tail where fewer than `LEAST_BEYOND` would."""
    order = np.argsort(-scores)
    beyond = np.cumsum(weight[order]) / weight.sum()
    place = int(np.searchsorted(beyond, share, "right"))
    if place >= LEAST_BEYOND:
        return float(scores[order[min(place, len(order) - 1)]])
    highest = order[:LEAST_BEYOND]
    level = float(scores[order[LEAST_BEYOND]])
    scale = np.average(scores[highest] - level, weights=weight[highest])
    return level + float(scale * np.log(beyond[LEAST_BEYOND - 1] / share))


def _tail(scored: Scored, cost: float) -> float:
    """How far the highest scores lie beyond the bar that they pass, in the mean: the scale of an exponential tail."""
    scores = scored.best(cost)
    bar = min(_quantile(scores, scored.weight, FALSE_ALARMS), float(np.sort(scores)[-LEAST_BEYOND - 1]))
    highest = scores > bar
    return round(float(np.average(scores[highest] - bar, weights=scored.weight[highest])), 3)


def _longer(scored: Scored, count: int) -> Scored:
    """Means of that many windows in a row of one recording, at each speed."""
    names = np.asarray(scored.recordings)
    if len(names) < count:
        return Scored(np.zeros((0, scored.scores.shape[1])), np.zeros(0), [])
    kernel = np.ones(count) / count
    means = np.stack([np.convolve(column, kernel, "valid") for column in scored.scores.T], 1)
    places = np.flatnonzero(names[: len(means)] == names[count - 1 :])
    return _searched(Scored(means[places], scored.weight[places], names[places].tolist()))
