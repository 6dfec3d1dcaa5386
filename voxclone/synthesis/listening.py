"""What a model hears in a recording: who speaks, which text, and whether its own mark is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.audio.io import AudioSource, read_audio
from voxclone.audio.reference import name_of, prepare_reference
from voxclone.audio.resample import resample
from voxclone.errors import ConsentError, ModelError
from voxclone.prosody import Prosody
from voxclone.safety.consent import Consent
from voxclone.safety.labels import Label, read_label
from voxclone.safety.validity import require_valid
from voxclone.safety.verification import SpeakerMatch, require_verified
from voxclone.synthesis.alignment import Alignment, align, match_texts
from voxclone.synthesis.embedding import embed_waveforms
from voxclone.synthesis.parts import Parts
from voxclone.synthesis.reading import read
from voxclone.synthesis.reference import embed_speaker
from voxclone.synthesis.transfer import measure_prosody
from voxclone.text.lexicon import Lexicon
from voxclone.voice import Voice


class Listening(Parts):
    """The part of `VoxClone` that hears recordings; `Consent.verify` asks some of it."""

    def similarity(self, one: AudioSource | list[AudioSource], other: AudioSource | list[AudioSource]) -> float:
        """Cosine of the speaker embeddings of two speakers' recordings, -1 to 1; `match_speakers` says what it means.

        Raises:
            AudioError: A recording is unreadable or unfit.
        """
        embeddings = [embed_speaker(self._speaker_encoder, self.sample_rate, each) for each in (one, other)]
        return float(np.dot(*embeddings))

    def match_speakers(
        self, one: AudioSource | list[AudioSource], other: AudioSource | list[AudioSource]
    ) -> SpeakerMatch:
        """Tell whether two recordings, or lists of one speaker's recordings, are of one speaker.

        Of pairs of different speakers 1 % pass as one, and more where their voices are alike.

        Raises:
            ModelError: The model's speaker encoder was not calibrated.
            AudioError: A recording is unreadable or unfit.
        """
        self.require_calibrated()
        return self.match_embeddings(*(embed_speaker(self._speaker_encoder, self.sample_rate, s) for s in (one, other)))

    def match_embeddings(self, one: NDArray[np.floating], other: NDArray[np.floating]) -> SpeakerMatch:
        """As `match_speakers`, by embeddings (D,) of unit length, as `embed` gives them and voices have them.

        Raises:
            ModelError: The model's speaker encoder was not calibrated.
        """
        threshold, similarity = self.require_calibrated(), float(np.dot(one, other))
        if self._cohort is None:
            return SpeakerMatch(similarity, similarity, threshold)
        sides = torch.from_numpy(np.stack([one, other]).astype(np.float32)).to(self.device)
        return SpeakerMatch(similarity, float(self._cohort(*sides)), threshold)

    def require_calibrated(self) -> float:
        """The score from which two recordings are of one speaker, see `SpeakerMatch`.

        Raises:
            ModelError: It was not measured for this model.
        """
        told = self.config.verification
        key = "speaker_encoder.same_speaker_threshold" if told is None else "verification.threshold"
        threshold = self.same_speaker_threshold if told is None else told.threshold
        if threshold is None:
            raise ModelError(
                f"the model's speaker encoder was not calibrated ({key} in its configuration): it cannot verify who "
                "speaks"
            )
        return threshold

    @property
    def same_speaker_threshold(self) -> float | None:
        """`similarity` that 1 % of pairs of different speakers reach; None where it was not measured."""
        return self.config.speaker_encoder.same_speaker_threshold

    def embed(self, sources: AudioSource | Iterable[AudioSource]) -> NDArray[np.float32]:
        """Speaker embeddings (N, D) of unit length, one for each recording, in batches on the model's device.

        One recording by itself gives (1, D).

        Raises:
            AudioError: A recording is unreadable or unfit.
        """
        prepared = (prepare_reference(source, self.sample_rate) for source in _several(sources))
        rate = self._speaker_encoder.sample_rate
        waveforms = (resample(reference.waveform, self.sample_rate, rate) for reference in prepared)
        embeddings = list(embed_waveforms(self._speaker_encoder, waveforms))
        return np.array(embeddings, np.float32).reshape(-1, self.config.speaker_encoder.embedding_dim)

    def align(
        self, source: AudioSource, text: str, *, lexicon: Lexicon | None = None, normalize: bool = True
    ) -> Alignment:
        """Find when each word and phoneme of a text is spoken in a recording of it.

        Args:
            source: One recording of up to 60 s: a path, a file's bytes, or (samples, sample_rate).
            text: What is said in it.
            lexicon: Words to their pronunciation in IPA.
            normalize: Write out numbers, dates, abbreviations and the like first, as `generate` does.

        Raises:
            ModelError: The model has no aligner.
            AudioError: The recording is unreadable, silent, too long, or too short for the text.
            TextError: The text is empty, has nothing to speak, or a character that cannot be spoken.
        """
        return align(
            self._require_aligner(),
            self.config.audio,
            source,
            read(text, self.config.text.language, self._words(lexicon), normalize, "plain"),
        )

    def measure_prosody(
        self, source: AudioSource, text: str, *, lexicon: Lexicon | None = None, normalize: bool = True
    ) -> Prosody:
        """How a text is spoken in a recording; `generate(text, voice, prosody=...)` speaks it so with another voice.

        `Prosody.in_register(voice.f0_median)` moves the melody into that voice's register.

        Args:
            source: One recording of up to 60 s: a path, a file's bytes, or (samples, sample_rate).
            text: What is said in it; it has no markup.
            lexicon: As for `generate`.
            normalize: As for `generate`.

        Raises:
            ModelError: The model has no aligner.
            AudioError: The recording is unreadable, silent, too long, too short for the text, or has no voiced sound.
            TextError: The text is empty, has nothing to speak, or a character that cannot be spoken.
        """
        chunks = read(text, self.config.text.language, self._words(lexicon), normalize, "plain")
        return measure_prosody(self._require_aligner(), self.config.audio, source, chunks)

    def match_texts(self, source: AudioSource, texts: Sequence[str]) -> list[float]:
        """How well each of many texts fits a recording: `Alignment.match`; -inf where it is too short for a text.

        Raises:
            ModelError: The model has no aligner.
            AudioError: The recording is unreadable, silent, or too long.
            TextError: A text cannot be spoken.
        """
        aligner = self._require_aligner()
        chunks = [read(text, self.config.text.language, None, True) for text in texts]
        return match_texts(aligner, self.config.audio, source, chunks)

    def find_mark(self, source: AudioSource) -> Literal["watermarked", "not_detected", "inconclusive"] | None:
        """Whether a recording carries this model's mark; None where the model has no detector.

        Raises:
            AudioError: The recording is unreadable.
        """
        return None if self._mark is None else self._mark.find([read_audio(source)]).verdict

    def require_natural(self, sources: Sequence[AudioSource], consent: Consent, spoken_by: Voice | None = None) -> None:
        """Refuse recordings that carry the model's mark: a clone of a clone has no speaker who could be asked.

        Args:
            sources: The recordings.
            consent: Of their speaker.
            spoken_by: The voice that spoke them: whoever holds a voice may make another of its speaker.

        Raises:
            ConsentError: A recording carries the mark, and `spoken_by` is not given or is of another speaker.
            AudioError: A recording is unreadable.
        """
        if spoken_by is not None:
            require_valid(spoken_by.consents, "cloning")
            if {each.speaker for each in spoken_by.consents} != {consent.speaker}:
                raise ConsentError(
                    f"the recordings are said to be spoken by voice {spoken_by.name!r}, whose speaker is not "
                    f"{consent.speaker!r}; only the speaker's own voice may be cloned again"
                )
            for source in sources:
                if not isinstance(source, tuple):
                    label = read_label(source if isinstance(source, bytes) else Path(source))
                    require_spoken_by(spoken_by, label, name_of(source) or "a recording")
            return
        if self._mark is None:
            return
        for source in sources:
            if self.find_mark(source) == "watermarked":
                name = name_of(source) or "a recording"
                raise ConsentError(
                    f"{name} carries the mark of speech that this model made: it is no recording of a person. Clone "
                    "from recordings of the speaker; where a voice spoke it that you hold of the same speaker, give "
                    "that voice as spoken_by"
                )

    def require_speaker(self, sources: Sequence[AudioSource], consent: Consent, spoken_by: Voice | None = None) -> None:
        """Refuse recordings of somebody else than the speaker whose consent was verified; a word given covers any.

        Args:
            sources: The recordings.
            consent: Of their speaker.
            spoken_by: The voice that spoke them, if one did: where it carries that record, the speaker is its own.

        Raises:
            ConsentError: The record was verified with none of the recordings, or one sounds like somebody else.
            ModelError: It was verified, and the model cannot tell speakers apart.
            AudioError: A recording is unreadable or unfit.
        """
        if spoken_by is None or consent not in spoken_by.consents:
            require_verified(consent, sources, self)


def require_spoken_by(voice: Voice, label: Label | None, name: str) -> None:
    """Refuse a recording, of a name, whose label says that another voice spoke it; one without a label says nothing.

    Raises:
        ConsentError: It does.
    """
    if label is not None and label.provenance.voice_id != voice.voice_id:
        raise ConsentError(
            f"{name} says that voice {label.provenance.voice_id} spoke it, and not {voice.name!r} ({voice.voice_id}); "
            "give the voice that did"
        )


def _several(sources: AudioSource | Iterable[AudioSource]) -> Iterable[AudioSource]:
    """The recordings; one by itself is a path, a file's bytes, or (samples, sample_rate)."""
    pair = isinstance(sources, tuple) and len(sources) == 2 and isinstance(sources[0], np.ndarray | torch.Tensor)
    alone = pair or isinstance(sources, str | bytes | os.PathLike)
    return cast("Iterable[AudioSource]", [sources] if alone else sources)
