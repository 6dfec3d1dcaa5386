"""Speakers of a feature store as what designed voices are drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from voxclone import VoxcloneError
from voxclone.models.acoustic.pace import RateReader
from voxclone.training.features import Entry
from voxclone.training.voice_density import nearest_cosines
from voxclone.training.voice_design import Speakers

SPEAKERS = 30


class Store:
    """Two recordings each of speakers with an f0 of their own; some are of another corpus, or not to be trained on."""

    def __init__(self) -> None:
        draw = np.random.default_rng(0)
        self.entries, self.features, self.embeddings = [], {}, {}
        for speaker in range(SPEAKERS):
            corpus = "read" if speaker % 3 else "phone"
            middle = draw.normal(size=12) + 2 * np.eye(12)[0]
            for number in range(2):
                key = f"{speaker}-{number}"
                about = {"speaker": str(speaker), "corpus": corpus, "split": "valid" if speaker == 1 else "train"}
                self.entries.append(Entry(key, about, {}))
                f0 = (120 + speaker) * np.exp2(0.2 * np.sin(np.arange(300) / 9)) * (np.arange(300) % 50 > 10)
                mel = draw.normal(-5 + (corpus == "phone"), 1, (300, 80))
                self.features[key] = {"f0": f0.astype(np.float32), "mel": mel.astype(np.float16)}
                embedding = middle + 0.1 * draw.normal(size=12)
                self.embeddings[key] = (embedding / np.linalg.norm(embedding)).astype(np.float32)

    def read(self, entry: Entry, kind: str) -> Any:
        return self.features[entry.key][kind]


@pytest.fixture(scope="module")
def speakers() -> Speakers:
    store: Any = Store()
    return Speakers.read(store, store.embeddings, RateReader(), 86.0, ["read"], clips=2)


def test_training_speakers_are_measured_and_others_only_kept_away_from(speakers: Speakers) -> None:
    assert len(speakers.embeddings) == SPEAKERS - 1
    assert set(speakers.corpora) == {"read"} and len(speakers.corpora) == SPEAKERS * 2 // 3 - 1
    assert speakers.measures.f0_medians == pytest.approx(
        [120 + n for n in range(SPEAKERS) if n % 3 and n != 1], rel=0.1
    )
    assert 0.05 < speakers.measures.f0_spreads.mean() < 0.4
    others = speakers.measures.embeddings @ speakers.embeddings.T
    nearest = np.where(others > 1 - 1e-9, -1, others).max(1)
    assert speakers.limit == pytest.approx(np.median(nearest))


def test_what_is_drawn_is_far_and_sounds_like_those_who_sound_best(speakers: Speakers) -> None:
    high = speakers.measures.f0_medians > 130
    sound = np.arange(len(high)) < 2
    drawn = speakers.draw(high, sound, 5, seed=0, tries=400)
    assert 0 < len(drawn.embeddings) <= 5
    assert nearest_cosines(drawn.embeddings, speakers.embeddings).max() < speakers.limit
    assert drawn.f0_medians.min() > 130
    assert (drawn.spectra >= speakers.measures.spectra[:2].min(0) - 1e-9).all()
    assert (drawn.spectra <= speakers.measures.spectra[:2].max(0) + 1e-9).all()
    again = speakers.draw(high, sound, 5, seed=0, tries=400)
    np.testing.assert_array_equal(drawn.embeddings, again.embeddings)


def test_a_step_away_is_farther_from_those_who_are_near(speakers: Speakers) -> None:
    whole = speakers.measures.embeddings
    embedding = 0.6 * whole[0] + 0.4 * whole[1]
    embedding /= np.linalg.norm(embedding)
    near = nearest_cosines(embedding[None], speakers.embeddings)[0]
    moved = speakers.away(embedding, embedding.astype(np.float32), float(near) - 0.05)
    assert np.linalg.norm(moved) == pytest.approx(1)
    assert nearest_cosines(moved[None], speakers.embeddings)[0] < near - 0.01
    assert moved @ embedding > 0.9
    np.testing.assert_array_equal(speakers.away(embedding, embedding.astype(np.float32), 1.5), embedding)  # far enough


def test_a_corpus_that_is_not_there_is_an_error() -> None:
    store: Any = Store()
    with pytest.raises(VoxcloneError, match="no training speaker of sung"):
        Speakers.read(store, store.embeddings, RateReader(), 86.0, ["sung"], clips=2)
