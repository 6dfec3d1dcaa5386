"""Training the detector alone, against a vocoder that is done: the mark stays as it is, the ear for it gets better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from voxclone.audio.resample import resample
from voxclone.audio.samples import as_pcm16
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


@dataclass(frozen=True)
class NaturalSpeech:
    """Recordings of a store.

    Attributes:
        store: Where they lie.
        entries: Which of them.
        sample_rate: Hz of the store.
    """

    store: FeatureStore
    entries: Sequence[Entry]
    sample_rate: int

    def cut(self, index: int, length: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.int16]:
        """A random piece of recording `index`, `length` samples at that rate."""
        needed = -(-length * self.sample_rate // sample_rate)
        entry = self.entries[index]
        start = int(rng.integers(entry.rows["waveform"][1] - needed + 1))
        piece = self.store.read(entry, "waveform", start, needed)
        if self.sample_rate == sample_rate:
            return piece
        other = resample(piece.astype(np.float32), self.sample_rate, sample_rate)[:length]
        return np.clip(np.rint(np.pad(other, (0, length - len(other)))), -32768, 32767).astype(np.int16)

    def long_enough(self, length: int, sample_rate: int) -> NaturalSpeech:
        """Without the recordings that are shorter than a piece."""
        needed = -(-length * self.sample_rate // sample_rate)
        kept = [entry for entry in self.entries if entry.rows["waveform"][1] >= needed]
        return NaturalSpeech(self.store, kept, self.sample_rate)

    def odds(self) -> NDArray[np.float64]:
        """How often each is drawn: a language of a corpus by the root of its size."""
        groups = [(entry.about["corpus"], entry.about["language"]) for entry in self.entries]
        sizes = Counter(groups)
        odds = np.array([sizes[group] ** -0.5 for group in groups])
        return np.asarray(odds / odds.sum())


class DetectorSegments(IterableDataset[dict[str, Tensor]]):
    """Batches of natural speech (B, S), from each source in turn, and of marked speech "made" (B, S).

    Args:
        sources: Natural speech.
        marked: Marked segments.
        sample_rate: Hz of the batches.
        batch_size: Of each of the two.
        batches_per_epoch: After how many the trainer counts an epoch.

    Raises:
        VoxcloneError: A source has no recording as long as a segment.
    """

    def __init__(
        self, sources: Sequence[NaturalSpeech], marked: Segments, sample_rate: int, batch_size: int,
        batches_per_epoch: int = 1000,
    ) -> None:  # fmt: skip
        self.marked, self.sample_rate = marked, sample_rate
        self.batch_size, self.batches_per_epoch = batch_size, batches_per_epoch
        self.sources = [source.long_enough(marked.shape[1], sample_rate) for source in sources]
        for source in self.sources:
            if not source.entries:
                raise VoxcloneError(f"{source.store.folder}: no recording that was given is as long as a segment")
        self.odds = [source.odds() for source in self.sources]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        length = self.marked.shape[1]
        for _ in range(self.batches_per_epoch):
            natural = []
            for place in range(self.batch_size):
                which = place % len(self.sources)
                index = int(rng.choice(len(self.odds[which]), p=self.odds[which]))
                natural.append(self.sources[which].cut(index, length, self.sample_rate, rng))
            made = self.marked[rng.integers(len(self.marked), size=self.batch_size)]
            yield {"natural": as_waveform(np.stack(natural)), "made": as_waveform(made)}


def as_waveform(segments: Segments) -> Tensor:
    """16-bit samples as float, full scale 1."""
    return torch.from_numpy(segments.astype(np.float32) / 32768)


def as_segments(waveform: Tensor, length: int) -> Segments:
    """(B, S) cut to whole pieces of that length: (N, length) in 16 bits."""
    pieces = waveform[:, : waveform.shape[1] // length * length].reshape(-1, length)
    return as_pcm16(pieces.float().numpy())


class Drawn:
    """An imitation that takes its speech from a pool, whatever the natural speech is."""

    def __init__(self, pool: Segments) -> None:
        self.pool = pool

    def __call__(self, natural: Tensor) -> Tensor:
        """(B, S) from the pool."""
        return as_waveform(self.pool[torch.randint(len(self.pool), (len(natural),)).numpy()])
