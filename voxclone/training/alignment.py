"""Training the aligner, and storing the durations that it finds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from voxclone.config import AlignerConfig
from voxclone.layers.masks import length_mask
from voxclone.models.aligner import Aligner
from voxclone.text.symbols import SILENCES, SYMBOLS, symbol_ids
from voxclone.training.features import FeatureStore
from voxclone.training.plots import draw_alignments
from voxclone.training.report import Report
from voxclone.training.speech_data import TranscribedSpeech, pad_batch
from voxclone.training.step import TrainingStep


def aligner_config() -> AlignerConfig:
    """The aligner of this symbol table."""
    return AlignerConfig(n_symbols=len(SYMBOLS), states=2, pause_ids=tuple(symbol_ids(SILENCES[1:])))


class AlignmentStep(TrainingStep):
    """Viterbi training: the likelihood of the frames along the best path, which each update searches anew.

    The first updates take a path that is given, or phonemes of equal length (the flat start of HMM recognisers).

    Args:
        config: Sizes.
        sample: A batch to draw pictures of; None for none.
        first_updates: How many updates take the first path.
    """

    updates: Tensor

    def __init__(self, config: AlignerConfig, sample: dict[str, Tensor] | None, first_updates: int = 150) -> None:
        super().__init__()
        self.aligner = Aligner(config)
        self.sample = sample
        self.first_updates = first_updates
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `pad_batch`, in nats per frame and feature."""
        mel, lengths, path = batch["mel"], batch["mel_lengths"], self._path(batch)
        if self.training:
            mel = with_noise(mel)
            self.updates += 1
        inside = length_mask(lengths, mel.shape[2])
        likelihood = self.aligner.path_likelihood(batch["phoneme_ids"], batch["phoneme_lengths"], mel, lengths, path)
        return {"total": -(likelihood * inside).sum() / inside.sum() / (2 * self.aligner.config.cepstra)}

    @torch.no_grad()
    def _path(self, batch: dict[str, Tensor]) -> Tensor:
        """(B, T) the states that the update takes for true."""
        ids, counts = batch["phoneme_ids"], batch["phoneme_lengths"]
        if self.training and int(self.updates) < self.first_updates:
            durations = batch["durations"] if "durations" in batch else equal_durations(batch)
            return self.aligner.even_path(ids, counts, durations)
        return self.aligner.align(ids, counts, batch["mel"], batch["mel_lengths"]).states

    def validate(self, report: Report, step: int) -> None:
        """The sample's loss, and pictures of its likelihoods with the path over them."""
        if self.sample is None:
            return
        batch = send_to_device(self.sample, self.aligner.scale.device)
        report.scalar("valid_total", float(self(batch, "model")["total"]))
        inputs = (batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"])
        by_state = torch.nn.functional.one_hot(self._path(batch)).sum(1)
        by_state[:, -1] -= batch["mel"].shape[2] - batch["mel_lengths"]
        report.figure("alignment", draw_alignments(self.aligner(*inputs), by_state, batch["mel_lengths"]))


@torch.no_grad()
def set_scale(aligner: Aligner, batches: Iterable[dict[str, Tensor]]) -> None:
    """Divide each feature by its spread over some batches."""
    aligner.scale.fill_(1.0)
    squares = []
    for batch in batches:
        inside = length_mask(batch["mel_lengths"], batch["mel"].shape[2])
        squares.append(aligner.features(batch["mel"], batch["mel_lengths"])[inside].square().mean(0))
    aligner.scale.copy_(torch.stack(squares).mean(0).sqrt().clamp(min=1e-3))


def equal_durations(batch: dict[str, Tensor]) -> Tensor:
    """(B, N) the frames of each item shared out among its phonemes."""
    counts, frames = batch["phoneme_lengths"][:, None], batch["mel_lengths"][:, None]
    place = torch.arange(batch["phoneme_ids"].shape[1] + 1, device=counts.device)[None]
    return torch.diff(torch.minimum(place, counts) * frames // counts, dim=1)


def with_noise(mel: Tensor, share: float = 0.3) -> Tensor:
    """A share of natural-log mels (B, n_mels, T) over steady noise, 6 to 40 dB below their loudest tenth."""
    loudest = torch.quantile(mel.float(), 0.9, dim=2, keepdim=True).amax(1, keepdim=True)
    decibels = 6 + 34 * torch.rand(len(mel), 1, 1, device=mel.device)
    tilt = (
        torch.randn(len(mel), 1, 1, device=mel.device) * torch.linspace(-1, 1, mel.shape[1], device=mel.device)[:, None]
    )
    floor = loudest - decibels * math.log(10) / 20 + tilt + 0.25 * torch.randn_like(mel)
    chosen = torch.rand(len(mel), 1, 1, device=mel.device) < share
    return torch.where(chosen, torch.logaddexp(mel, floor), mel)


@torch.inference_mode()
def store_durations(aligner: Aligner, store: FeatureStore, target: FeatureStore) -> None:
    """Align every transcribed entry of `store`; `target` gets its durations and confidence, under the same key.

    The confidence is the mean over frames of the path's log-likelihood less that of the best symbol of the table, in
    nats per frame: low where text and audio disagree.
    """
    todo = TranscribedSpeech(store, [entry for entry in store.entries if entry.key not in target.keys])
    loader: DataLoader[Any] = DataLoader(todo, batch_size=8, collate_fn=pad_batch)
    for batch in tqdm(loader, desc="aligning", disable=None):
        batch = send_to_device(batch, aligner.scale.device)
        mel, lengths = batch["mel"], batch["mel_lengths"]
        path = aligner.align(batch["phoneme_ids"], batch["phoneme_lengths"], mel, lengths)
        gap = path.likelihoods - aligner.best_scores(mel, lengths)[:, : path.states.shape[1]]
        gap = gap * length_mask(lengths, gap.shape[1])
        confidences = (gap.sum(1) / lengths).tolist()
        for item, index in enumerate(batch["index"].tolist()):
            found = path.durations[item, : int(batch["phoneme_lengths"][item])].cpu().numpy()
            target.append(todo.entries[index].key, {"confidence": confidences[item]}, {"durations": found})
