"""Whether a recording is the speaker of a reference, saying a phrase that was drawn for the moment."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from voxclone.audio.io import AudioSource, read_audio
from voxclone.audio.reference import name_of
from voxclone.errors import AudioError, ConsentError
from voxclone.safety.challenge import Challenge, heard_words, phrase_of, vocabulary
from voxclone.safety.evidence import Evidence
from voxclone.safety.fingerprint import pcm_sha256
from voxclone.safety.recogniser import transcribe

if TYPE_CHECKING:
    from voxclone.safety.consent import Consent

COMPETING = 40  # phrases of other words that the spoken one is compared with
MIN_PHRASE_MARGIN = 2.5  # standard deviations; both thresholds: benchmarks/results/consent.json
MIN_WORDS_HEARD = 0.5
DECOYS = 56  # words that the recogniser may hear besides those drawn


@dataclass(frozen=True)
class SpeakerMatch:
    """How much two speakers' recordings are alike. It is true where they count as of one speaker.

    Attributes:
        similarity: Cosine of their speaker embeddings, -1 to 1.
        score: What is decided by: by how many standard deviations the cosine lies above those to the voices that are
            most like either (`voxclone.models.cohort`); the similarity where the model has no such voices.
        threshold: Score that 1 % of pairs of different speakers reach, as measured for the model.
    """

    similarity: float
    score: float
    threshold: float

    @property
    def same_speaker(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    def __bool__(self) -> bool:
        return self.same_speaker


class Model(Protocol):
    """What verification asks of a `VoxClone`."""

    def require_calibrated(self) -> float:
        """The score from which two recordings are of one speaker; an error where it was not measured."""

    def match_speakers(
        self, one: AudioSource | list[AudioSource], other: AudioSource | list[AudioSource]
    ) -> SpeakerMatch:
        """How much two speakers' recordings are alike."""

    def match_texts(self, source: AudioSource, texts: Sequence[str]) -> list[float]:
        """How well each text fits a recording, in nats per frame; -inf where the recording is too short for it."""

    def find_mark(self, source: AudioSource) -> Literal["watermarked", "not_detected", "inconclusive"] | None:
        """Whether a recording carries the model's mark; None where the model has no detector."""


def examine(
    recording: AudioSource, challenge: Challenge, reference: AudioSource | list[AudioSource], model: Model
) -> Evidence:
    """Measure a recording, and refuse it where a check fails.

    Raises:
        ConsentError: See `voxclone.safety.consent.Consent.verify`.
        ModelError: The model cannot tell speakers or texts apart.
        AudioError: Recording or reference cannot be used.
    """
    model.require_calibrated()
    samples, sample_rate = read_audio(recording)
    references = tuple(digests(reference if isinstance(reference, list) else [reference]))
    challenge.use()
    mark = model.find_mark((samples, sample_rate))
    if mark == "watermarked":
        raise ConsentError("the recording carries the mark of synthetic speech: the speaker has to say the phrase")
    margin = phrase_margin(model, (samples, sample_rate), challenge.words)
    if not margin >= MIN_PHRASE_MARGIN:
        raise ConsentError(
            f"the recording does not hold the phrase {challenge.phrase!r}: it fits {margin:.1f} standard deviations "
            f"better than other phrases, {MIN_PHRASE_MARGIN} are needed. Draw a new one and read it word by word"
        )
    heard = words_heard((samples, sample_rate), challenge)
    if heard is not None and heard < MIN_WORDS_HEARD:
        raise ConsentError(
            f"a speech recogniser heard {heard:.0%} of the drawn words in the recording, {MIN_WORDS_HEARD:.0%} are "
            "needed. Draw a new phrase and read it word by word"
        )
    match = model.match_speakers((samples, sample_rate), reference)
    if not match:
        raise ConsentError(
            f"the phrase was said by another speaker than the reference's, as far as can be told: its score is "
            f"{match.score:.2f}, {match.threshold:.2f} is needed. Record it with the reference's microphone, in its "
            "room"
        )
    return Evidence(
        challenge.sha256,
        pcm_sha256(samples),
        round(match.similarity, 4),
        round(margin, 2),
        heard,
        mark is not None,
        references,
        None if match.score == match.similarity else round(match.score, 4),
    )


def digests(recordings: Iterable[AudioSource]) -> list[str]:
    """By which evidence names recordings: see `voxclone.safety.fingerprint.pcm_sha256`."""
    return [pcm_sha256(read_audio(each)[0]) for each in recordings]


def verified_among(consent: Consent, recordings: Sequence[AudioSource]) -> list[AudioSource]:
    """Those of the recordings that a verified record was made with: its references, and the phrase itself.

    Raises:
        ConsentError: There is none that can be read.
    """
    evidence = consent.evidence
    known = set() if evidence is None else {evidence.recording_sha256, *evidence.reference_sha256}
    found = []
    for each in recordings:
        with contextlib.suppress(AudioError):  # of what else there may be, which is for others to judge
            found += [each] if known.intersection(digests([each])) else []
    if not found:
        raise ConsentError(
            f"the consent of {consent.speaker!r} was verified with other recordings than these: give one of those as "
            "well, or verify it anew with these as its reference"
        )
    return found


def require_verified(consent: Consent, recordings: Sequence[AudioSource], model: Model) -> None:
    """Refuse recordings of somebody else than the speaker whose consent was verified; a word given covers any.

    Raises:
        ConsentError: None of the recordings is one that the record was made with, or another one sounds like somebody
            else than these.
        ModelError: The model cannot tell speakers apart.
        AudioError: A recording is unreadable or unfit.
    """
    if consent.level != "verified":
        return
    known = verified_among(consent, recordings)
    for each in recordings:
        if any(each is one for one in known):
            continue
        match = model.match_speakers(each, known)
        if not match:
            raise ConsentError(
                f"{name_of(each) or 'a recording'} does not sound like the speaker whose consent was verified "
                f"(score {match.score:.2f}, {match.threshold:.2f} is needed): leave it out, or verify with it as well"
            )


def phrase_margin(model: Model, source: AudioSource, words: tuple[str, ...]) -> float:
    """By how many of their standard deviations the words' phrase fits better than the mean of competing phrases."""
    draw = random.Random(" ".join(words))  # the same for a phrase every time
    others = [word for word in vocabulary() if word not in words]
    return margin_over(
        model, source, phrase_of(words), [phrase_of(tuple(draw.sample(others, len(words)))) for _ in range(COMPETING)]
    )


def margin_over(model: Model, source: AudioSource, text: str, competing: Sequence[str]) -> float:
    """By how many of their standard deviations a text fits better than the mean of others; 0 where none can be told."""
    own, *rest = model.match_texts(source, [text, *competing])
    fits = np.array([fit for fit in rest if np.isfinite(fit)])
    if not np.isfinite(own) or len(fits) < len(competing) / 2:
        return 0.0  # the recording is too short
    return float((own - fits.mean()) / max(float(fits.std()), 1e-6))


def words_heard(source: tuple[np.ndarray, int], challenge: Challenge) -> float | None:
    """Share of the drawn words that a recogniser hears; None where none is installed."""
    others = [word for word in vocabulary() if word not in challenge.words]
    decoys = random.Random(challenge.sha256).sample(others, DECOYS)
    transcript = transcribe(*source, sorted((*challenge.words, *decoys)))
    return None if transcript is None else heard_words(transcript, challenge.words)
