"""What a call to generate wants besides text and voice."""

from __future__ import annotations

from dataclasses import dataclass

from voxclone.errors import ConfigError

_RANGES = {"speed": (0.25, 4.0), "pitch": (-24.0, 24.0), "energy": (0.25, 4.0)}


@dataclass(frozen=True)
class Controls:
    """How to speak.

    Attributes:
        speed: 0.25 to 4 times the model's own pace.
        pitch: -24 to 24 semitones above the voice's own.
        energy: 0.25 to 4 times the model's own.
        seed: Varies the delivery; None is the model's plain reading.

    Raises:
        ConfigError: A value is not a finite number within its range, or the seed is no integer from 0 to 2**63 - 1.
    """

    speed: float = 1.0
    pitch: float = 0.0
    energy: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise ConfigError(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}")
        if self.seed is None:
            return
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed is {self.seed!r}; it must be None or an integer from 0 to 2**63 - 1")
