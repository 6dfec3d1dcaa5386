"""What was measured when a consent was verified; it is part of the record."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voxclone.errors import ConsentError

MAX_REFERENCES = 500


@dataclass(frozen=True)
class Evidence:
    """What `Consent.verify` measured.

    Attributes:
        phrase_sha256: Of the challenge's phrase.
        recording_sha256: Of the recording's samples as 16-bit integers: to know it again, without keeping it.
        similarity: Cosine of the speaker embeddings of recording and reference.
        phrase_margin: By how many standard deviations the phrase fits better than others of its kind.
        words_heard: Share of the phrase's drawn words that a speech recogniser heard; None where none was used.
        mark_checked: Whether the recording was searched for the model's own mark.
        reference_sha256: Of each reference's samples, as of the recording's: what the record clones. Records made
            before this was noted have none, and clone nothing.
        speaker_score: `SpeakerMatch.score`, by which the speaker was told; None where that was the similarity.
    """

    phrase_sha256: str
    recording_sha256: str
    similarity: float
    phrase_margin: float
    words_heard: float | None
    mark_checked: bool
    reference_sha256: tuple[str, ...] = ()
    speaker_score: float | None = None

    def __post_init__(self) -> None:
        references = self.reference_sha256
        if not isinstance(references, tuple) or len(references) > MAX_REFERENCES:
            raise ConsentError(f"consent evidence reference_sha256 must be a list of at most {MAX_REFERENCES}")
        digests = [("phrase_sha256", self.phrase_sha256), ("recording_sha256", self.recording_sha256)]
        for name, value in (*digests, *(("reference_sha256", each) for each in references)):
            if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
                raise ConsentError(f"consent evidence {name} is {value!r:.80}; it must be a SHA-256, 64 hex digits")
        for name in ("similarity", "phrase_margin", "words_heard", "speaker_score"):
            number = getattr(self, name)
            if number is None and name in ("words_heard", "speaker_score"):
                continue
            if (
                isinstance(number, bool)
                or not isinstance(number, (int, float))
                or number != number
                or abs(number) > 1e6
            ):
                raise ConsentError(f"consent evidence {name} is {number!r:.80}; it must be a number")
        if not isinstance(self.mark_checked, bool):
            raise ConsentError("consent evidence mark_checked must be true or false")
