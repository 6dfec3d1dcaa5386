"""The one exit: every sample that leaves voxclone leaves through `release`, the only maker of `Speech`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voxclone.errors import ModelError, UnmarkedError
from voxclone.prosody import Prosody
from voxclone.safety import certificate, challenge, detection, fingerprint, inspection, labels, manifest, verification
from voxclone.safety.consent import Consent
from voxclone.safety.provenance import Provenance
from voxclone.safety.validity import require_valid
from voxclone.speech import Segment, Speech
from voxclone.voice import Voice

# The rest of what makes speech accountable: where one of these is missing, nothing speaks.
REQUIRED = (certificate, challenge, detection, fingerprint, inspection, labels, manifest, verification)
EARLIER_SECONDS = 4.0  # of a stream's earlier samples, how many a chunk's mark is looked for in


class Mark(Protocol):
    """A model's watermark, as its detector knows it."""

    @property
    def mark_id(self) -> str:
        """What the watermark is called in provenance."""

    def check_marked(self, samples: NDArray[np.float32], sample_rate: int) -> bool | None:
        """True where (S,) samples carry the mark, False where they do not, None where they are too few to tell."""


@dataclass(frozen=True)
class Origin:
    """What is speaking, for the outlet.

    Attributes:
        model: The model's name.
        model_sha256: See `voxclone.models.identity.model_sha256`.
        sample_rate: Hz.
        mark: Its detector; None where the model has none, whose speech is then not let out.
        unmarked_for_research: Its caller takes speech that nobody can tell from a recording, and was warned.
        uses: What the speech is for besides, of `voxclone.safety.consent.USES`; every speaker must have agreed to it.
    """

    model: str
    model_sha256: str
    sample_rate: int
    mark: Mark | None
    unmarked_for_research: bool = False
    uses: tuple[str, ...] = ()


def release(
    samples: NDArray[np.float32],
    origin: Origin,
    voice: Voice,
    *,
    others: Sequence[Voice] = (),
    words: tuple[Segment, ...],
    phonemes: tuple[Segment, ...],
    mel: NDArray[np.float32],
    f0: NDArray[np.float32] | None = None,
    prosody: Prosody | None = None,
    written: tuple[Segment, ...] = (),
    marks: tuple[Segment, ...] = (),
    earlier: NDArray[np.float32] | None = None,
) -> Speech:
    """Let samples out: check them, look for the mark, attach their provenance.

    Args:
        samples: (S,) in [-1, 1].
        origin: The model that made them.
        voice: Whose voice it is.
        others: Further voices that are heard in it.
        words: See `Speech`.
        phonemes: See `Speech`.
        mel: See `Speech`.
        f0: See `Speech`.
        prosody: See `Speech`.
        written: See `Speech`.
        marks: See `Speech`.
        earlier: For a chunk of a stream, (S,) what was let out before it, at least its last `EARLIER_SECONDS`: a mark
            is not found in a few milliseconds.

    Raises:
        ModelError: There are no samples, or some are not finite or beyond full scale.
        ConsentError: The voice's consent has expired, was revoked, or is not to what the speech is for.
        UnmarkedError: The model has no detector, or its mark is not in the samples.
    """
    voice_id, consents = _speakers((voice, *others))
    require_valid(consents, *origin.uses)
    if samples.ndim != 1 or samples.size == 0:
        raise ModelError(f"the model made samples of shape {samples.shape}; one axis that is not empty is needed")
    if not np.isfinite(samples).all():
        raise ModelError("the model made samples that are not finite; load it with dtype=torch.float32")
    if float(np.abs(samples).max()) > 1.0:
        raise ModelError("the model made samples beyond full scale")
    watermark_id = _require_mark(samples if earlier is None else _joined(earlier, samples, origin), origin)
    provenance = Provenance.of(origin.model, origin.model_sha256, voice_id, consents, watermark_id)
    return Speech(
        np.asarray(samples, np.float32),
        origin.sample_rate,
        words,
        phonemes,
        mel,
        provenance,
        f0,
        prosody,
        written,
        marks,
    )


def _speakers(voices: Sequence[Voice]) -> tuple[str, tuple[Consent, ...]]:
    """The id and the consents of all voices; that of several is of the SHA-256 over their sorted ids, 16 hex digits."""
    if len(voices) == 1:
        return voices[0].voice_id, voices[0].consents
    ids = sorted({voice.voice_id for voice in voices})
    consents = dict.fromkeys(consent for voice in voices for consent in voice.consents)
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16], tuple(consents)


def _joined(earlier: NDArray[np.float32], samples: NDArray[np.float32], origin: Origin) -> NDArray[np.float32]:
    return np.concatenate([earlier[-round(EARLIER_SECONDS * origin.sample_rate) :], samples])


def _require_mark(samples: NDArray[np.float32], origin: Origin) -> str | None:
    """The mark's id; None for research that goes without."""
    if origin.unmarked_for_research:
        return None
    if origin.mark is None:
        raise UnmarkedError(
            f"model {origin.model!r} has no watermark detector: nobody could tell its speech from a recording, and so "
            "it is not let out. Train one into the model (recipes/watermark); or, for experiments whose audio is not "
            "passed on, load the model with unmarked_for_research=True"
        )
    if origin.mark.check_marked(samples, origin.sample_rate) is False:
        raise UnmarkedError(
            f"the speech of model {origin.model!r} does not carry its mark {origin.mark.mark_id!r}, so it is not let "
            "out: its vocoder is not the one that its detector was trained with"
        )
    return origin.mark.mark_id
