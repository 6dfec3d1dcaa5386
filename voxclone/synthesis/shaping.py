"""From how the model would speak to how it was asked to: the controls' arithmetic, on the prosody of one text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxclone.errors import ConfigError
from voxclone.prosody import Prosody
from voxclone.synthesis.controls import Controls
from voxclone.text.symbols import SILENCES, VOWELS

STRETCH_LIMIT = 8.0  # how far a duration that is asked for may be from the model's own
_ELASTICITY = {"silence": 1.5, "vowel": 1.1, "consonant": 0.8}  # who gives first when speech must fit a time


@dataclass(frozen=True)
class Draft:
    """A chunk as the model would speak it; its durations also before they are rounded."""

    prosody: Prosody
    durations: NDArray[np.float64]


def shape(drafts: Sequence[Draft], controls: Controls) -> list[Prosody]:
    """One text's chunks as the controls want them.

    Raises:
        ConfigError: It cannot be spoken in the time that is asked for.
    """
    expressed = [express(draft.prosody, controls) for draft in drafts]
    durations = [draft.durations / controls.speed for draft in drafts]
    pauses = [part.pauses.astype(np.float64) for part in expressed]
    if controls.duration_seconds is None:
        return [
            dataclasses.replace(part, durations=_whole(own)) for part, own in zip(expressed, durations, strict=True)
        ]
    frames = round(controls.duration_seconds / expressed[0].frame_seconds)
    symbols = [symbol for part in expressed for symbol in part.symbols]
    elasticity = np.array([_elasticity(symbol) for symbol in symbols])
    fitted = fit(
        np.concatenate([*durations, *pauses]),
        np.concatenate([elasticity, np.full(len(symbols), _ELASTICITY["silence"])]),
        np.repeat([1, 0], len(symbols)),
        frames,
        expressed[0].frame_seconds,
    )
    edges = np.cumsum([len(part.symbols) for part in expressed])[:-1]
    shares = zip(expressed, *(np.split(half, edges) for half in np.split(fitted, 2)), strict=True)
    return [dataclasses.replace(part, durations=own, pauses=pause) for part, own, pause in shares]


def with_pauses(drafts: Sequence[Draft], pauses: Sequence[float]) -> list[Draft]:
    """A text's chunks, each but the last with a pause of so many seconds after it, to the nearest frame."""
    for draft, seconds in list(zip(drafts, pauses, strict=True))[:-1]:
        draft.prosody.pauses[-1] = round(seconds / draft.prosody.frame_seconds)
    return list(drafts)


def express(prosody: Prosody, controls: Controls) -> Prosody:
    """Pitch, pitch range and energy; durations stay. What is not asked for is left bit for bit."""
    f0, energy, movement = prosody.f0, prosody.energy, prosody.movement
    if controls.pitch_range != 1.0 and (centre := prosody.median_f0):
        f0 = np.where(f0 > 0, centre * (f0 / centre) ** controls.pitch_range, 0)
        movement = movement * controls.pitch_range
    if controls.pitch != 0.0:
        f0 = f0 * 2.0 ** (controls.pitch / 12)
    if controls.energy != 1.0:
        energy = energy + 20 * math.log10(controls.energy)
    f0, energy, movement = (np.asarray(values, np.float32) for values in (f0, energy, movement))
    return dataclasses.replace(prosody, f0=f0, energy=energy, movement=movement)


def fit(
    durations: NDArray[np.float64],
    elasticity: NDArray[np.float64],
    least: NDArray[np.int64],
    frames: int,
    frame_seconds: float,
) -> NDArray[np.int64]:
    """Stretch durations so that they sum to exactly so many frames.

    Args:
        durations: (N,) frames and their fractions.
        elasticity: (N,) exponents of the common factor: the larger, the more a duration gives.
        least: (N,) frames that each needs.
        frames: The sum that is asked for.
        frame_seconds: For the error.

    Returns:
        (N,) whole frames.

    Raises:
        ConfigError: So many frames are too few, or the stretch is beyond `STRETCH_LIMIT`.
    """
    own = float(durations.sum())
    low, high = max(float(least.sum()), own / STRETCH_LIMIT), own * STRETCH_LIMIT
    if not math.ceil(low) <= frames <= high:
        raise ConfigError(
            f"{frames * frame_seconds:.2f} s is asked for what takes {own * frame_seconds:.2f} s by itself; "
            f"it can be spoken in {math.ceil(100 * math.ceil(low) * frame_seconds) / 100:.2f} to "
            f"{math.floor(100 * high * frame_seconds) / 100:.2f} s"
        )
    below, above = -20.0, 20.0  # of the factor's logarithm
    for _ in range(60):
        middle = (below + above) / 2
        total = np.maximum(durations * np.exp(elasticity * middle), least).sum()
        below, above = (middle, above) if total < frames else (below, middle)
    scaled = np.maximum(durations * np.exp(elasticity * below), least)
    whole = np.floor(scaled).astype(np.int64)
    missing = frames - int(whole.sum())
    whole[np.argsort(whole - scaled, kind="stable")[:missing]] += 1
    return whole


def _whole(durations: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.maximum(np.rint(durations), 1).astype(np.int64)


def _elasticity(symbol: str) -> float:
    if symbol in SILENCES:
        return _ELASTICITY["silence"]
    return _ELASTICITY["vowel" if symbol.lstrip("ˈˌ") in VOWELS else "consonant"]
