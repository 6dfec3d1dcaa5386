"""What a reference recording is like, how much it counts for a voice, and how to record a better one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxclone.audio.reference import MAX_CLIPPED_FRACTION, Reference

GOOD_SPEECH_SECONDS = 5.0  # in all
GOOD_SNR_DB = 20.0
GOOD_BANDWIDTH_HZ = 7000.0
GOOD_CLIPPED_FRACTION = 0.0005
HALF_SNR_DB = 10.0  # at which a recording counts half


@dataclass(frozen=True)
class RecordingQuality:
    """What was found of one recording that a voice was cloned from.

    Attributes:
        name: The file's name; "recording 2" for what has none.
        speech_seconds: Speech in it, of the at most 30 s that are used.
        snr_db: Level of the speech over that of the pauses, an estimate of at most 100.
        bandwidth_hz: Highest frequency with content, an estimate to 250 Hz.
        clipped_fraction: Share of samples that stand at the ceiling in runs, 0 to 1.
        share: Its part in the voice, 0 to 1; those of all recordings make 1.
        doubt: Why it may be no recording of the speaker; empty where nothing speaks against it.
        left_out: Why it has no part in the voice; empty where it has.
    """

    name: str
    speech_seconds: float = 0.0
    snr_db: float = 0.0
    bandwidth_hz: float = 0.0
    clipped_fraction: float = 0.0
    share: float = 0.0
    doubt: str = ""
    left_out: str = ""

    @classmethod
    def of(cls, reference: Reference) -> RecordingQuality:
        """What was measured of it, without a share yet."""
        fields = ("name", "speech_seconds", "snr_db", "bandwidth_hz", "clipped_fraction")
        return cls(**{field: getattr(reference, field) for field in fields})

    @property
    def weight(self) -> float:
        """Seconds of speech, less for noise, a narrow band and clipping: what its share is in proportion to."""
        clean = 1 / (1 + 10 ** ((HALF_SNR_DB - self.snr_db) / 10))
        band = min(1.0, self.bandwidth_hz / GOOD_BANDWIDTH_HZ)
        unclipped = 1 - 0.5 * min(1.0, self.clipped_fraction / MAX_CLIPPED_FRACTION)
        return self.speech_seconds * clean * band * unclipped

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do for a better recording, one sentence for each fault; none where there is none."""
        if self.left_out:
            return ()
        found = []
        if self.snr_db < GOOD_SNR_DB:
            found.append(
                f"the speech is only {self.snr_db:.0f} dB above the noise ({GOOD_SNR_DB:.0f} dB is good): record in a "
                "quiet room, closer to the microphone"
            )
        if self.bandwidth_hz < GOOD_BANDWIDTH_HZ:
            found.append(
                f"there is nothing above {self.bandwidth_hz / 1000:.1f} kHz ({GOOD_BANDWIDTH_HZ / 1000:.0f} kHz is "
                "good), as after a telephone or strong compression: use the original, at 16 kHz or more"
            )
        if self.clipped_fraction > GOOD_CLIPPED_FRACTION:
            found.append(f"{self.clipped_fraction:.2%} of it are clipped: record with a lower input gain")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """All of it, and the advice, as JSON values."""
        return {**dataclasses.asdict(self), "advice": list(self.advice)}

    def __str__(self) -> str:
        if self.left_out:
            return f"{self.name}: left out: {self.left_out}"
        clipped = f"{self.clipped_fraction:.2%} clipped" if self.clipped_fraction >= 5e-5 else "not clipped"
        return (
            f"{self.name}: {self.speech_seconds:.1f} s of speech, SNR {self.snr_db:.0f} dB, up to "
            f"{self.bandwidth_hz / 1000:.1f} kHz, {clipped}, {self.share:.0%} of the voice"
        )


def advice_on(recordings: Sequence[RecordingQuality]) -> tuple[str, ...]:
    """What would make a voice of these recordings better, the most helpful first; nothing where nothing is wrong."""
    used = [each for each in recordings if not each.left_out]
    seconds = sum(each.speech_seconds for each in used)
    found = [f"{each.name}: {sentence}" for each in used for sentence in each.advice]
    if seconds < GOOD_SPEECH_SECONDS:
        found.insert(
            0,
            f"there are {seconds:.1f} s of speech in all; {GOOD_SPEECH_SECONDS:.0f} to 30 s are nearer to the speaker",
        )
    return tuple(found)
