"""The loss that keeps a teacher's embedding space: targets, prototypes, and that it is learnt through a channel."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("accelerate")
pytest.importorskip("torchaudio")

from voxclone.audio.io import write_audio
from voxclone.config import SpeakerEncoderConfig
from voxclone.errors import VoxcloneError
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.augmentation import Augmentation
from voxclone.training.backgrounds import babble, coloured_noise, recorded
from voxclone.training.distillation import DistilledSpeakerStep, speaker_prototypes, speaker_targets
from voxclone.training.embeddings import embed_store
from voxclone.training.features import FeatureStore
from voxclone.training.report import Report
from voxclone.training.speaker import SpeakerCrops, VerificationTrials

RATE = 16000
CONFIG = SpeakerEncoderConfig(channels=16, dilations=(1, 2), pooled_channels=16, attention_channels=8, embedding_dim=16)
PLAIN = Augmentation([], [], RATE, equaliser_probability=0.0, band_limit_probability=0.0)
NARROW = Augmentation([], [], RATE, 0.0, 0.0, 0.0, 0.0, telephone_probability=1.0)
SPEAKERS = ["ada", "bob", "eve"]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """Two recordings of each speaker: harmonics of their pitch, a little higher in the second."""
    store = FeatureStore(tmp_path)
    for speaker, pitch in zip(SPEAKERS, (220, 110, 330), strict=True):
        for number, seconds in enumerate((1.2, 1.6)):
            time = np.arange(int(seconds * RATE)) / RATE
            tone = sum(np.sin(2 * np.pi * pitch * (1 + 0.03 * number) * k * time) / k for k in range(1, 15))
            about = {"speaker": speaker, "corpus": "tones"}
            store.append(f"{speaker}-{number}", about, {"waveform": (4000 * tone).astype(np.int16)})
    return store


@pytest.fixture
def teacher() -> SpeakerEncoder:
    torch.manual_seed(0)
    return SpeakerEncoder(CONFIG).eval()


@pytest.fixture
def embeddings(store: FeatureStore, teacher: SpeakerEncoder) -> dict[str, np.ndarray]:
    return embed_store(teacher, store, RATE, store.keys)


def step_of(store: FeatureStore, teacher: SpeakerEncoder, **loss: float) -> DistilledSpeakerStep:
    clean = VerificationTrials(store, store.entries, 1.0, RATE)
    narrow = VerificationTrials(store, store.entries, 1.0, RATE, NARROW)
    return DistilledSpeakerStep(CONFIG, 3, clean, teacher, narrow, clean, **loss)


def test_a_student_of_other_sizes_begins_as_it_is_and_counts_its_own_statistics(
    store: FeatureStore, teacher: SpeakerEncoder
) -> None:
    clean = VerificationTrials(store, store.entries, 1.0, RATE)
    other = dataclasses.replace(CONFIG, trunk="ecapa", channels=16)
    copied = step_of(store, teacher).train()
    student = DistilledSpeakerStep(other, 3, clean, teacher, clean, clean).train()
    assert copied.is_copy and not student.is_copy
    waveform = torch.randn(4, RATE)
    for step, moves in ((copied, False), (student, True)):
        before = step.encoder.embedding_norm.running_mean.clone()
        step.encoder.embed(waveform)
        assert torch.equal(step.encoder.embedding_norm.running_mean, before) is not moves


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def test_targets_lie_between_the_recording_and_the_speaker(
    store: FeatureStore, embeddings: dict[str, np.ndarray]
) -> None:
    own, other = embeddings["ada-0"], embeddings["ada-1"]
    made = {share: speaker_targets(store.entries, embeddings, share) for share in (0.0, 0.5, 1.0)}
    np.testing.assert_allclose(made[0.0]["ada-0"], own, atol=1e-5)
    np.testing.assert_allclose(made[1.0]["ada-0"], unit(own + other), atol=1e-5)
    np.testing.assert_allclose(made[0.5]["ada-0"], unit(own + unit(own + other)), atol=1e-5)
    assert set(made[0.5]) == store.keys


def test_first_centre_is_the_speakers_mean_and_others_are_recordings(
    store: FeatureStore, embeddings: dict[str, np.ndarray]
) -> None:
    made = speaker_prototypes(store.entries, embeddings, SPEAKERS, 2).numpy()
    assert made.shape == (6, 16)
    for number, speaker in enumerate(SPEAKERS):
        own = [embeddings[f"{speaker}-{recording}"] for recording in (0, 1)]
        np.testing.assert_allclose(made[2 * number], unit(own[0] + own[1]), atol=1e-5)
        assert min(np.abs(made[2 * number + 1] - each).max() for each in own) < 1e-6


def test_begins_as_the_teacher_and_its_loss_is_the_cosine_distance(
    store: FeatureStore, teacher: SpeakerEncoder
) -> None:
    step = step_of(store, teacher, distillation_weight=7.0, margin=0.0).eval()
    waveform = torch.stack([clip for _, clip in step.whole.clips["tones"]])[:3]
    target = torch.nn.functional.normalize(torch.randn(3, 16), dim=1)
    batch = {"waveform": waveform, "speaker": torch.arange(3), "target": target}
    with torch.no_grad():
        heard = teacher.embed(waveform)
        told = step(batch, "model")
    torch.testing.assert_close(told["distance"], 1 - (heard * target).sum(1).mean())
    torch.testing.assert_close(told["total"], told["margin"] + 7 * told["distance"])
    with torch.no_grad():
        assert float(step({**batch, "target": heard}, "model")["distance"]) == pytest.approx(0.0, abs=1e-5)


def test_learns_to_hear_the_clean_recording_through_a_channel(
    store: FeatureStore, teacher: SpeakerEncoder, embeddings: dict[str, np.ndarray]
) -> None:
    torch.manual_seed(0)
    step = step_of(store, teacher).train()
    statistics = step.encoder.embedding_norm.running_mean.clone()
    targets = speaker_targets(store.entries, embeddings, 0.5)
    crops = SpeakerCrops(store, store.entries, NARROW, 3, (0.5, 1.0), RATE, batches_per_epoch=40, targets=targets)
    optimizer = torch.optim.Adam(step.parameters(), 0.003)
    distances, lengths = [], set()
    for batch in crops:
        assert batch["target"].shape == (3, 16)
        lengths.add(batch["waveform"].shape[1])
        told = step(batch, "model")
        optimizer.zero_grad()
        told["total"].backward()
        optimizer.step()
        distances.append(float(told["distance"].detach()))
    assert torch.equal(step.encoder.embedding_norm.running_mean, statistics)
    assert np.mean(distances[-5:]) < 0.6 * np.mean(distances[:5])
    assert len(lengths) > 3 and all(8000 <= length <= 16000 and length % 1600 == 0 for length in lengths)


def test_validates_on_distorted_trials_and_against_the_teacher(
    store: FeatureStore, teacher: SpeakerEncoder, tmp_path: Path
) -> None:
    step = step_of(store, teacher).eval()
    report = Told(tmp_path / "run", 0, enabled=False)
    step.validate(report, 0)
    assert set(report.told) == {"eer_tones", "eer_tones_distorted", "teacher_cosine_tones"}
    assert report.told["teacher_cosine_tones"] == pytest.approx(1.0, abs=1e-4)
    narrow = step.distorted.clips["tones"]
    again = VerificationTrials(store, store.entries, 1.0, RATE, NARROW).clips["tones"]
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(narrow, again, strict=True))
    assert not torch.allclose(narrow[0][1], step.whole.clips["tones"][0][1], atol=1e-2)


class Told(Report):
    """Keeps what it is told."""

    def scalar(self, name: str, value: float) -> None:
        self.__dict__.setdefault("told", {})[name] = value


def test_backgrounds_are_seeded_and_fill_their_length(store: FeatureStore) -> None:
    for make in (lambda: babble(store, store.entries, 3, RATE, 2.0), lambda: coloured_noise(3, RATE, 2.0)):
        made = make()
        assert [background.shape for background in made] == [(2 * RATE,)] * 3
        assert all(float(background.abs().max()) == pytest.approx(1.0) for background in made)
        assert all(float(background[-RATE // 2 :].square().mean()) > 1e-4 for background in made)
        assert all(torch.equal(one, other) for one, other in zip(made, make(), strict=True))
        assert not torch.equal(made[0], made[1])


def test_noises_range_from_white_to_brown() -> None:
    def tilt(noise: Tensor) -> float:
        """dB from the octave at 500 Hz to that at 4 kHz, per hertz."""
        power = torch.fft.rfft(noise).abs().square()
        hertz = torch.fft.rfftfreq(len(noise), 1 / RATE)
        low, high = (power[(hertz > f) & (hertz < 2 * f)].mean() for f in (500, 4000))
        return float(10 * torch.log10(low / high))

    tilts = [tilt(noise) for noise in coloured_noise(20, RATE, 2.0)]
    assert -1 < min(tilts) < 5 and 13 < max(tilts) < 19  # three octaves of 0 to 6 dB


def test_a_folder_of_noise_without_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VoxcloneError, match="holds no audio"):
        recorded(tmp_path, RATE)
    write_audio(tmp_path / "hiss.wav", np.full(RATE, 0.1, np.float32), RATE)
    assert [noise.shape for noise in recorded(tmp_path, RATE // 2)] == [(RATE // 2,)]
