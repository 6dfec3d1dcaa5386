"""Training the detector alone, against a vocoder that is done: the mark stays as it is, the ear for it gets better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from voxclone.errors import VoxcloneError
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.step import TrainingStep
from voxclone.training.watermark import CollaborativeMark

Segments = NDArray[np.int16]  # (N, S)


class DetectorStep(TrainingStep):
    """The detector's own loss, for batches from `DetectorSegments`."""

    phases = ("detector",)

    def __init__(self, mark: CollaborativeMark) -> None:
        super().__init__()
        self.mark = mark

    def parameters_of(self, phase: str) -> Iterable[nn.Parameter]:
        """The detector's."""
        return self.mark.detector.parameters()

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses."""
        losses = self.mark.detector_loss(batch["natural"], batch["made"])
        return {"total": losses.pop("loss"), **losses}


class DetectorSegments(IterableDataset[dict[str, Tensor]]):
    """Batches of natural (B, S) and of marked speech "made" (B, S), at random levels.

    Args:
        store: Natural speech at the vocoder's rate.
        entries: Which of it, one corpus and language as often as another.
        marked: Marked segments.
        batch_size: Of each of the two.
        batches_per_epoch: After how many the trainer counts an epoch.

    Raises:
        VoxcloneError: No entry is as long as a segment.
    """

    def __init__(
        self, store: FeatureStore, entries: Sequence[Entry], marked: Segments, batch_size: int,
        batches_per_epoch: int = 1000,
    ) -> None:  # fmt: skip
        self.store, self.marked, self.batch_size = store, marked, batch_size
        self.batches_per_epoch = batches_per_epoch
        self.entries = [entry for entry in entries if entry.rows["waveform"][1] >= marked.shape[1]]
        if not self.entries:
            raise VoxcloneError(f"{store.folder}: none of the {len(entries)} recordings given is as long as a segment")
        groups = [(entry.about["corpus"], entry.about["language"]) for entry in self.entries]
        odds = np.array([groups.count(group) ** -0.5 for group in groups])
        self.odds = odds / odds.sum()

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        for _ in range(self.batches_per_epoch):
            chosen = rng.choice(len(self.entries), self.batch_size, p=self.odds)
            natural = np.stack([self._cut(self.entries[index], rng) for index in chosen])
            made = self.marked[rng.integers(len(self.marked), size=self.batch_size)]
            yield {"natural": as_waveform(natural), "made": as_waveform(made)}

    def _cut(self, entry: Entry, rng: np.random.Generator) -> NDArray[np.int16]:
        length = self.marked.shape[1]
        start = int(rng.integers(entry.rows["waveform"][1] - length + 1))
        return self.store.read(entry, "waveform", start, length)


def as_waveform(segments: Segments) -> Tensor:
    """16-bit samples as float, full scale 1."""
    return torch.from_numpy(segments.astype(np.float32) / 32768)


def as_segments(waveform: Tensor, length: int) -> Segments:
    """(B, S) cut to whole pieces of that length: (N, length) in 16 bits."""
    pieces = waveform[:, : waveform.shape[1] // length * length].reshape(-1, length)
    pcm: Segments = np.clip(np.rint(pieces.float().numpy() * 32768), -32768, 32767).astype(np.int16)
    return pcm


class Drawn:
    """An imitation that takes its speech from a pool, whatever the natural speech is."""

    def __init__(self, pool: Segments) -> None:
        self.pool = pool

    def __call__(self, natural: Tensor) -> Tensor:
        """(B, S) from the pool."""
        return as_waveform(self.pool[torch.randint(len(self.pool), (len(natural),)).numpy()])
