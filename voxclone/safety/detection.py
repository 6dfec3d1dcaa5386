"""Whether audio carries a model's mark, and where: a verdict, a score and spans, from audio of any length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from voxclone.errors import AudioError
from voxclone.models.watermark import WatermarkDetector

Verdict = Literal["watermarked", "not_detected", "inconclusive"]
Samples = NDArray[np.float32]

WINDOW_SECONDS = 2.0  # in which evidence is pooled, and for which the thresholds are calibrated
SHORTEST_SECONDS = 1.0  # of sound: in less, no verdict is given
BLOCK_SECONDS = 10.0  # judged at once
SPAN_SECONDS = 0.75  # in which evidence is pooled to find where a marked span begins and ends
SPAN_GAP_SECONDS = 0.3  # a shorter gap between two spans is closed
LOCAL_SECONDS = 1.0  # on either side, in which a frame is compared with the loudest
QUIET_DB = -45.0  # a frame this far below the loudest near it counts as silence
SILENCE_DB = -70.0  # of full scale: below it, any frame does
CLEAR_DB = 6.0  # between loud and quiet frames: less is noise, not speech
CHECK_SECONDS = 6.0  # of an output, in which its mark is looked for


@dataclass(frozen=True)
class Detection:
    """What the detector found.

    Attributes:
        verdict: "watermarked"; "not_detected", which does not show that it is a recording; or "inconclusive".
        score: Highest mean evidence of a window, log odds, to which the model's thresholds apply; None if too short.
        spans: (start, end) in seconds of each stretch that carries the mark; empty unless watermarked.
        payload: What the mark says besides being there; None for models whose mark says nothing, as of now all.
        reason: Why the verdict is inconclusive; else "".
    """

    verdict: Verdict
    score: float | None
    spans: tuple[tuple[float, float], ...]
    payload: int | None = None
    reason: str = ""


class MarkFinder:
    """A model's detector with its thresholds.

    Args:
        detector: The trained network.
        mark_id: What the mark is called.
    """

    def __init__(self, detector: WatermarkDetector, mark_id: str) -> None:
        self.detector = detector.eval()
        self.config = detector.config
        self.mark_id = mark_id

    def find(self, blocks: Iterable[tuple[Samples, int]]) -> Detection:
        """Judge audio that comes in blocks.

        Args:
            blocks: (samples (S,), sample rate in Hz), the rate alike for all.

        Raises:
            AudioError: There are no samples.
        """
        return self._judge(self._listen(blocks))

    def score(self, samples: Samples, sample_rate: int) -> float:
        """The mean evidence over all of the samples (S,), as one window."""
        evidence, weight, _ = self._listen([(samples, sample_rate)])
        return float((evidence * weight).sum() / max(1e-6, weight.sum()))

    def check_marked(self, samples: Samples, sample_rate: int) -> bool | None:
        """Whether samples (S,) that should carry the mark do, by a stretch from their middle.

        The bar is `doubt`, lower than that of `find`: it tells a vocoder that marks from one that does not.

        Returns:
            None where there is less than a second of sound.
        """
        length = round(CHECK_SECONDS * sample_rate)
        start = max(0, (len(samples) - length) // 2)
        evidence, weight, _ = self._listen([(samples[start : start + length], sample_rate)])
        if (weight > 0).sum() < SHORTEST_SECONDS * self._frame_rate:
            return None
        return float((evidence * weight).sum() / weight.sum()) >= self.config.doubt

    def _listen(self, blocks: Iterable[tuple[Samples, int]]) -> tuple[NDArray[np.float64], ...]:
        """Evidence, weight (0 in silence) and level (dB of full scale) of each frame."""
        parts = [self._frames(piece, first, last) for piece, first, last in self._overlapping(blocks)]
        evidence, weight, level = (np.concatenate(each) for each in zip(*parts, strict=True))
        return evidence, weight * audible(level[None], self._frame_rate)[0], level

    def _frames(self, samples: Samples, first: int, last: int) -> tuple[NDArray[np.float64], ...]:
        """Evidence, weight and level of frames first … last of a piece."""
        with torch.inference_mode():
            evidence, weight = self.detector(torch.from_numpy(samples)[None])
        level = frame_levels(samples[None], self.config.frame_length)[0]
        return tuple(x[first:last] for x in (evidence[0].double().numpy(), weight[0].double().numpy(), level))

    def _overlapping(self, blocks: Iterable[tuple[Samples, int]]) -> Iterator[tuple[Samples, int, int]]:
        """Pieces of audio at the detector's rate, and which of their frames are theirs to judge.

        Frames are judged with all that bears on them, so that pieces give what the whole would.
        """
        frame = self.config.frame_length
        edge = -(-self.config.context // frame)  # frames
        wanted = round(BLOCK_SECONDS * self._frame_rate)
        held, before = np.zeros(0, np.float32), 0
        for samples in _resampled(blocks, self.config.sample_rate):
            held = np.concatenate([held, samples])
            while len(held) >= (before + wanted + edge) * frame:
                yield held[: (before + wanted + edge) * frame], before, before + wanted
                held = held[(before + wanted - edge) * frame :]
                before = edge
        if len(held) < frame and before == 0:
            held = np.pad(held, (0, frame - len(held)))
        count = len(held) // frame
        if count > before:
            yield held, before, count

    def _judge(self, frames: tuple[NDArray[np.float64], ...]) -> Detection:
        evidence, weight, level = frames
        heard = weight > 0
        if heard.sum() < SHORTEST_SECONDS * self._frame_rate:
            seconds = heard.sum() / self._frame_rate
            return Detection("inconclusive", None, (), reason=f"there is {seconds:.1f} s of sound; 1 s is needed")
        bars = self._bars(len(evidence) / self._frame_rate)
        scores = [
            _pooled(evidence, weight, window, least=min(window / 4, SHORTEST_SECONDS / 2 * self._frame_rate))
            for window, _ in bars
        ]
        score = float(scores[0].max())
        if any(each.max() >= threshold for each, (_, threshold) in zip(scores, bars, strict=True)):
            return Detection("watermarked", score, self._spans(evidence, weight, scores, bars))
        if score >= bars[0][1] - (self.config.threshold - self.config.doubt):
            return Detection("inconclusive", score, (), reason="there is some evidence of the mark, too little to tell")
        loud, quiet = np.percentile(level, (95, 10))
        if loud - quiet < CLEAR_DB:
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
        self,
        evidence: NDArray[np.float64],
        weight: NDArray[np.float64],
        scores: list[NDArray[np.float64]],
        bars: list[tuple[int, float]],
    ) -> tuple[tuple[float, float], ...]:
        """Stretches of more evidence than not, that lie in a window beyond its threshold."""
        count = len(evidence)
        covered = np.zeros(count + 1)
        for each, (window, threshold) in zip(scores, bars, strict=True):
            for start in np.flatnonzero(each >= threshold):
                covered[start] += 1
                covered[start + window] -= 1
        inside = np.cumsum(covered[:-1]) > 0
        width = min(count, round(SPAN_SECONDS * self._frame_rate))
        local = _pooled(evidence, weight, width, least=0.0)
        local = np.pad(local, ((width - 1) // 2, width - 1 - (width - 1) // 2), mode="edge")
        runs = _runs(inside & (local > 0), round(SPAN_GAP_SECONDS * self._frame_rate))
        return tuple((start / self._frame_rate, end / self._frame_rate) for start, end in runs)

    @property
    def _frame_rate(self) -> float:
        return self.config.sample_rate / self.config.frame_length


def frame_levels(waveform: Samples, frame_length: int) -> NDArray[np.float64]:
    """(B, S) to (B, S // frame_length), dB of full scale."""
    count = waveform.shape[1] // frame_length
    frames = waveform[:, : count * frame_length].reshape(len(waveform), count, frame_length)
    level: NDArray[np.float64] = 10 * np.log10(np.square(frames, dtype=np.float64).mean(axis=2) + 1e-12)
    return level


def audible(level: NDArray[np.float64], frame_rate: float) -> NDArray[np.bool_]:
    """Which frames (B, T) are sound: not silent, and not far below the loudest near them."""
    reach = max(1, round(LOCAL_SECONDS * frame_rate))
    padded = torch.from_numpy(np.ascontiguousarray(level))[:, None]
    loudest = torch.nn.functional.max_pool1d(padded, 2 * reach + 1, 1, reach)[:, 0].numpy()
    return np.asarray((level > loudest + QUIET_DB) & (level > SILENCE_DB))


def _resampled(blocks: Iterable[tuple[Samples, int]], target_rate: int) -> Iterator[Samples]:
    """Blocks at another rate, without seams."""
    stream: soxr.ResampleStream | None = None
    empty = True
    for samples, sample_rate in blocks:
        empty = empty and len(samples) == 0
        if sample_rate == target_rate:
            yield samples
            continue
        if stream is None:
            stream = soxr.ResampleStream(sample_rate, target_rate, 1, dtype="float32", quality="HQ")
        yield stream.resample_chunk(np.ascontiguousarray(samples))
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
    if empty:
        raise AudioError("there are no samples to look for a mark in")


def _pooled(
    evidence: NDArray[np.float64], weight: NDArray[np.float64], window: int, least: float
) -> NDArray[np.float64]:
    """Mean evidence by weight in each window of that many frames; -inf where fewer than `least` are heard."""

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.concatenate([[0.0], np.cumsum(values)])
        each: NDArray[np.float64] = total[window:] - total[:-window]
        return each

    heard = sums((weight > 0).astype(np.float64))
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
