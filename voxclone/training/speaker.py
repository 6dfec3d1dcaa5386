"""Training the speaker encoder: augmented crops, additive-angular-margin softmax, verification on held-out speakers."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import IterableDataset
from tqdm import tqdm

from voxclone.audio.resample import resample
from voxclone.config import SpeakerEncoderConfig
from voxclone.errors import VoxcloneError
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.augmentation import Augmentation
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.metrics import equal_error_rate
from voxclone.training.report import Report
from voxclone.training.step import TrainingStep

SPEEDS = (1.0, 0.9, 1.1)


class SpeakerCrops(IterableDataset[dict[str, Tensor]]):
    """Batches of crops, each from another speaker; speakers drawn by the square root of their recordings.

    A crop may be played at another of `SPEEDS`, pitch and all: it then counts as one more speaker, numbered
    `len(speakers) * index of the speed + speaker`, as VoxCeleb recipes do.

    Args:
        store: Recordings (S,) at `sample_rate`.
        entries: Those to draw from.
        augmentation: The channel that a crop comes through.
        batch_size: Crops in a batch.
        crop_seconds: Length of each; of two numbers, a length between them is drawn for each batch.
        sample_rate: Hz.
        speed_probability: How often a crop's speed is changed.
        batches_per_epoch: After how many the trainer counts an epoch.
        targets: (D,) for each entry's key, if batches are to have that of the recording of each crop as `target`
            (B, D), whatever its speed.

    Raises:
        VoxcloneError: There are fewer speakers than crops in a batch.
    """

    def __init__(
        self,
        store: FeatureStore,
        entries: Sequence[Entry],
        augmentation: Augmentation,
        batch_size: int,
        crop_seconds: float | Sequence[float],
        sample_rate: int,
        speed_probability: float = 0.0,
        batches_per_epoch: int = 1000,
        targets: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        self.store, self.augmentation, self.batch_size = store, augmentation, batch_size
        shortest, longest = (crop_seconds, crop_seconds) if isinstance(crop_seconds, int | float) else crop_seconds
        self.crops, self.sample_rate = (int(shortest * sample_rate), int(longest * sample_rate)), sample_rate
        self.speed_probability = speed_probability
        self.batches_per_epoch, self.targets = batches_per_epoch, targets
        by_speaker: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            by_speaker[entry.about["speaker"]].append(entry)
        self.speakers = sorted(by_speaker)
        if len(self.speakers) < batch_size:
            raise VoxcloneError(
                f"{store.folder} has {len(self.speakers)} speakers to train on, and a batch takes {batch_size} "
                "different ones: lower batch_size, or add speakers"
            )
        self.recordings = [by_speaker[speaker] for speaker in self.speakers]
        weights = np.sqrt([len(recordings) for recordings in self.recordings])
        self.weights = weights / weights.sum()

    @property
    def n_classes(self) -> int:
        """Speakers to tell apart, those at other speeds included."""
        return len(self.speakers) * (len(SPEEDS) if self.speed_probability > 0 else 1)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        for _ in range(self.batches_per_epoch):
            chosen = rng.choice(len(self.speakers), self.batch_size, replace=False, p=self.weights)
            changed = rng.random(self.batch_size) < self.speed_probability
            speeds = np.where(changed, rng.integers(1, len(SPEEDS), self.batch_size), 0)
            drawn = [self._draw(self.recordings[i], rng) for i in chosen]
            length = self._length(rng)
            read = [self._read(entry, SPEEDS[s], length, rng) for entry, s in zip(drawn, speeds, strict=True)]
            crops = [self.augmentation(torch.from_numpy(crop), rng) for crop in read]
            classes = chosen + speeds * len(self.speakers)
            batch = {"waveform": torch.stack(crops), "speaker": torch.from_numpy(classes)}
            if self.targets is not None:
                batch["target"] = torch.from_numpy(np.stack([self.targets[entry.key] for entry in drawn]))
            yield batch

    @torch.inference_mode()
    def prototypes(self, encoder: SpeakerEncoder, batch_size: int = 32) -> Tensor:
        """(n_classes, D) embedding of one crop of each class, its channel as it is: where training goes on from."""
        rng = np.random.default_rng(0)
        speeds = SPEEDS[: self.n_classes // len(self.speakers)]
        classes = [(recordings, speed) for speed in speeds for recordings in self.recordings]
        found = []
        for start in tqdm(range(0, len(classes), batch_size), desc="prototypes", disable=None):
            part = classes[start : start + batch_size]
            crops = [self._read(self._draw(own, rng), speed, self.crops[1], rng) for own, speed in part]
            found.append(encoder.embed(torch.from_numpy(np.stack(crops))))
        return torch.cat(found)

    def _length(self, rng: np.random.Generator) -> int:
        """Samples of a batch's crops; whole tenths of a second, as transforms of prime lengths are slow."""
        shortest, longest = self.crops
        tenth = self.sample_rate // 10
        return max(shortest, int(rng.integers(shortest, longest + 1)) // tenth * tenth)

    def _draw(self, recordings: list[Entry], rng: np.random.Generator) -> Entry:
        return recordings[rng.integers(len(recordings))]

    def _read(self, entry: Entry, speed: float, crop: int, rng: np.random.Generator) -> NDArray[np.float32]:
        count, wanted = entry.rows["waveform"][1], math.ceil(crop * speed)
        length = min(count, wanted)
        start = int(rng.integers(count - length + 1))
        samples = self.store.read(entry, "waveform", start, length).astype(np.float32) / np.float32(32768)
        if speed != 1.0:
            samples = resample(samples, round(self.sample_rate * speed), self.sample_rate)
        return np.tile(samples, math.ceil(crop / len(samples)))[:crop]


class SpeakerStep(TrainingStep):
    """Classify crops by speaker with an additive angular margin (ArcFace, arXiv:1801.07698, eq. 3).

    Args:
        config: The encoder.
        n_speakers: Classes of `SpeakerCrops`.
        trials: To validate on.
        margin: Angle in radians.
        scale: Of the cosines.
        margin_updates: Over which the margin grows from 0.
        sub_centres: Prototypes of each speaker, of which the nearest counts (arXiv:2011.04562 for noisy labels); in a
            corpus where a speaker has several channels, each may have its own.
        top_k: How many of the nearest other speakers are held further away (inter-top-k, arXiv:2110.05042).
        top_k_margin: By how much, as an angle in radians.
    """

    def __init__(
        self,
        config: SpeakerEncoderConfig,
        n_speakers: int,
        trials: VerificationTrials | None,
        margin: float = 0.2,
        scale: float = 30.0,
        margin_updates: int = 2500,
        sub_centres: int = 1,
        top_k: int = 0,
        top_k_margin: float = 0.06,
    ) -> None:
        super().__init__()
        self.encoder = SpeakerEncoder(config)
        self.prototypes = nn.Parameter(torch.randn(n_speakers * sub_centres, config.embedding_dim) * 0.05)
        self.margin, self.scale, self.trials = margin, scale, trials
        self.sub_centres, self.top_k, self.top_k_margin = sub_centres, top_k, top_k_margin
        self.margin_updates = margin_updates
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))
        self.updates: Tensor

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch of waveform (B, S) and speaker (B,)."""
        return self.classify(self.encoder.embed(batch["waveform"]), batch["speaker"])

    def classify(self, embedding: Tensor, speaker: Tensor) -> dict[str, Tensor]:
        """Named losses of embeddings (B, D) of unit length; counts as an update, for the growth of the margin."""
        self.updates += 1
        grown = min(1.0, float(self.updates) / max(1, self.margin_updates))
        with torch.autocast(embedding.device.type, enabled=False):
            cosine = embedding @ functional.normalize(self.prototypes.float(), dim=1).T
            cosine = cosine.view(len(cosine), -1, self.sub_centres).amax(2)
            target = functional.one_hot(speaker, cosine.shape[1]).bool()
            shift = torch.where(target, grown * self.margin, 0.0)
            if self.top_k:
                nearest = cosine.detach().masked_fill(target, -2.0).topk(self.top_k, dim=1).indices
                shift = shift.scatter(1, nearest, -grown * self.top_k_margin)
            angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
            logits = torch.where(shift == 0, cosine, torch.cos((angle + shift).clamp(0, math.pi)))
            loss = functional.cross_entropy(self.scale * logits, speaker)
        accuracy = (cosine.argmax(1) == speaker).float().mean()
        return {"total": loss, "accuracy": accuracy.detach()}

    def validate(self, report: Report, step: int) -> None:
        """Equal error rates over the trials."""
        if self.trials is not None:
            for name, value in self.trials.error_rates(self.encoder).items():
                report.scalar(name, value)


class VerificationTrials:
    """All pairs of held-out recordings within each corpus, cropped to a length.

    Args:
        store: Recordings (S,) at `sample_rate`.
        entries: Those to compare; shorter ones are left out.
        seconds: Length of the middle part that is compared.
        sample_rate: Hz.
        channel: Sends each through a channel of its own, always the same one; None leaves them as they are.
    """

    def __init__(
        self,
        store: FeatureStore,
        entries: Sequence[Entry],
        seconds: float,
        sample_rate: int,
        channel: Augmentation | None = None,
    ) -> None:
        length, rng = int(seconds * sample_rate), np.random.default_rng(0)
        self.clips: dict[str, list[tuple[str, Tensor]]] = defaultdict(list)
        for entry in entries:
            samples = store.read(entry, "waveform").astype(np.float32) / 32768
            if len(samples) >= length:
                middle = (len(samples) - length) // 2
                clip = torch.from_numpy(samples[middle : middle + length])
                clip = clip if channel is None else channel(clip, rng)
                self.clips[entry.about["corpus"]].append((entry.about["speaker"], clip))

    @torch.inference_mode()
    def embed(self, encoder: SpeakerEncoder) -> dict[str, Tensor]:
        """(N, D) of each corpus's clips, on the CPU."""
        found = {}
        for corpus, clips in self.clips.items():
            waveforms = torch.stack([clip for _, clip in clips]).to(encoder.project.weight.device)
            found[corpus] = torch.cat([encoder.embed(part) for part in torch.split(waveforms, 32)]).cpu()
        return found

    def error_rates(self, encoder: SpeakerEncoder) -> dict[str, float]:
        """EER in percent by corpus."""
        rates = {}
        for corpus, embeddings in self.embed(encoder).items():
            clips = self.clips[corpus]
            scores: dict[bool, list[Any]] = {True: [], False: []}
            similarity = (embeddings @ embeddings.T).numpy()
            for i, j in itertools.combinations(range(len(clips)), 2):
                scores[clips[i][0] == clips[j][0]].append(similarity[i, j])
            if scores[True] and scores[False]:
                rates[f"eer_{corpus}"] = 100 * equal_error_rate(scores[True], scores[False])
        return rates
