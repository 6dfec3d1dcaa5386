"""What of the aligned utterances fits: text and audio agree, and it is one speaker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.audio.resample import resample
from voxclone.errors import VoxcloneError
from voxclone.finetuning.clips import Clip
from voxclone.finetuning.decoys import LEAST_MARGIN
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.safety.consent import Consent
from voxclone.safety.verification import SpeakerMatch, verified_among
from voxclone.synthesis import VoxClone
from voxclone.synthesis.agreement import find_strangers
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.speech_data import fits_monotonic

WRONG_TEXT = "text does not fit"
MOST_WRONG = 0.5  # of the texts, before all are doubted
MIN_FOR_OUTLIERS = 5  # utterances below which nothing can be told from the others
MIN_CONFIDENCE_DROP = 1.5  # nats per frame below the median, at the least, that tell a wrong text
EMBEDDED_SECONDS = 12.0  # of an utterance, the most that its embedding is made of
RMS = 0.07  # of speech at about -23 LUFS
# Of `find_strangers`, stricter than for references: one of many utterances is soon given up (docs/decisions.md).
APART = 1.1
BEHIND = 0.15
DEVIATIONS = 4.0  # robust ones, below which an utterance's confidence is unlike the others'


def embed_utterances(
    encoder: SpeakerEncoder,
    store: FeatureStore,
    entries: Sequence[Entry],
    sample_rate: int,
) -> dict[str, NDArray[np.float32]]:
    """(D,) unit-length speaker embedding of each entry, from its waveform at `sample_rate`."""
    embeddings = {}
    for entry in entries:
        length = min(entry.rows["waveform"][1], int(EMBEDDED_SECONDS * sample_rate))
        embeddings[entry.key] = embed(encoder, store.read(entry, "waveform", 0, length) / 32768, sample_rate)
    return embeddings


@torch.inference_mode()
def embed(encoder: SpeakerEncoder, samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """(D,) unit-length speaker embedding of (S,) samples, whatever their level."""
    level = max(float(np.sqrt(np.mean(np.square(samples)))), 1e-6)
    narrow = resample((samples * (RMS / level)).astype(np.float32), sample_rate, encoder.sample_rate)
    return np.asarray(encoder.embed(torch.from_numpy(narrow)[None])[0].numpy(), np.float32)


def unfit(
    entries: Sequence[Entry],
    confidence: Mapping[str, float],
    margins: Mapping[str, float],
    embeddings: Mapping[str, NDArray[np.float32]],
    same_speaker_threshold: float | None,
) -> dict[str, tuple[str, str]]:
    """Keys of the utterances that should go, with the reason and a detail.

    Args:
        entries: Candidates.
        confidence: Of the alignment, nats per frame; an utterance that has none could not be aligned.
        margins: See `voxclone.finetuning.decoys.text_margins`; of as many utterances as have one.
        embeddings: Speaker embedding of each.
        same_speaker_threshold: The encoder's, see `find_strangers`; None takes all for one speaker's.

    Raises:
        VoxcloneError: So many are of other speakers that it cannot be told whose voice is wanted; or most texts are
            not those of their recordings.
    """
    gone = {
        key: (WRONG_TEXT, f"other texts fit as well: margin {value:.2f}")
        for key, value in margins.items()
        if value < LEAST_MARGIN
    }
    if len(gone) > MOST_WRONG * len(margins):
        raise VoxcloneError(
            f"the texts of {len(gone)} of {len(margins)} recordings fit no better than other texts do, such as that of "
            f"{next(iter(gone))}: has each recording its own text, in the model's language?"
        )
    for entry in entries:
        if not fits_monotonic(entry) or entry.key not in confidence:
            frames, phonemes = entry.rows["mel"][1], entry.rows["phoneme_ids"][1]
            gone[entry.key] = (WRONG_TEXT, f"{phonemes} phonemes in {frames} frames")
    rest = [entry.key for entry in entries if entry.key not in gone]
    if len(rest) < MIN_FOR_OUTLIERS:
        return gone
    values = np.array([confidence[key] for key in rest])
    limit = float(np.median(values)) - max(MIN_CONFIDENCE_DROP, DEVIATIONS * _spread(values))
    for key, value in zip(rest, values, strict=True):
        if value < limit:
            gone[key] = (
                WRONG_TEXT,
                f"confidence {value:.2f} nats/frame; the others have {np.median(values):.2f}",
            )
    rest = [key for key in rest if key not in gone]
    if same_speaker_threshold is not None:
        frames_of = {entry.key: entry.rows["mel"][1] for entry in entries}
        gone |= _other_speakers(rest, embeddings, frames_of, same_speaker_threshold)
    return gone


def _other_speakers(
    keys: Sequence[str],
    embeddings: Mapping[str, NDArray[np.float32]],
    weights: Mapping[str, float],
    same_speaker_threshold: float,
) -> dict[str, tuple[str, str]]:
    """As `unfit` gives them, the utterances of all speakers but the one who has most of them.

    Raises:
        VoxcloneError: Nobody has most of them.
    """
    kept, others = list(keys), dict[str, tuple[str, str]]()
    while True:  # a round sets one other speaker aside
        vectors, counts = np.stack([embeddings[key] for key in kept]), np.array([weights[key] for key in kept])
        found = find_strangers(vectors, counts, same_speaker_threshold, APART, BEHIND)
        if not (found.strangers or found.divided):
            return others
        cosines = {kept[index]: cosine for index, cosine in found.strangers.items()}
        others |= {key: ("another speaker", f"cosine {cosine:.2f} to the others") for key, cosine in cosines.items()}
        kept = [key for key in kept if key not in others]
        if found.divided or len(others) >= len(kept):
            unlike = f"{next(iter(others), kept[0])} does not sound like {kept[-1]}"
            raise VoxcloneError(
                f"the recordings are of several speakers: {unlike}; {len(others)} of {len(keys)} utterances are of "
                "others. Put those of each speaker into a folder of their own, and fine-tune on one"
            )


class VerifiedSpeaker(NamedTuple):
    """Whose consent was verified: an embedding (D,) of unit length, and what it is compared with another by."""

    embedding: NDArray[np.float32]
    match: Callable[[NDArray[np.float32], NDArray[np.float32]], SpeakerMatch]


def verified_speaker(consent: Consent, clips: Sequence[Clip], model: VoxClone) -> VerifiedSpeaker | None:
    """The speaker of a verified record, by those of the recordings that it was verified with; None for a word given.

    Raises:
        ConsentError: It was verified with none of the recordings.
        ModelError: The model cannot tell speakers apart.
        AudioError: One that it was verified with is unfit.
    """
    if consent.level != "verified":
        return None
    model.require_calibrated()
    total = model.embed(verified_among(consent, list(dict.fromkeys(clip.audio for clip in clips)))).sum(axis=0)
    return VerifiedSpeaker(total / np.linalg.norm(total), model.match_embeddings)


def strangers(
    embeddings: Mapping[str, NDArray[np.float32]], verified: VerifiedSpeaker | None
) -> dict[str, tuple[str, str]]:
    """Keys of the utterances of somebody else than the verified speaker, as `unfit` gives them."""
    if verified is None:
        return {}
    matches = {key: verified.match(embedding, verified.embedding) for key, embedding in embeddings.items()}
    return {
        key: ("not the verified speaker", f"score {match.score:.2f} to what consent was verified with")
        for key, match in matches.items()
        if not match
    }


def _spread(values: NDArray[np.floating]) -> float:
    """Standard deviation, estimated from the median distance to the median."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
