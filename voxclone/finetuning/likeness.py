"""Whether fine-tuning helped: how alike to recordings that it did not learn from a clone and the voice speak."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxclone.finetuning.base import BaseModel
from voxclone.finetuning.dataset import SpeakerData
from voxclone.finetuning.selection import embed
from voxclone.safety.verification import SpeakerMatch
from voxclone.speech import Speech
from voxclone.synthesis import VoxClone
from voxclone.synthesis.progress import Stages
from voxclone.voice import Voice

SPOKEN = 6  # sentences, at the least: a single one is as much more or less alike as fine-tuning is worth
LEAST_GAIN = 0.005  # of the cosine, below which its two printed digits may stay


@dataclass(frozen=True)
class Likeness:
    """How alike to the speaker's held-back recordings single sentences are, by the model's own speaker encoder.

    Attributes:
        held_back: How many recordings these are.
        sentences: How many each voice spoke.
        recordings: Mean cosine of the speaker's other recordings to the held-back ones: what could be reached.
        clone: Of what a clone of the same recordings speaks, without fine-tuning.
        fine_tuned: Of what the fine-tuned voice speaks.
        clone_match: As `VoxClone.match_speakers` tells, over all sentences; None where the model has no
            calibrated cohort.
        fine_tuned_match: Likewise.
    """

    held_back: int
    sentences: int
    recordings: float
    clone: float
    fine_tuned: float
    clone_match: SpeakerMatch | None = None
    fine_tuned_match: SpeakerMatch | None = None

    @property
    def raised(self) -> bool:
        """Whether fine-tuning made the voice more alike."""
        return self.fine_tuned - self.clone >= LEAST_GAIN

    def __str__(self) -> str:
        """In one line."""
        told = (
            f"likeness to {_count(self.held_back, 'held-back recording')} (cosine): {self.clone:.2f} cloned, "
            f"{self.fine_tuned:.2f} fine-tuned; the speaker's other recordings {self.recordings:.2f}"
        )
        if self.clone_match is None or self.fine_tuned_match is None:
            return told
        return (
            f"{told}. Score: {self.clone_match.score:.1f} cloned, {self.fine_tuned_match.score:.1f} fine-tuned; "
            f"one speaker from {self.fine_tuned_match.threshold:.1f}"
        )

    @property
    def warning(self) -> str:
        """What to say where it was not raised; empty where it was."""
        if self.raised:
            return ""
        return (
            f"fine-tuning did not make the voice more like its speaker ({self.clone:.2f} cloned, {self.fine_tuned:.2f} "
            f"fine-tuned, by {_count(self.sentences, 'sentence')} of each): listen to both in the report. A clone "
            "(voxclone clone) may serve as well; to gain more, add recordings and run again"
        )

    def numbers(self) -> dict[str, Any]:
        """For report.json."""
        cosines = {"recordings": self.recordings, "clone": self.clone, "fine-tuned": self.fine_tuned}
        found: dict[str, Any] = {"similarity": {kind: round(value, 3) for kind, value in cosines.items()}}
        if self.clone_match is not None and self.fine_tuned_match is not None:
            scores = {"clone": self.clone_match.score, "fine-tuned": self.fine_tuned_match.score}
            found["speaker_score"] = {kind: round(value, 2) for kind, value in scores.items()}
            found["speaker_score"]["threshold"] = round(self.fine_tuned_match.threshold, 2)
        return found | {"likeness_raised": self.raised, "sentences_spoken": self.sentences}


@dataclass(frozen=True, eq=False)
class Spoken:
    """A sentence, as a clone of the recordings and as the fine-tuned voice say it."""

    text: str
    clone: Speech
    fine_tuned: Speech


def speak_both(
    data: SpeakerData, base: BaseModel, model: VoxClone, voice: Voice, prompts: Iterable[str], stages: Stages
) -> list[Spoken]:
    """The held-out sentences, in their order, and of `prompts` as many as make `SPOKEN` of them."""
    measured = data.measured_voice(base)
    clone = dataclasses.replace(
        voice,
        speaker_embedding=measured["speaker_embedding"].numpy(),
        spectrum=measured["spectrum"].numpy(),
        adapter=None,
    )
    texts = [entry.about["text"] for entry in data.held_out]
    texts += [text for text in prompts if text not in texts][: max(0, SPOKEN - len(texts))]
    spoken = stages.through(texts, len(texts), "speaking in both voices")
    return [Spoken(text, model.generate(text, clone), model.generate(text, voice)) for text in spoken]


def measure_likeness(data: SpeakerData, base: BaseModel, model: VoxClone, spoken: Sequence[Spoken]) -> Likeness:
    """By the recordings that were held out, and what was spoken in either voice, at least a sentence."""
    target = _mean([data.embeddings[entry.key] for entry in data.held_out])
    clone, tuned = (
        [embed(base.speaker_encoder, speech.samples, speech.sample_rate) for speech in speeches]
        for speeches in ([each.clone for each in spoken], [each.fine_tuned for each in spoken])
    )
    others = [data.embeddings[entry.key] for entry in data.train]
    near, cloned, own = (float(np.mean(np.stack(vectors) @ target)) for vectors in (others, clone, tuned))
    cohort = base.config.verification
    compared = (clone, tuned) if cohort is not None and cohort.threshold is not None else ()
    matches = (model.match_embeddings(_mean(vectors), target) for vectors in compared)
    return Likeness(len(data.held_out), len(spoken), near, cloned, own, *matches)


def _mean(embeddings: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(D,) of unit length."""
    total = np.sum(embeddings, axis=0)
    return np.asarray(total / np.linalg.norm(total), np.float32)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
