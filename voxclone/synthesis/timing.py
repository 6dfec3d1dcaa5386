"""How many frames each phoneme and each pause of a text lasts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voxclone.errors import ConfigError
from voxclone.synthesis.controls import Controls
from voxclone.text.direction import Gap, Span
from voxclone.text.symbols import SILENCES, VOWELS

if TYPE_CHECKING:
    from voxclone.synthesis.shaping import Draft

STRETCH_LIMIT = 8.0  # how far a duration that is asked for may be from the model's own
_ELASTICITY = {"silence": 1.5, "vowel": 1.1, "consonant": 0.8}  # exponents of the stretch, see `fit`


class Timing:
    """The durations of one text's chunks, after one another: pauses that are asked for, then spans, then the whole.

    Args:
        drafts: The chunks.
        controls: Speed and duration.

    Attributes:
        durations: (N,) int64 frames of each phoneme, 1 or more.
        pauses: (N,) int64 frames of silence after it.

    Raises:
        ConfigError: Something cannot be spoken in the time that is asked for it.
    """

    durations: NDArray[np.int64]
    pauses: NDArray[np.int64]

    def __init__(self, drafts: Sequence[Draft], controls: Controls) -> None:
        self._frame_seconds = drafts[0].prosody.frame_seconds
        self._symbols = [symbol for draft in drafts for symbol in draft.prosody.symbols]
        count = len(self._symbols)
        # Phonemes and pauses in one: a pause follows its phoneme.
        self._frames = np.zeros((count, 2))
        self._frames[:, 0] = np.concatenate([_at_speed(draft, controls.speed) for draft in drafts])
        self._frames[:, 1] = np.concatenate([draft.prosody.pauses for draft in drafts])
        self._free = np.ones((count, 2), bool)
        offsets = np.cumsum([0, *(len(draft.prosody.symbols) for draft in drafts)]).tolist()
        for draft, offset in zip(drafts, offsets, strict=False):
            for gap in draft.direction.gaps:
                seconds = gap.seconds / controls.speed if gap.natural else gap.seconds
                self._pause(gap, seconds, offset, at_end=gap.end == len(draft.prosody.symbols))
        for start, end, seconds in _whole_spans(drafts, offsets):
            self._fit(start, end, round(seconds / self._frame_seconds))
        if controls.duration_seconds is not None:
            self._fit(0, count, round(controls.duration_seconds / self._frame_seconds))
        frames = np.where(self._free, np.rint(self._frames), self._frames).astype(np.int64)
        self.durations, self.pauses = np.maximum(frames[:, 0], 1), frames[:, 1]

    def _pause(self, gap: Gap, seconds: float, offset: int, at_end: bool) -> None:
        """Make a gap last so long, to the frame; where a chunk ends, real silence helps."""
        start, end = offset + gap.start, offset + gap.end
        wanted = max(round(seconds / self._frame_seconds) + gap.frames, end - start)
        own = np.maximum(np.rint(self._frames[start:end, 0]), 1)
        self._free[start:end, 0] = gap.natural
        if not at_end or own.sum() > wanted:
            least = np.ones(end - start, np.int64)
            own = fit(own, np.ones(end - start), least, wanted, self._frame_seconds, math.inf).astype(float)
        self._frames[start:end, 0] = own
        if at_end:
            self._frames[end - 1, 1] = wanted - own.sum()
            self._free[end - 1, 1] = gap.natural

    def _fit(self, start: int, end: int, frames: int) -> None:
        """Make phonemes [start, end) and the pauses between them last so many frames; none of them gives again."""
        within, free = self._frames[start:end], self._free[start:end].copy()
        free[-1, 1] = False
        held = np.where(free, 0, within).sum() - within[-1, 1] * (end < len(self._symbols))
        elasticity = np.full(free.shape, _ELASTICITY["silence"])
        elasticity[:, 0] = [_elasticity(symbol) for symbol in self._symbols[start:end]]
        least = np.zeros(free.shape, np.int64)
        least[:, 0] = 1
        within[free] = fit(
            within[free], elasticity[free], least[free], frames, self._frame_seconds, STRETCH_LIMIT, held=int(held)
        )
        self._free[start:end] &= ~free


def _at_speed(draft: Draft, speed: float) -> NDArray[np.float64]:
    """A chunk's durations at the call's speed and its words' own."""
    if draft.direction.manners:
        return draft.durations / (speed * np.array([manner.speed for manner in draft.direction.manners]))
    return draft.durations / speed


def _whole_spans(drafts: Sequence[Draft], offsets: Sequence[int]) -> list[tuple[int, int, float]]:
    """Start, end and seconds of the stretches that the chunks' spans make, nested ones first.

    Raises:
        ConfigError: One is not there as a whole.
    """
    parts: dict[int, list[tuple[int, int, Span]]] = {}
    for draft, offset in zip(drafts, offsets, strict=False):
        for span in draft.direction.spans:
            parts.setdefault(span.key, []).append((offset + span.start, offset + span.end, span))
    for spans in parts.values():
        if not (spans[0][2].begins and spans[-1][2].ends):
            raise ConfigError("a duration is asked for what goes on through several sentences; speak it in one piece")
    return [(spans[0][0], spans[-1][1], spans[0][2].seconds) for _, spans in sorted(parts.items())]


def fit(
    durations: NDArray[np.float64],
    elasticity: NDArray[np.float64],
    least: NDArray[np.int64],
    frames: int,
    frame_seconds: float,
    limit: float,
    held: int = 0,
) -> NDArray[np.int64]:
    """Stretch durations so that, with those that are held, they sum to exactly so many frames.

    Args:
        durations: (N,) frames and their fractions.
        elasticity: (N,) exponents of the common factor: the larger, the more a duration gives.
        least: (N,) frames that each needs.
        frames: The sum that is asked for.
        frame_seconds: For the error.
        limit: How far the sum may be from the durations' own.
        held: Frames of the sum that do not give.

    Returns:
        (N,) whole frames.

    Raises:
        ConfigError: So many frames are too few, or the stretch is beyond the limit.
    """
    own = float(durations.sum())
    low, high = max(float(least.sum()), own / limit), own * limit
    if not math.ceil(low) <= frames - held <= high:
        bounds = (
            math.ceil(100 * (held + math.ceil(low)) * frame_seconds),
            math.floor(100 * (held + high) * frame_seconds),
        )
        raise ConfigError(
            f"{frames * frame_seconds:.2f} s is asked for what takes {(held + own) * frame_seconds:.2f} s by itself; "
            f"it can be spoken in {bounds[0] / 100:.2f} to {bounds[1] / 100:.2f} s"
        )
    wanted = frames - held
    below, above = -20.0, 20.0  # of the factor's logarithm
    for _ in range(60):
        middle = (below + above) / 2
        total = np.maximum(durations * np.exp(elasticity * middle), least).sum()
        below, above = (middle, above) if total < wanted else (below, middle)
    scaled = np.maximum(durations * np.exp(elasticity * below), least)
    whole = np.floor(scaled).astype(np.int64)
    missing = wanted - int(whole.sum())
    whole[np.argsort(whole - scaled, kind="stable")[:missing]] += 1
    return whole


def _elasticity(symbol: str) -> float:
    if symbol in SILENCES:
        return _ELASTICITY["silence"]
    return _ELASTICITY["vowel" if symbol.lstrip("ˈˌ") in VOWELS else "consonant"]
