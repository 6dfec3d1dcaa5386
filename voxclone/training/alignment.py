"""Training the aligner, and storing the durations that it finds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from voxclone.kernels.monotonic_alignment import monotonic_alignment
from voxclone.models.aligner import Aligner, forward_sum_loss
from voxclone.training.features import FeatureStore
from voxclone.training.speech_data import TranscribedSpeech, pad_batch
from voxclone.training.trainer import Report, TrainingStep


class AlignmentStep(TrainingStep):
    """Forward-sum loss, and from `binarize_from` on the binarisation loss (arXiv:2108.10447, section 2.3)."""

    def __init__(self, n_symbols: int, n_mels: int, sample: dict[str, Tensor] | None, binarize_from: int = 800) -> None:
        super().__init__()
        self.aligner = Aligner(n_symbols, n_mels)
        self.sample = sample
        self.binarize_from = binarize_from
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))
        self.updates: Tensor

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `pad_batch`."""
        scores = self.aligner(batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"])
        losses = {"forward_sum": forward_sum_loss(scores, batch["phoneme_lengths"], batch["mel_lengths"])}
        self.updates += 1
        if int(self.updates) > self.binarize_from:
            losses["binarization"] = _path_loss(scores, batch)
        losses["total"] = torch.stack(list(losses.values())).sum()
        return losses

    def validate(self, report: Report, step: int) -> None:
        """Pictures of the soft alignment, the hard path over it."""
        if self.sample is None:
            return
        from matplotlib.figure import Figure

        batch = self.sample
        scores = self.aligner(batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"])
        durations = monotonic_alignment(scores, batch["phoneme_lengths"], batch["mel_lengths"])
        figure = Figure(figsize=(12, 8), layout="tight")
        for place, item in enumerate(range(min(4, len(scores))), 1):
            axes = figure.add_subplot(2, 2, place)
            frames, phonemes = int(batch["mel_lengths"][item]), int(batch["phoneme_lengths"][item])
            soft = torch.softmax(scores[item, :frames, :phonemes], dim=1)
            axes.imshow(soft.T.cpu(), aspect="auto", origin="lower", interpolation="nearest")
            ends = torch.cumsum(torch.as_tensor(durations)[item, :phonemes], 0)
            axes.step(ends, torch.arange(phonemes), where="pre", color="red", linewidth=0.6)
        report.figure("alignment", figure)


def _path_loss(scores: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Negative log-probability of the best monotonic path, per frame."""
    durations = torch.as_tensor(
        monotonic_alignment(scores.detach(), batch["phoneme_lengths"], batch["mel_lengths"])
    ).to(scores.device)
    log_probs = torch.log_softmax(scores, dim=2)
    loss = scores.new_zeros(())
    for item, length in enumerate(batch["mel_lengths"].tolist()):
        path = torch.repeat_interleave(durations[item])
        loss = loss - log_probs[item, torch.arange(length, device=scores.device), path].mean()
    return loss / len(scores)


@torch.inference_mode()
def store_durations(aligner: Aligner, store: FeatureStore, target: FeatureStore) -> None:
    """Align every transcribed entry of `store`; `target` gets its durations and confidence, under the same key.

    The confidence is the mean log-probability of the path's frames: low where text and audio disagree.
    """
    todo = TranscribedSpeech(store, [entry for entry in store.entries if entry.key not in target.keys])
    loader: DataLoader[Any] = DataLoader(todo, batch_size=8, collate_fn=pad_batch)
    for batch in tqdm(loader, desc="aligning", disable=None):
        scores = aligner(batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"])
        durations = torch.as_tensor(monotonic_alignment(scores, batch["phoneme_lengths"], batch["mel_lengths"]))
        plain = aligner(batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"], prior=False)
        log_probs = torch.log_softmax(plain, dim=2)
        for item, index in enumerate(batch["index"].tolist()):
            entry = todo.entries[index]
            own = durations[item, : int(batch["phoneme_lengths"][item])]
            path = torch.repeat_interleave(own)
            confidence = float(log_probs[item, torch.arange(len(path)), path].mean())
            target.append(entry.key, {"confidence": confidence}, {"durations": own.numpy()})
