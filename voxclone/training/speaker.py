"""Training the speaker encoder: augmented crops, additive-angular-margin softmax, verification on held-out speakers."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import IterableDataset

from voxclone.config import SpeakerEncoderConfig
from voxclone.errors import VoxcloneError
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.augmentation import Augmentation
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.metrics import equal_error_rate
from voxclone.training.trainer import Report, TrainingStep


class SpeakerCrops(IterableDataset[dict[str, Tensor]]):
    """Batches of crops, each from another speaker; speakers drawn by the square root of their recordings.

    Raises:
        VoxcloneError: There are fewer speakers than crops in a batch.
    """

    def __init__(
        self,
        store: FeatureStore,
        entries: Sequence[Entry],
        augmentation: Augmentation,
        batch_size: int,
        crop_seconds: float,
        sample_rate: int,
        batches_per_epoch: int = 1000,
    ) -> None:
        self.store, self.augmentation, self.batch_size = store, augmentation, batch_size
        self.crop = int(crop_seconds * sample_rate)
        self.batches_per_epoch = batches_per_epoch
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

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        for _ in range(self.batches_per_epoch):
            chosen = rng.choice(len(self.speakers), self.batch_size, replace=False, p=self.weights)
            crops = [self._crop(self.recordings[index], rng) for index in chosen]
            yield {"waveform": torch.stack(crops), "speaker": torch.from_numpy(chosen)}

    def _crop(self, recordings: list[Entry], rng: np.random.Generator) -> Tensor:
        entry = recordings[rng.integers(len(recordings))]
        count = entry.rows["waveform"][1]
        length = min(count, self.crop)
        start = int(rng.integers(count - length + 1))
        samples = self.store.read(entry, "waveform", start, length).astype(np.float32) / 32768
        samples = np.tile(samples, math.ceil(self.crop / length))[: self.crop]
        return self.augmentation(torch.from_numpy(samples), rng)


class SpeakerStep(TrainingStep):
    """Classify crops by speaker with an additive angular margin (ArcFace, arXiv:1801.07698, eq. 3)."""

    def __init__(
        self,
        config: SpeakerEncoderConfig,
        n_speakers: int,
        trials: VerificationTrials | None,
        margin: float = 0.2,
        scale: float = 30.0,
        margin_updates: int = 2500,
    ) -> None:
        super().__init__()
        self.encoder = SpeakerEncoder(config)
        self.prototypes = nn.Parameter(torch.randn(n_speakers, config.embedding_dim) * 0.05)
        self.margin, self.scale, self.trials = margin, scale, trials
        self.margin_updates = margin_updates  # over which the margin grows from 0
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))
        self.updates: Tensor

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch of waveform (B, S) and speaker (B,)."""
        self.updates += 1
        margin = self.margin * min(1.0, float(self.updates) / self.margin_updates)
        embedding = self.encoder.embed(batch["waveform"])
        with torch.autocast(embedding.device.type, enabled=False):
            cosine = embedding @ functional.normalize(self.prototypes.float(), dim=1).T
            angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
            target = functional.one_hot(batch["speaker"], cosine.shape[1]).bool()
            logits = torch.where(target, torch.cos((angle + margin).clamp(max=math.pi)), cosine)
            loss = functional.cross_entropy(self.scale * logits, batch["speaker"])
        accuracy = (cosine.argmax(1) == batch["speaker"]).float().mean()
        return {"total": loss, "accuracy": accuracy.detach()}

    def validate(self, report: Report, step: int) -> None:
        """Equal error rates over the trials."""
        if self.trials is not None:
            for name, value in self.trials.error_rates(self.encoder).items():
                report.scalar(name, value)


class VerificationTrials:
    """All pairs of held-out recordings within each corpus, cropped to a length."""

    def __init__(self, store: FeatureStore, entries: Sequence[Entry], seconds: float, sample_rate: int) -> None:
        length = int(seconds * sample_rate)
        self.clips: dict[str, list[tuple[str, Tensor]]] = defaultdict(list)
        for entry in entries:
            samples = store.read(entry, "waveform").astype(np.float32) / 32768
            if len(samples) >= length:
                middle = (len(samples) - length) // 2
                clip = torch.from_numpy(samples[middle : middle + length])
                self.clips[entry.about["corpus"]].append((entry.about["speaker"], clip))

    @torch.inference_mode()
    def error_rates(self, encoder: SpeakerEncoder) -> dict[str, float]:
        """EER in percent by corpus."""
        rates = {}
        for corpus, clips in self.clips.items():
            waveforms = torch.stack([clip for _, clip in clips]).to(encoder.entry.weight.device)
            embeddings = torch.cat([encoder.embed(part) for part in torch.split(waveforms, 32)])
            scores: dict[bool, list[Any]] = {True: [], False: []}
            similarity = (embeddings @ embeddings.T).cpu().numpy()
            for i, j in itertools.combinations(range(len(clips)), 2):
                scores[clips[i][0] == clips[j][0]].append(similarity[i, j])
            if scores[True] and scores[False]:
                rates[f"eer_{corpus}"] = 100 * equal_error_rate(scores[True], scores[False])
        return rates
