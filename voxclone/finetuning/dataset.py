"""Features, durations and the choice of what to learn from, in a work folder that survives a kill."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxclone.audio.mel import voiced_spectrum
from voxclone.audio.pitch import f0_spread
from voxclone.config import AudioConfig
from voxclone.errors import AudioError, TextError, VoxcloneError
from voxclone.finetuning.base import BaseModel
from voxclone.finetuning.decoys import text_margins
from voxclone.finetuning.material import Material, Utterance
from voxclone.finetuning.selection import VerifiedSpeaker, embed_utterances, strangers, unfit
from voxclone.synthesis.progress import Stages
from voxclone.training.alignment import store_durations
from voxclone.training.extraction import Recording, extract_speech_features
from voxclone.training.features import Entry, FeatureStore

MIN_UTTERANCES = 4  # one of them is held out
HELD_OUT_SHARE = 0.1
MAX_HELD_OUT = 10


@dataclass(frozen=True, eq=False)
class SpeakerData:
    """What there is to learn from.

    Attributes:
        store: Phonemes, mel, f0 and waveform of the utterances, under their keys.
        durations: Of the aligner, under the same keys.
        train: Entries to learn from.
        held_out: Entries to stop by.
        embeddings: Speaker embedding (D,) of each entry.
        utterances: All that was cut from the recordings, with the reason why where it is not used.
    """

    store: FeatureStore
    durations: FeatureStore
    train: list[Entry]
    held_out: list[Entry]
    embeddings: dict[str, NDArray[np.float32]]
    utterances: list[Utterance]

    @property
    def digest(self) -> str:
        """8 hex digits that tell one choice of utterances from another."""
        keys = [[entry.key for entry in entries] for entries in (self.train, self.held_out)]
        return hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:8]

    def minutes(self, audio: AudioConfig) -> float:
        """Of speech, learned from and held out."""
        frames = sum(entry.rows["mel"][1] for entry in (*self.train, *self.held_out))
        return frames * audio.hop_length / audio.sample_rate / 60

    def measured_voice(self, base: BaseModel) -> dict[str, Tensor]:
        """What a voice holds, over the entries to learn from.

        Returns:
            speaker_embedding (D,), spectrum (n_mels,), f0_median (Hz, 0-dim), and 0-dim f0_spread and phoneme_seconds,
            NaN where the base is not told of them.

        Raises:
            VoxcloneError: Nothing is voiced.
        """
        seconds = [entry.rows["mel"][1] for entry in self.train]
        mean = np.average([self.embeddings[entry.key] for entry in self.train], axis=0, weights=seconds)
        f0 = [self.store.read(entry, "f0") for entry in self.train]
        mels = [self.store.read(entry, "mel").astype(np.float32).T for entry in self.train]
        spectra = [voiced_spectrum(mel, pitch) for mel, pitch in zip(mels, f0, strict=True)]
        voiced = np.concatenate(f0)
        voiced = voiced[voiced > 0]
        if not len(voiced):
            raise VoxcloneError("no voiced sound was found; give speech that is spoken aloud, not whispered")
        reader, spread, pace = base.acoustic.rate_reader, None, None
        if reader is not None:
            rate = base.config.audio.sample_rate / base.config.audio.hop_length
            pace = reader.phoneme_seconds((reader.count(torch.from_numpy(mel)) for mel in mels), rate)
            spread = f0_spread(np.concatenate(f0))
        return {
            "speaker_embedding": torch.from_numpy(np.asarray(mean / np.linalg.norm(mean), np.float32)),
            "spectrum": torch.from_numpy(np.asarray(np.average(spectra, axis=0, weights=seconds), np.float32)),
            "f0_median": torch.tensor(math.exp(float(np.median(np.log(voiced))))),
            "f0_spread": torch.tensor(spread or math.nan),
            "phoneme_seconds": torch.tensor(pace or math.nan),
        }


def prepare(
    material: Material, work: Path, base: BaseModel, name: str, verified: VerifiedSpeaker | None, stages: Stages
) -> SpeakerData:
    """Extract, align, and drop what does not fit; what a killed run has done is not done again.

    Where the consent is that of a `verified` speaker, what sounds like somebody else is dropped.

    Raises:
        VoxcloneError: Too little is left, or it is of several speakers.
    """
    audio = base.config.audio
    store, durations = FeatureStore(work / "features"), FeatureStore(work / "durations")
    dropped: dict[str, tuple[str, str]] = {}
    given = material.used()
    for path, utterance in stages.through(given, len(given), "features"):
        if utterance.key in store.keys:
            continue
        about = {"speaker": name, "corpus": "recordings", "split": "train", "language": base.config.text.language}
        try:
            arrays, rate = extract_speech_features(Recording(path, utterance.key, utterance.text, about), audio)
        except (AudioError, TextError) as error:
            dropped[utterance.key] = ("unfit audio", str(error))
            continue
        store.append(utterance.key, about | {"sample_rate": str(rate), "text": utterance.text}, arrays)
    stages.begin("aligning recordings with their texts, and choosing those that fit")
    store_durations(base.aligner, store, durations)
    used = {utterance.key for _, utterance in given}
    entries = [entry for entry in store.entries if entry.key in used]
    embeddings = embed_utterances(base.speaker_encoder, store, entries, audio.sample_rate)
    confidence = {entry.key: float(entry.about["confidence"]) for entry in durations.entries}
    dropped |= strangers(embeddings, verified)
    candidates = [entry for entry in entries if entry.key not in dropped]
    margins = text_margins(base.aligner, store, candidates)
    dropped |= unfit(candidates, confidence, margins, embeddings, base.config.speaker_encoder.same_speaker_threshold)
    utterances = [
        dataclasses.replace(each, dropped=dropped[each.key][0], detail=dropped[each.key][1])
        if each.key in dropped
        else each
        for each in material.utterances
    ]
    kept = [entry for entry in entries if entry.key not in dropped]
    if len(kept) < MIN_UTTERANCES:
        reasons = sorted({each.dropped for each in utterances if each.dropped})
        why = f" ({', '.join(reasons)})" if reasons else ""
        raise VoxcloneError(
            f"{len(kept)} of {len(utterances)} utterances can be used{why}; {MIN_UTTERANCES} are the least, ten "
            "sentences or more are better"
        )
    count = max(1, min(MAX_HELD_OUT, round(HELD_OUT_SHARE * len(kept)) if len(kept) >= 10 else len(kept) // 4))
    places = {int(at) for at in np.linspace(0, len(kept), count + 2)[1:-1]}
    held_out = [entry for index, entry in enumerate(kept) if index in places]
    train = [entry for index, entry in enumerate(kept) if index not in places]
    return SpeakerData(store, durations, train, held_out, embeddings, utterances)
