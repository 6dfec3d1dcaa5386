"""What a detector hears in audio of any length: evidence frame by frame, at the file's speed and at others.

A detector knows its mark at the speed at which it was made. Speech that was played faster or slower since, or whose
pitch was changed, is known again once that is undone, so each of a model's `speeds` is tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from voxclone.errors import AudioError
from voxclone.safety.ear import Ear

Samples = NDArray[np.float32]
Singles = NDArray[np.float32]  # what there is much of
Floats = NDArray[np.float64]

BLOCK_SECONDS = 10.0  # judged at once
STRETCH_BLOCKS = 4  # of a long file, of which one is searched for the speed
WHOLE_STRETCHES = 2  # from the start of any file, whose every block is
LOCAL_SECONDS = 1.0  # on either side, in which a frame is compared with the loudest
QUIET_DB = -45.0  # a frame this far below the loudest near it counts as silence
SILENCE_DB = -70.0  # of full scale: below it, any frame does


@dataclass(frozen=True)
class Heard:
    """What a detector says of each frame of the audio, at each of K speeds.

    Attributes:
        evidence: (K, T) log odds that the frame carries the mark.
        weight: (K, T) its weight in a mean; 0 in silence, and where a speed was not tried.
        level: (T,) dB of full scale.
    """

    evidence: Singles
    weight: Singles
    level: Floats


class Hearing:
    """A detector, and the speeds at which it listens.

    Args:
        ear: The trained detector.
        speeds: How many times as fast as it was made audio may be played; the first is 1.
    """

    def __init__(self, ear: Ear, speeds: Sequence[float]) -> None:
        self.ear, self.speeds = ear, tuple(speeds)
        config = ear.config
        self._frame, self._rate = config.frame_length, config.sample_rate
        self.frame_rate = config.sample_rate / config.frame_length
        self._edge = 1 + -(-round(config.context / min(self.speeds)) // self._frame)  # frames that bear on one

    def listen(self, blocks: Iterable[tuple[Samples, int]], promising: Callable[[Heard], Iterable[int]]) -> Heard:
        """Hear audio in blocks (samples (S,), sample rate in Hz), the rate alike for all.

        The first `WHOLE_STRETCHES` are heard at every speed. Of each later one a single block is, the others as they
        are and at those of the speeds that are `promising` in that block or were in the one before.

        Raises:
            AudioError: There are no samples.
        """
        everything = range(len(self.speeds))
        heard: list[Heard] = []
        before: set[int] = set()
        for index, (piece, spans) in enumerate(self._stretches(blocks)):
            chosen = [set(everything)] * len(spans)
            probe = len(spans) // 2
            searched = self._judge(piece, *spans[probe], everything)
            if index >= WHOLE_STRETCHES:
                found = set(promising(self._silenced([searched])))
                chosen = [{0} | found | before] * len(spans)
                before = found
            heard += [
                searched if each == probe else self._judge(piece, *span, chosen[each])
                for each, span in enumerate(spans)
            ]
        return self._silenced(heard)

    def _judge(self, piece: Samples, first: int, last: int, tried: Iterable[int]) -> Heard:
        """Hear frames first … last of a piece, which are of at most `BLOCK_SECONDS`."""
        start = max(0, first - self._edge)
        samples = piece[start * self._frame : (last + self._edge) * self._frame]
        evidence, weight = np.zeros((2, len(self.speeds), last - first), np.float32)
        middles = (np.arange(first, last) - start + 0.5) * self._frame  # of the frames, in samples
        for index in tried:
            speed = self.speeds[index]
            judged = self.ear(at_speed(samples, speed))
            places = np.minimum(middles * speed // self._frame, len(judged[0]) - 1).astype(int)
            evidence[index], weight[index] = (each[places] for each in judged)
        level = frame_levels(piece[None, first * self._frame : last * self._frame], self._frame)[0]
        return Heard(evidence, weight, level)

    def _silenced(self, parts: Sequence[Heard]) -> Heard:
        """The parts in a row, with no weight where they are silent."""
        level = np.concatenate([part.level for part in parts])
        evidence = np.concatenate([part.evidence for part in parts], 1)
        weight = np.concatenate([part.weight for part in parts], 1) * audible(level[None], self.frame_rate)
        return Heard(evidence, weight, level)

    def _stretches(self, blocks: Iterable[tuple[Samples, int]]) -> Iterator[tuple[Samples, list[tuple[int, int]]]]:
        """Pieces of audio at the detector's rate, and spans of their frames that are theirs to judge.

        Frames are judged with all that bears on them, so that pieces give what the whole would.
        """
        frame, edge = self._frame, self._edge
        block = round(BLOCK_SECONDS * self.frame_rate)
        wanted = STRETCH_BLOCKS * block
        held, before = np.zeros(0, np.float32), 0

        def spans(last: int) -> list[tuple[int, int]]:
            return [(first, min(last, first + block)) for first in range(before, last, block)]

        for samples in resampled(blocks, self._rate):
            held = np.concatenate([held, samples])
            while len(held) >= (before + wanted + edge) * frame:
                yield held[: (before + wanted + edge) * frame], spans(before + wanted)
                held = held[(before + wanted - edge) * frame :]
                before = edge
        shortest = math.ceil(frame / min(self.speeds)) + 1  # at every speed one frame
        if len(held) < shortest and before == 0:
            held = np.pad(held, (0, shortest - len(held)))
        if len(held) // frame > before:
            yield held, spans(len(held) // frame)


def at_speed(samples: Samples, speed: float) -> Samples:
    """What was played `speed` times as fast as it was made, as it was made: (..., S) to (..., about S * speed)."""
    if speed == 1:
        return samples
    slowed: Samples = soxr.resample(samples.T, 1.0, speed, quality="HQ").T
    return np.ascontiguousarray(slowed)


def frame_levels(waveform: Samples, frame_length: int) -> Floats:
    """(B, S) to (B, S // frame_length), dB of full scale."""
    count = waveform.shape[1] // frame_length
    frames = waveform[:, : count * frame_length].reshape(len(waveform), count, frame_length)
    level: Floats = 10 * np.log10(np.square(frames, dtype=np.float64).mean(axis=2) + 1e-12)
    return level


def audible(level: Floats, frame_rate: float) -> NDArray[np.bool_]:
    """Which frames (B, T) are sound: not silent, and not far below the loudest near them."""
    reach = max(1, round(LOCAL_SECONDS * frame_rate))
    loudest = maximum_filter1d(level, 2 * reach + 1, axis=1, mode="nearest")
    return np.asarray((level > loudest + QUIET_DB) & (level > SILENCE_DB))


def resampled(blocks: Iterable[tuple[Samples, int]], target_rate: int) -> Iterator[Samples]:
    """Blocks at another rate, without seams.

    Raises:
        AudioError: There are no samples in all of them.
    """
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
