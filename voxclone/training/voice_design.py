"""What voices are made of, measured in a feature store: the speakers that designed voices are drawn from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.audio.mel import voiced_spectrum
from voxclone.audio.pitch import f0_spread
from voxclone.errors import VoxcloneError
from voxclone.models.acoustic.pace import RateReader
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.voice_density import Measures, draw_voices, nearest_cosines, neighbour_cosines

LEAST_VOICED = 50  # frames of a speaker whose sound counts
SOUND_EVENNESS = 3.0  # of the shares of the spectra (Dirichlet)
STEP = 0.12  # away from others, of the embedding's length
NEAR = 0.05  # below the limit, from where on others count
DIRECTIONS = 48  # in which speakers differ most, which a step keeps to


@dataclass(frozen=True)
class Speakers:
    """A store's training speakers.

    Attributes:
        embeddings: (K, D) of unit length, of all.
        measures: Of those whose sound is known, L of them.
        corpora: (L,) of these.
        limit: Cosine to the nearest other person that half of these L exceed.
    """

    embeddings: NDArray[np.float64]
    measures: Measures
    corpora: NDArray[np.str_]
    limit: float

    @classmethod
    def read(
        cls,
        store: FeatureStore,
        embeddings: Mapping[str, NDArray[np.float32]],
        reader: RateReader,
        frame_rate: float,
        corpora: Collection[str],
        clips: int,
    ) -> Speakers:
        """Measure the speakers of split "train" in some of their recordings each.

        Args:
            store: Mel and f0.
            embeddings: Of recordings, by key; those without are left out.
            reader: Reads pace.
            frame_rate: Of mel and f0, in Hz.
            corpora: Whose speakers' sound is measured.
            clips: Most recordings of one speaker.

        Raises:
            VoxcloneError: There is no speaker of those corpora.
        """
        found: dict[str, list[Entry]] = defaultdict(list)
        for entry in store.entries:
            if entry.about["split"] == "train" and entry.key in embeddings:
                found[entry.about["speaker"]].append(entry)
        chosen = [own[:: max(1, len(own) // clips)][:clips] for own in found.values()]
        if not any(own[0].about["corpus"] in corpora for own in chosen):
            raise VoxcloneError(f"the store has no training speaker of {', '.join(sorted(corpora))}")
        sums = np.array([np.sum([embeddings[entry.key] for entry in own], 0, np.float64) for own in chosen])
        everyone = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        rows = [
            (neighbour, own[0].about["corpus"], embedding, *sound)
            for neighbour, embedding, own in zip(neighbour_cosines(everyone), everyone, chosen, strict=True)
            if own[0].about["corpus"] in corpora and (sound := _sound(store, own, reader, frame_rate)) is not None
        ]
        neighbours, names, *columns = (np.asarray(column) for column in zip(*rows, strict=True))
        return cls(everyone, Measures(*columns), names, float(np.median(neighbours)))

    def draw(self, fit: NDArray[np.bool_], sound: NDArray[np.bool_], count: int, seed: int, tries: int) -> Measures:
        """Voices among some of the speakers, none nearer to anybody than `limit`.

        Their average spectrum is that of a few, a mean with random shares: it holds microphone and room as well as the
        voice, and speech is as clean as it.

        Args:
            fit: (L,) which of the speakers.
            sound: (L,) those whose sound is the cleanest.
            count: How many voices, at most.
            seed: Of the draw.
            tries: How many are drawn.
        """
        drawn = draw_voices(self.measures.chosen(fit), tries, seed)
        far = np.flatnonzero(nearest_cosines(drawn.embeddings, self.embeddings) < self.limit)
        spectra = self.measures.spectra[sound]
        shares = np.random.default_rng(seed).dirichlet(np.full(len(spectra), SOUND_EVENNESS), tries)
        return drawn._replace(spectra=shares @ spectra).chosen(far[:count])

    def away(self, embedding: NDArray[np.float64], heard: NDArray[np.float32], limit: float) -> NDArray[np.float64]:
        """An embedding (D,) a step farther from those whom its speech is near.

        Args:
            embedding: What was spoken with.
            heard: (D,) the embedding of that speech.
            limit: Cosine that the speech is to stay below.
        """
        near = self.embeddings @ heard
        weights = np.where(near > limit - NEAR, near - limit + NEAR, 0.0)
        towards = weights @ self.embeddings
        towards -= (towards @ embedding) * embedding
        length = float(np.linalg.norm(towards))
        if length < 1e-6:  # nobody is near, or it lies in the very middle of those who are
            return embedding
        middle = self.measures.embeddings.mean(0)
        axes = np.linalg.svd(self.measures.embeddings - middle, full_matrices=False)[2][:DIRECTIONS]
        moved = embedding - STEP * towards / length
        kept = middle + axes.T @ (axes @ (moved / np.linalg.norm(moved) - middle))
        farther: NDArray[np.float64] = kept / np.linalg.norm(kept)
        return farther


def _sound(
    store: FeatureStore, entries: list[Entry], reader: RateReader, frame_rate: float
) -> tuple[NDArray[np.float32], float, float, float] | None:
    """What `Measures` has of a speaker beside the embedding; None where something of it is not known."""
    f0 = np.concatenate([store.read(entry, "f0") for entry in entries])
    mels = [np.asarray(store.read(entry, "mel"), np.float32).T for entry in entries]
    seconds = reader.phoneme_seconds([reader.count(torch.from_numpy(mel)) for mel in mels], frame_rate)
    spread = f0_spread(f0)
    if (f0 > 0).sum() < LEAST_VOICED or spread is None or seconds is None:
        return None
    middle = float(np.exp(np.median(np.log(f0[f0 > 0]))))
    return voiced_spectrum(np.concatenate(mels, 1), f0), middle, spread, seconds
