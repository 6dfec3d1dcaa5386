"""Speech that fits given times, such as those of subtitles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from voxclone.errors import ConfigError
from voxclone.prosody import Prosody
from voxclone.speech import Segment
from voxclone.synthesis.controls import check_number
from voxclone.synthesis.request import Request
from voxclone.synthesis.shaping import Draft, shape, with_pauses
from voxclone.text.phonemes import Phonemes

MAX_DUB_SECONDS = 6 * 3600.0  # that one call holds in memory


@dataclass(frozen=True)
class Cue:
    """A text that was read, and when it is to be spoken."""

    segment: Segment
    chunks: Sequence[Phonemes]


@dataclass(frozen=True)
class Dubbing(Request):
    """Texts that are each spoken within a given time, and silence in between.

    Attributes:
        cues: In order, none into the next; `chunks` are all of theirs.
        slowest: How many times its own duration a text is stretched at most to fill its time.
    """

    cues: Sequence[Cue] = ()
    slowest: float = 1.0

    def shape(self, drafts: Sequence[Draft]) -> list[Prosody]:
        """The chunks' prosody: each cue begins at its time, to half a frame, and ends with it or before.

        Raises:
            ConfigError: A cue cannot be spoken in its time: says which.
        """
        frame_seconds = drafts[0].prosody.frame_seconds
        prosodies: list[Prosody] = []
        at = now = 0  # chunk; frame
        for cue in self.cues:
            own = with_pauses(drafts[at : at + len(cue.chunks)], [chunk.pause_seconds for chunk in cue.chunks])
            at += len(cue.chunks)
            times = (cue.segment.start_seconds, cue.segment.end_seconds)
            start, end = (round(seconds / frame_seconds) for seconds in times)
            parts = self._fitted(cue, own, end - start)
            length = sum(int(part.durations.sum() + part.pauses.sum()) for part in parts)
            if prosodies:
                prosodies[-1].pauses[-1] += start - now
            else:
                parts[0].durations[0] += start
            prosodies += parts
            now = start + length
        return prosodies

    def _fitted(self, cue: Cue, drafts: Sequence[Draft], frames: int) -> list[Prosody]:
        natural = shape(drafts, self.controls)
        seconds = sum(part.duration_seconds for part in natural)
        wanted = min(frames * natural[0].frame_seconds, seconds * self.slowest)
        if abs(wanted - seconds) < natural[0].frame_seconds / 2:
            return natural
        try:
            return shape(drafts, dataclasses.replace(self.controls, duration_seconds=wanted))
        except ConfigError as error:
            raise ConfigError(f"{cue_name(cue.segment)}: {error}") from error


def cue_name(cue: Segment) -> str:
    """A cue as errors name it."""
    return f"the subtitle at {cue.start_seconds:.3f} to {cue.end_seconds:.3f} s, {cue.text[:40]!r}"


def check_times(cues: Sequence[Segment]) -> None:
    """Refuse cues that are none, out of order, overlap, or end after `MAX_DUB_SECONDS`.

    Raises:
        ConfigError: There is none, or one is.
    """
    if not cues:
        raise ConfigError("there is no subtitle to speak")
    done = 0.0
    for number, cue in enumerate(cues, start=1):
        if not isinstance(cue, Segment) or not isinstance(cue.text, str):
            raise ConfigError(
                f"subtitle {number} is {cue!r}; each must be a voxclone.Segment of text, start_seconds and end_seconds"
            )
        for end in ("start_seconds", "end_seconds"):
            check_number(f"{end} of subtitle {number}", getattr(cue, end), 0.0, MAX_DUB_SECONDS)
        if not done <= cue.start_seconds < cue.end_seconds:
            raise ConfigError(
                f"{cue_name(cue)}, must begin at or after {done:.3f} s, where the one before ends, and end later than "
                "it begins"
            )
        done = cue.end_seconds
