"""Training the speaker encoder: crops, margin, trials."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("accelerate")
pytest.importorskip("torchaudio")

from voxclone.config import SpeakerEncoderConfig
from voxclone.errors import VoxcloneError
from voxclone.training.augmentation import Augmentation
from voxclone.training.embeddings import embed_store
from voxclone.training.features import FeatureStore
from voxclone.training.speaker import SPEEDS, SpeakerCrops, SpeakerStep, VerificationTrials

CONFIG = SpeakerEncoderConfig(channels=16, dilations=(1, 2), pooled_channels=16, attention_channels=8, embedding_dim=16)
PLAIN = Augmentation([], [], 16000, equaliser_probability=0.0, band_limit_probability=0.0)
PITCHES = {"ada": 220, "bob": 110, "eve": 330}


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """Two recordings of each speaker: harmonics of their pitch; 0.6 s and 1.5 s."""
    store = FeatureStore(tmp_path)
    for speaker, pitch in PITCHES.items():
        for seconds in (0.6, 1.5):
            time = np.arange(int(seconds * 16000)) / 16000
            tone = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 15))
            arrays = {"waveform": (4000 * tone).astype(np.int16)}
            store.append(f"{speaker}-{seconds}", {"speaker": speaker, "corpus": "tones"}, arrays)
    return store


def crops(store: FeatureStore, batch_size: int = 2, batches: int = 20) -> SpeakerCrops:
    return SpeakerCrops(store, store.entries, PLAIN, batch_size, 1.0, 16000, batches_per_epoch=batches)


def test_crops_are_of_different_speakers_and_fill_the_length(store: FeatureStore) -> None:
    torch.manual_seed(0)
    data = crops(store)
    seen = set()
    for batch in data:
        assert batch["waveform"].shape == (2, 16000)
        assert len(set(batch["speaker"].tolist())) == 2
        assert bool((batch["waveform"].square().mean(1) > 1e-4).all())
        assert bool((batch["waveform"][:, -4000:].abs().amax(1) > 0.01).all())  # a short one is repeated
        seen.update(batch["speaker"].tolist())
    assert data.speakers == ["ada", "bob", "eve"] and seen == {0, 1, 2}


def test_refuses_batches_of_more_speakers_than_there_are(store: FeatureStore) -> None:
    with pytest.raises(VoxcloneError, match="has 3 speakers"):
        crops(store, batch_size=4)


def test_margin_grows_and_makes_the_loss_harder(store: FeatureStore) -> None:
    torch.manual_seed(0)
    step = SpeakerStep(CONFIG, 3, None, margin=0.5, margin_updates=10)
    batch = next(iter(crops(store)))
    step.eval()
    with torch.no_grad():
        first = float(step(batch, "model")["total"])
        for _ in range(9):
            last = float(step(batch, "model")["total"])
    assert int(step.updates) == 10
    assert last > first + 1.0


def test_full_margin_is_that_of_the_paper(store: FeatureStore) -> None:
    torch.manual_seed(0)
    step = SpeakerStep(CONFIG, 3, None, margin=0.3, scale=20.0, margin_updates=1).eval()
    batch = next(iter(crops(store)))
    with torch.no_grad():
        loss = float(step(batch, "model")["total"])
        embeddings = step.encoder.embed(batch["waveform"])
        prototypes = torch.nn.functional.normalize(step.prototypes, dim=1)
    expected = []
    for embedding, speaker in zip(embeddings, batch["speaker"].tolist(), strict=True):
        cosines = [float(embedding @ prototype) for prototype in prototypes]
        cosines[speaker] = math.cos(math.acos(cosines[speaker]) + 0.3)
        logits = 20 * np.array(cosines)
        expected.append(np.log(np.exp(logits).sum()) - logits[speaker])
    assert loss == pytest.approx(np.mean(expected), rel=1e-3)


def test_another_speed_is_another_speaker(store: FeatureStore) -> None:
    torch.manual_seed(0)
    data = SpeakerCrops(store, store.entries, PLAIN, 3, 0.5, 16000, speed_probability=0.5, batches_per_epoch=12)
    assert data.n_classes == 9
    peaks: dict[int, float] = {}
    for batch in data:
        for waveform, speaker in zip(batch["waveform"], batch["speaker"].tolist(), strict=True):
            peaks[speaker] = float(torch.fft.rfft(waveform[:8000]).abs()[:300].argmax()) * 2
    for speaker, peak in peaks.items():
        pitch = PITCHES[data.speakers[speaker % 3]] * SPEEDS[speaker // 3]
        assert peak == pytest.approx(pitch, abs=3)
    assert len(peaks) == 9


def test_the_nearest_of_a_speakers_centres_counts(store: FeatureStore) -> None:
    torch.manual_seed(0)
    one = SpeakerStep(CONFIG, 3, None, margin=0.0, margin_updates=1).eval()
    two = SpeakerStep(CONFIG, 3, None, margin=0.0, margin_updates=1, sub_centres=2).eval()
    two.encoder.load_state_dict(one.encoder.state_dict())
    with torch.no_grad():
        two.prototypes.copy_(torch.stack([one.prototypes, -one.prototypes], 1).flatten(0, 1))
        batch = next(iter(crops(store)))
        cosine = one.encoder.embed(batch["waveform"]) @ torch.nn.functional.normalize(one.prototypes, dim=1).T
        expected = torch.nn.functional.cross_entropy(30 * cosine.abs(), batch["speaker"])
        assert float(two(batch, "model")["total"]) == pytest.approx(float(expected), rel=1e-3)


def test_the_nearest_others_are_held_further_away(store: FeatureStore) -> None:
    torch.manual_seed(0)
    step = SpeakerStep(CONFIG, 3, None, margin=0.0, margin_updates=1, top_k=1, top_k_margin=0.1).eval()
    batch = next(iter(crops(store)))
    with torch.no_grad():
        loss = float(step(batch, "model")["total"])
        cosine = step.encoder.embed(batch["waveform"]) @ torch.nn.functional.normalize(step.prototypes, dim=1).T
    expected = []
    for row, speaker in zip(cosine, batch["speaker"].tolist(), strict=True):
        others = [index for index in range(3) if index != speaker]
        nearest = max(others, key=lambda index: float(row[index]))
        logits = row.clone()
        logits[nearest] = torch.cos(torch.acos(row[nearest]) - 0.1)
        expected.append(float(torch.logsumexp(30 * logits, 0) - 30 * logits[speaker]))
    assert loss == pytest.approx(np.mean(expected), rel=1e-3)


def test_learns_to_tell_tones_apart(store: FeatureStore) -> None:
    torch.manual_seed(0)
    step = SpeakerStep(CONFIG, 3, None)
    optimizer = torch.optim.Adam(step.parameters(), 0.01)
    losses = []
    for batch in crops(store, batch_size=3, batches=15):
        made = step(batch, "model")
        optimizer.zero_grad()
        made["total"].backward()
        optimizer.step()
        losses.append(float(made["total"]))
    assert np.mean(losses[-3:]) < 0.5 * losses[0]


def test_trials_are_of_long_enough_clips_within_a_corpus(store: FeatureStore) -> None:
    encoder = SpeakerStep(CONFIG, 3, None).encoder.eval()
    rates = VerificationTrials(store, store.entries, 0.5, 16000).error_rates(encoder)
    assert set(rates) == {"eer_tones"} and 0 <= rates["eer_tones"] <= 100
    long_only = VerificationTrials(store, store.entries, 1.0, 16000)
    assert [speaker for speaker, _ in long_only.clips["tones"]] == ["ada", "bob", "eve"]
    assert long_only.error_rates(encoder) == {}  # no two of one speaker


def test_embeds_the_wanted_entries(store: FeatureStore) -> None:
    encoder = SpeakerStep(CONFIG, 3, None).encoder.eval()
    embeddings = embed_store(encoder, store, 16000, {"ada-1.5", "bob-0.6", "unknown"})
    assert set(embeddings) == {"ada-1.5", "bob-0.6"}
    assert all(np.linalg.norm(embedding) == pytest.approx(1, abs=1e-4) for embedding in embeddings.values())


def test_prototypes_are_embeddings_of_their_classes(store: FeatureStore) -> None:
    torch.manual_seed(0)
    encoder = SpeakerStep(CONFIG, 9, None).encoder.eval()
    data = SpeakerCrops(store, store.entries, PLAIN, 3, 0.5, 16000, speed_probability=0.5)
    prototypes = data.prototypes(encoder, batch_size=2)
    assert prototypes.shape == (9, 16)
    again = SpeakerCrops(store, store.entries, PLAIN, 3, 0.5, 16000).prototypes(encoder)
    torch.testing.assert_close(again, prototypes[:3])
