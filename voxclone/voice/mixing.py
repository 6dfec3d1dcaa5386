"""Voices blended into one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from voxclone.errors import VoiceError
from voxclone.sphere import spherical_mean

if TYPE_CHECKING:
    from voxclone.voice.value import Voice


def mixed_fields(weights: Mapping[Voice, float], name: str | None) -> dict[str, Any]:
    """The fields of a mix, by name; arguments and errors as of `Voice.mix`."""
    if not weights:
        raise VoiceError("a mix needs at least one voice")
    for voice, weight in weights.items():
        given: object = weight
        if not (isinstance(given, Real) and math.isfinite(given) and float(given) > 0):
            raise VoiceError(f"the weight of {voice.name!r} is {given!r}; weights must be positive")
    encoders = {voice.encoder_id for voice in weights}
    if len(encoders) > 1:
        raise VoiceError(f"voices of different speaker encoders cannot mix: {', '.join(sorted(encoders))}")
    if tuned := [voice.name for voice in weights if voice.adapter is not None]:
        raise VoiceError(f"{', '.join(tuned)} is fine-tuned, and cannot mix; clone it without fine-tuning for that")
    total = math.fsum(weights.values())
    shares = {voice: weight / total for voice, weight in weights.items()}
    try:
        embedding = spherical_mean(
            np.stack([voice.speaker_embedding for voice in shares]), np.array(list(shares.values()))
        )
    except ValueError as error:
        raise VoiceError("these voices cancel out; change the weights") from error
    return {
        "name": name if name is not None else "+".join(voice.name for voice in weights),
        "speaker_embedding": embedding.astype(np.float32),
        "spectrum": np.sum([share * voice.spectrum for voice, share in shares.items()], axis=0),
        "f0_median": math.exp(math.fsum(share * math.log(voice.f0_median) for voice, share in shares.items())),
        "consents": tuple(dict.fromkeys(consent for voice in weights for consent in voice.consents)),
        "encoder_id": encoders.pop(),
        "f0_spread": _mean_where_known(shares, "f0_spread"),
        "phoneme_seconds": _mean_where_known(shares, "phoneme_seconds"),
    }


def _mean_where_known(shares: Mapping[Voice, float], field: str) -> float | None:
    """Mean of the logarithms; None where a voice does not know it."""
    values = [getattr(voice, field) for voice in shares]
    if any(value is None for value in values):
        return None
    return math.exp(math.fsum(share * math.log(value) for share, value in zip(shares.values(), values, strict=True)))
