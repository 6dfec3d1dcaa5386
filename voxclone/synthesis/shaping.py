"""From how the model would speak to how it was asked to: the controls' arithmetic, on the prosody of one text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxclone.prosody import Prosody
from voxclone.synthesis.controls import Controls
from voxclone.synthesis.timing import Timing
from voxclone.text.direction import UNDIRECTED, Direction, Gap
from voxclone.text.script import PLAIN, Manner


@dataclass(frozen=True)
class Draft:
    """A chunk as the model would speak it; its durations also before they are rounded, and what markup asks of it."""

    prosody: Prosody
    durations: NDArray[np.float64]
    direction: Direction = UNDIRECTED


def shape(drafts: Sequence[Draft], controls: Controls) -> list[Prosody]:
    """One text's chunks as the controls and their directions want them.

    Raises:
        ConfigError: It cannot be spoken in the time that is asked for.
    """
    expressed = [
        _hushed(express(draft.prosody, controls, draft.direction.manners), draft.direction.gaps) for draft in drafts
    ]
    timed = Timing(drafts, controls)
    edges = np.cumsum([len(part.symbols) for part in expressed])[:-1]
    shares = zip(expressed, np.split(timed.durations, edges), np.split(timed.pauses, edges), strict=True)
    return [dataclasses.replace(part, durations=own, pauses=pauses) for part, own, pauses in shares]


def _hushed(prosody: Prosody, gaps: Sequence[Gap]) -> Prosody:
    """Without a voice in the pauses that are asked for; the model may have expected to speak on."""
    if not gaps:
        return prosody
    within = np.zeros(len(prosody.symbols), bool)
    for gap in gaps:
        within[gap.start : gap.end] = True
    return dataclasses.replace(
        prosody,
        f0=np.where(within, np.float32(0), prosody.f0),
        voicing=np.where(within, np.float32(0), prosody.voicing),
        energy=np.where(within, prosody.energy.min(), prosody.energy),
    )


def with_pauses(drafts: Sequence[Draft], pauses: Sequence[float]) -> list[Draft]:
    """A text's chunks, each but the last with a pause of so many seconds after it, to the nearest frame."""
    for draft, seconds in list(zip(drafts, pauses, strict=True))[:-1]:
        draft.prosody.pauses[-1] = round(seconds / draft.prosody.frame_seconds)
    return list(drafts)


def express(prosody: Prosody, controls: Controls, manners: Sequence[Manner] = ()) -> Prosody:
    """Pitch, pitch range and energy; durations stay. What is not asked for is left bit for bit.

    Args:
        prosody: As it is.
        controls: For all phonemes.
        manners: For each phoneme, on top; empty for none.
    """
    own = np.array(manners or [PLAIN] * len(prosody.symbols))
    pitch_range, energy_factor = controls.pitch_range * own[:, 2], controls.energy * own[:, 3]
    semitones = controls.pitch + own[:, 1]
    f0: NDArray[np.floating] = prosody.f0
    gain: NDArray[np.floating] = prosody.gain
    movement: NDArray[np.floating] = prosody.movement
    if (pitch_range != 1.0).any() and (centre := prosody.median_f0):
        f0 = np.where(f0 > 0, centre * (np.maximum(f0, 1) / centre) ** pitch_range, 0)
        movement = movement * pitch_range
    if semitones.any():
        f0 = f0 * 2.0 ** (semitones / 12)
    if (energy_factor != 1.0).any():
        gain = gain + 20 * np.log10(energy_factor)
    return dataclasses.replace(
        prosody,
        f0=np.asarray(f0, np.float32),
        gain=np.asarray(gain, np.float32),
        movement=np.asarray(movement, np.float32),
    )
