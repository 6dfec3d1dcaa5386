"""A voice as a value: what a speaker sounds like, and the consent to sound so."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxclone import hub
from voxclone.audio.quality import RecordingQuality
from voxclone.errors import VoiceError
from voxclone.models.adapter import Adapter
from voxclone.safety.consent import Consent
from voxclone.safety.validity import require_valid
from voxclone.voice.file import known_manner, metadata_of, read_voice, write_voice
from voxclone.voice.mixing import mixed_fields

MAX_NAME = 200  # characters
UNIT_TOLERANCE = 1e-3  # how far from 1 the embedding's length may be


@dataclass(frozen=True, eq=False)
class Voice:
    """One speaker, or a mix of several; immutable, hashable, equal where every field is.

    Attributes:
        name: What to call it.
        speaker_embedding: (D,) float32, unit length, read-only.
        spectrum: (n_mels,) float32 mean natural-log mel of the reference's voiced frames, read-only.
        f0_median: Hz, over the voiced frames of the reference.
        consents: The consent of every speaker in it: one for a clone, all of theirs for a mix.
        encoder_id: The speaker encoder that made the embedding; only models with this encoder can speak it.
        adapter: What fine-tuning on the speaker changed, so that only the model it was done on can speak the voice;
            None for a clone.
        recordings: What `VoxClone.clone` found of each recording; neither saved nor compared.
        f0_spread: How widely the reference's melody moves, in octaves; None if not known, and then typical.
        phoneme_seconds: Mean duration of a phoneme in the reference, as the model heard it; None if not known.

    Raises:
        VoiceError: A field is empty, embedding or spectrum is not finite, the embedding is not of unit length,
            a measure is not positive, or no consent is there.
    """

    name: str
    speaker_embedding: NDArray[np.float32]
    spectrum: NDArray[np.float32]
    f0_median: float
    consents: tuple[Consent, ...]
    encoder_id: str
    adapter: Adapter | None = None
    recordings: tuple[RecordingQuality, ...] = ()
    f0_spread: float | None = None
    phoneme_seconds: float | None = None

    def __post_init__(self) -> None:
        for field, what in (("speaker_embedding", "speaker embedding"), ("spectrum", "spectrum")):
            vector = np.asarray(getattr(self, field), dtype=np.float32)
            if vector.ndim != 1 or vector.size == 0:
                raise VoiceError(f"the {what} has shape {vector.shape}; it must have one axis, and not be empty")
            if not np.isfinite(vector).all():
                raise VoiceError(f"the {what} holds values that are not finite")
            # An array over bytes cannot be made writable again.
            object.__setattr__(self, field, np.frombuffer(vector.tobytes(), dtype=np.float32))
        length = float(np.linalg.norm(self.speaker_embedding))
        if abs(length - 1.0) > UNIT_TOLERANCE:
            raise VoiceError(f"the speaker embedding has length {length:.4f}; it must be 1")
        if not (math.isfinite(self.f0_median) and self.f0_median > 0):
            raise VoiceError(f"f0_median is {self.f0_median!r}; it must be a positive number of Hz")
        for field, known in known_manner(self).items():
            if not (math.isfinite(known) and known > 0):
                raise VoiceError(f"{field} is {known!r}; it must be a positive number, or not there")
        if not isinstance(self.name, str):
            raise VoiceError(f"a voice's name is a str; this is {type(self.name).__name__}")
        if not self.name.strip():
            raise VoiceError("a voice needs a name: whose voice it is")
        if not self.encoder_id:
            raise VoiceError("a voice needs the id of its speaker encoder")
        for text in (self.name, self.encoder_id):
            if len(text) > MAX_NAME or not text.isprintable():
                raise VoiceError(f"a voice's name and encoder id must be at most {MAX_NAME} printable characters")
        if not self.consents:
            raise VoiceError(f"voice {self.name!r} has no consent record; make it with VoxClone.clone(consent=...)")

    @property
    def consent(self) -> Consent:
        """The one record.

        Raises:
            VoiceError: The voice mixes several, or was cloned from a voice's speech; the records are in `consents`.
        """
        if len(self.consents) > 1:
            speakers = ", ".join(consent.speaker for consent in self.consents)
            raise VoiceError(f"voice {self.name!r} carries several records, of {speakers}; read `consents`")
        return self.consents[0]

    @cached_property
    def voice_id(self) -> str:
        """16 hex digits of the SHA-256 over everything that the voice holds."""
        content = json.dumps(metadata_of(self), sort_keys=True).encode()
        content += self.speaker_embedding.tobytes() + self.spectrum.tobytes()
        if self.adapter is not None:
            content += self.adapter.digest.encode()
        return hashlib.sha256(content).hexdigest()[:16]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a voice file (safetensors; the suffix is .voice by convention) of a few kB, and its adapter's size.

        Raises:
            VoiceError: There can be no file at the path: says why.
        """
        write_voice(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Voice:
        """Read a voice file, or the one voice file in a folder, as `voxclone finetune` leaves it.

        Raises:
            VoiceError: There is no such file, it is no voice file, is truncated, of a newer format, carries no consent,
                or its embedding is not finite and of unit length.
            ConsentError: A speaker's consent has expired or was revoked.
        """
        voice = read_voice(path, cls)
        require_valid(voice.consents)
        return voice

    def push_to_hub(
        self,
        repo_id: str,
        *,
        base: str | None = None,
        base_revision: str | None = None,
        licence: str | None = None,
        token: str | bool | None = None,
        private: bool = True,
        revision: str | None = None,
    ) -> str:
        """Publish the voice, with its consent records and its adapter if it has one, on the Hugging Face Hub.

        Args:
            repo_id: "org/name"; made if it does not exist.
            base: The model that the voice belongs to, "org/name"; None for the one that comes with voxclone.
            base_revision: Its branch, tag or commit; pinned to the commit that this is now.
            licence: Under which others may use it, the Hub's id: "cc-by-4.0".
            token: Access token; None for the one of `hf auth login`.
            private: Whether a new repository is private: unless told otherwise, since a voice is a person's.
            revision: Branch to push to; None for main.

        Returns:
            The page's URL.

        Raises:
            ConsentError: A speaker's consent is not to sharing, has expired, or was revoked.
            ModelError: The base is not there, or the Hub refuses or cannot be reached.
        """
        require_valid(self.consents, "sharing")
        pinned = None if base is None else hub.pin_base(base, base_revision, token)
        tuned = None if self.adapter is None else f"{self.adapter.depth}, {self.adapter.size:,} numbers"
        card = hub.voice_card(
            self.name,
            [consent.to_dict() for consent in self.consents],
            None if pinned is None else (pinned.repo_id, pinned.revision),
            tuned,
            licence,
            repo_id,
        )
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "speaker.voice"
            self.save(path)
            return hub.push_voice(
                path, self.name, repo_id, base=pinned, card=card, token=token, private=private, revision=revision
            )

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        revision: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
    ) -> Voice:
        """Load a voice from the Hub ("org/name", as `push_to_hub` made it), a folder of that layout, or a voice file.

        `VoxClone.for_voice` loads the model that it belongs to as well.

        Args:
            source: Where from.
            revision: Branch, tag or commit on the Hub.
            cache_dir: Where downloads are kept; None for huggingface_hub's own cache.
            token: Access token; None for the one of `hf auth login`.
            local_files_only: Use the cache without asking the Hub; so does the environment variable HF_HUB_OFFLINE.

        Raises:
            ModelError: There is no such voice, it cannot be had, or its sha256 is not the published one.
            VoiceError: It is no voice file, or carries no consent.
        """
        if Path(source).is_file():
            return cls.load(source)
        path, _ = hub.fetch_voice(
            source, revision=revision, cache_dir=cache_dir, token=token, local_files_only=local_files_only
        )
        return cls.load(path)

    @staticmethod
    def mix(weights: Mapping[Voice, float], name: str | None = None) -> Voice:
        """Blend voices: the embeddings' weighted mean on the hypersphere, those of spectrum and log f0_median.

        Between two voices the embedding goes along the arc from one to the other, by equal angles for equal weights.

        Args:
            weights: Positive numbers, in any proportion: {ada: 0.7, bob: 0.3}.
            name: The mix's name; None joins the names with "+".

        Returns:
            A voice that carries every part's consents.

        Raises:
            VoiceError: No mapping of voices, a weight that is not positive and finite, voices of different speaker
                encoders, a fine-tuned voice, or embeddings that cancel out.
        """
        if not isinstance(weights, Mapping) or not all(isinstance(voice, Voice) for voice in weights):
            raise VoiceError("a mix is of voices and their weights: Voice.mix({ada: 0.7, bob: 0.3})")
        return Voice(**mixed_fields(weights, name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Voice) and self.voice_id == other.voice_id

    def __hash__(self) -> int:
        return hash(self.voice_id)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle through the constructor, so that a copy is as read-only as the original."""
        fields = (self.name, self.speaker_embedding, self.spectrum, self.f0_median, self.consents, self.encoder_id)
        return Voice, (*fields, self.adapter, self.recordings, self.f0_spread, self.phoneme_seconds)

    def __repr__(self) -> str:
        tuned = "" if self.adapter is None else f", fine-tuned ({self.adapter.depth}) on {self.adapter.base_name!r}"
        return f"Voice({self.name!r}, f0_median={self.f0_median:.0f} Hz, voice_id={self.voice_id!r}{tuned})"


def with_records_of(consent: Consent, spoken_by: Voice | None) -> tuple[Consent, ...]:
    """The record of a new voice, and those of the voice that spoke its recordings: to revoke one ends them all."""
    return tuple(dict.fromkeys((consent, *(() if spoken_by is None else spoken_by.consents))))
