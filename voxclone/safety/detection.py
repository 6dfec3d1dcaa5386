"""Whether audio carries a model's mark, and where: a verdict, a score and spans, from audio of any length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from voxclone.safety.ear import Ear
from voxclone.safety.hearing import Floats, Heard, Hearing, Samples, Singles

Verdict = Literal["watermarked", "not_detected", "inconclusive"]

WINDOW_SECONDS = 2.0  # in which evidence is pooled, and for which the thresholds are calibrated
SHORTEST_SECONDS = 1.0  # of sound: in less, no verdict is given
SPAN_SECONDS = 0.75  # in which evidence is pooled to find where a marked span begins and ends
SPAN_GAP_SECONDS = 0.3  # a shorter gap between two spans is closed
CLEAR_DB = 6.0  # between loud and quiet frames: less is noise, not speech
CHECK_SECONDS = 6.0  # of an output, in which its mark is looked for


@dataclass(frozen=True)
class Detection:
    """What the detector found.

    Attributes:
        verdict: "watermarked"; "not_detected", which does not show that it is a recording; or "inconclusive".
        score: Highest mean evidence of a window, log odds, to which the model's thresholds apply; None where no window
            holds enough sound.
        spans: (start, end) in seconds of each stretch that carries the mark; empty unless watermarked.
        payload: What the mark says besides being there; None for models whose mark says nothing, as of now all.
        reason: Why the verdict is inconclusive; else "".
        speed: About how many times as fast as it was spoken the marked speech seems to be played: one of the model's
            `speeds`; a change of pitch looks alike. 1.0 unless watermarked.
    """

    verdict: Verdict
    score: float | None
    spans: tuple[tuple[float, float], ...]
    payload: int | None = None
    reason: str = ""
    speed: float = 1.0


class MarkFinder:
    """A model's detector with its thresholds.

    Args:
        ear: The trained detector.
        mark_id: What the mark is called.
    """

    def __init__(self, ear: Ear, mark_id: str) -> None:
        self.ear, self.config = ear, ear.config
        self.mark_id = mark_id
        self._hearing = Hearing(ear, (1.0, *self.config.speeds))
        self._costs = np.array([0.0] + [self.config.speed_cost] * len(self.config.speeds))
        self._as_made = Hearing(ear, (1.0,))

    def find(self, blocks: Iterable[tuple[Samples, int]]) -> Detection:
        """Judge audio that comes in blocks.

        Args:
            blocks: (samples (S,), sample rate in Hz), the rate alike for all.

        Raises:
            AudioError: There are no samples.
        """
        return self._judge(self._hearing.listen(blocks, self._promising))

    def score(self, samples: Samples, sample_rate: int) -> float:
        """The mean evidence over all of the samples (S,), as one window, at the speed that has most."""
        heard = self._hearing.listen([(samples, sample_rate)], self._promising)
        means = (heard.evidence * heard.weight).sum(1) / np.maximum(1e-6, heard.weight.sum(1))
        return float((means - self._costs).max())

    def check_marked(self, samples: Samples, sample_rate: int) -> bool | None:
        """Whether samples (S,) that should carry the mark as it was made do, by a stretch from their middle.

        The bar is `output_threshold`, lower than that of `find`: it tells a vocoder that marks from one that does not.

        Returns:
            None where there is less than a second of sound.
        """
        length = round(CHECK_SECONDS * sample_rate)
        start = max(0, (len(samples) - length) // 2)
        heard = self._as_made.listen([(samples[start : start + length], sample_rate)], lambda _: ())
        evidence, weight = heard.evidence[0], heard.weight[0]
        if (weight > 0).sum() < SHORTEST_SECONDS * self._frame_rate:
            return None
        bar = self.config.doubt if self.config.output_threshold is None else self.config.output_threshold
        return float((evidence * weight).sum() / weight.sum()) >= bar

    def _promising(self, heard: Heard) -> NDArray[np.intp]:
        """The speeds at which a window is at least in doubt."""
        seconds = heard.level.shape[0] / self._frame_rate
        scores = self._scores(heard, round(min(seconds, WINDOW_SECONDS) * self._frame_rate))
        return np.flatnonzero(scores.max(1) >= self.config.doubt)

    def _scores(self, heard: Heard, window: int) -> Singles:
        """(K, windows) the score of each window of that many frames, at each speed."""
        least = min(window / 4, SHORTEST_SECONDS / 2 * self._frame_rate)
        pairs = zip(heard.evidence, heard.weight, strict=True)
        pooled = (_pooled(*pair, window, least) - cost for pair, cost in zip(pairs, self._costs, strict=True))
        return np.stack([scores.astype(np.float32) for scores in pooled])  # as much as an hour at all speeds takes

    def _judge(self, heard: Heard) -> Detection:
        """The verdict: too short, beyond a bar, within doubt of the shortest windows' bar, noise alone, or nothing."""
        sound = (heard.weight[0] > 0).sum() / self._frame_rate
        if sound < SHORTEST_SECONDS:
            return Detection("inconclusive", None, (), reason=f"there is {sound:.2f} s of sound; 1 s is needed")
        bars = self._bars(len(heard.level) / self._frame_rate)
        scores = [self._scores(heard, window) for window, _ in bars]
        beyond = np.stack([each.max(1) - threshold for each, (_, threshold) in zip(scores, bars, strict=True)])
        score = None if np.isneginf(best := scores[0].max()) else float(best)
        if beyond.max() >= 0:
            speed = self._hearing.speeds[int(beyond.max(0).argmax())]
            return Detection("watermarked", score, self._spans(heard, scores, bars), speed=speed)
        if score is None:
            reason = "the sound is too scattered: no 2 s of the audio hold half a second of it"
            return Detection("inconclusive", None, (), reason=reason)
        if score >= bars[0][1] - (self.config.threshold - self.config.doubt):
            return Detection("inconclusive", score, (), reason="there is some evidence of the mark, too little to tell")
        loud = np.percentile(heard.level[heard.weight[0] > 0], 95)  # where there is sound, which may be in little of it
        if loud - np.percentile(heard.level, 10) < CLEAR_DB:
            return Detection("inconclusive", score, (), reason="noise is as loud as speech could be")
        return Detection("not_detected", score, ())

    def _bars(self, seconds: float) -> list[tuple[int, float]]:
        """Lengths of windows in frames, and the score that each must reach in audio of that length."""
        config = self.config
        windows = [(WINDOW_SECONDS, config.threshold, config.threshold_tail)]
        windows += zip(config.long_windows, config.long_thresholds, config.long_tails, strict=True)
        fitting = [window for window in windows if window[0] <= seconds] or windows[:1]
        bars = []
        for length, threshold, tail in fitting:
            trials = max(1.0, seconds / length) * len(fitting)  # each window of each length is a chance to be wrong
            short = config.threshold_short if seconds < WINDOW_SECONDS else 0.0
            frames = round(min(length, seconds) * self._frame_rate)
            bars.append((frames, threshold + tail * float(np.log(trials)) + short))
        return bars

    def _spans(
        self, heard: Heard, scores: list[Singles], bars: list[tuple[int, float]]
    ) -> tuple[tuple[float, float], ...]:
        """Stretches of more evidence than not, that lie in a window beyond its threshold, at any of the speeds."""
        count = len(heard.level)
        width = min(count, round(SPAN_SECONDS * self._frame_rate))
        marked = np.zeros(count, bool)
        for index, (evidence, weight) in enumerate(zip(heard.evidence, heard.weight, strict=True)):
            covered = np.zeros(count + 1)
            for each, (window, threshold) in zip(scores, bars, strict=True):
                for start in np.flatnonzero(each[index] >= threshold):
                    covered[start] += 1
                    covered[start + window] -= 1
            local = _pooled(evidence, weight, width, least=0.0)
            local = np.pad(local, ((width - 1) // 2, width - 1 - (width - 1) // 2), mode="edge")
            marked |= (np.cumsum(covered[:-1]) > 0) & (local > 0)
        runs = _runs(marked, round(SPAN_GAP_SECONDS * self._frame_rate))
        return tuple((start / self._frame_rate, end / self._frame_rate) for start, end in runs)

    @property
    def _frame_rate(self) -> float:
        return self._hearing.frame_rate


def _pooled(evidence: Singles, weight: Singles, window: int, least: float) -> Floats:
    """Mean evidence by weight in each window of that many frames; -inf where fewer than `least` are heard."""

    def sums(values: NDArray[Any]) -> Floats:
        total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        each: Floats = total[window:] - total[:-window]
        return each

    heard = sums(weight > 0)
    mean = sums(evidence * weight) / np.maximum(sums(weight), 1e-6)
    return np.where(heard >= max(least, 1e-9), mean, -np.inf)


def _runs(inside: NDArray[np.bool_], gap: int) -> list[tuple[int, int]]:
    """(start, end) of each run of True, those closer than `gap` joined."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < gap:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs
