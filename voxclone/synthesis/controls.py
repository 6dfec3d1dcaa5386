"""What a call to generate wants besides text and voice."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np

from voxclone.errors import ConfigError
from voxclone.text import script

RANGES = {"speed": script.SPEED, "pitch": script.PITCH, "pitch_range": script.PITCH_RANGE, "energy": script.ENERGY}
MAX_DURATION_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Controls:
    """How to speak.

    Attributes:
        speed: 0.25 to 4 times the model's own pace.
        pitch: -24 to 24 semitones above the voice's own.
        pitch_range: 0 to 4 times the model's own movement of the pitch; 0 is monotone.
        energy: Amplitude, 0.25 to 4 times the model's own, laid on the samples.
        seed: Varies the delivery; None is the model's plain reading.
        duration_seconds: What the speech as a whole must last, silences included; None lets it take its time.

    Raises:
        ConfigError: A value is not a finite number within its range, or the seed is no integer from 0 to 2**63 - 1.
    """

    speed: float = 1.0
    pitch: float = 0.0
    pitch_range: float = 1.0
    energy: float = 1.0
    seed: int | None = None
    duration_seconds: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            object.__setattr__(self, name, check_number(name, getattr(self, name), low, high))
        if self.duration_seconds is not None:
            seconds = check_number("duration_seconds", self.duration_seconds, 0.0, MAX_DURATION_SECONDS)
            object.__setattr__(self, "duration_seconds", seconds)
        if self.seed is None:
            return
        seed: object = self.seed
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= int(seed) < 2**63:
            raise ConfigError(f"seed is {seed!r}; it must be None or an integer from 0 to 2**63 - 1")
        object.__setattr__(self, "seed", int(seed))


def check_number(name: str, value: object, low: float, high: float) -> float:
    """A number within [low, high], of Python or NumPy, as Python's.

    Raises:
        ConfigError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
        raise ConfigError(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}")
    return float(value)
