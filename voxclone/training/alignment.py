"""Training the aligner, and storing the durations that it finds."""

from __future__ import annotations

from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from voxclone.kernels.monotonic_alignment import monotonic_alignment
from voxclone.models.aligner import Aligner, forward_sum_loss
from voxclone.training.features import FeatureStore
from voxclone.training.plots import draw_alignments
from voxclone.training.speech_data import TranscribedSpeech, pad_batch
from voxclone.training.trainer import Report, TrainingStep


class AlignmentStep(TrainingStep):
    """The forward-sum loss alone.

    The paper's binarisation loss (section 2.3) is left out: durations are taken from the best path once, and with it
    the forward-sum loss stopped falling.
    """

    def __init__(self, n_symbols: int, n_mels: int, sample: dict[str, Tensor] | None) -> None:
        super().__init__()
        self.aligner = Aligner(n_symbols, n_mels)
        self.sample = sample

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `pad_batch`."""
        scores = self.aligner(batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"])
        return {"total": forward_sum_loss(scores, batch["phoneme_lengths"], batch["mel_lengths"])}

    def validate(self, report: Report, step: int) -> None:
        """The sample's loss, and pictures of its soft alignments with the hard path over them."""
        if self.sample is None:
            return
        batch = send_to_device(self.sample, self.aligner.log_factorial.device)
        scores = self.aligner(batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"])
        report.scalar("valid_total", float(forward_sum_loss(scores, batch["phoneme_lengths"], batch["mel_lengths"])))
        durations = monotonic_alignment(scores, batch["phoneme_lengths"], batch["mel_lengths"])
        report.figure("alignment", draw_alignments(scores, durations, batch["mel_lengths"]))


@torch.inference_mode()
def store_durations(aligner: Aligner, store: FeatureStore, target: FeatureStore) -> None:
    """Align every transcribed entry of `store`; `target` gets its durations and confidence, under the same key.

    The confidence is the mean log-probability of the path's frames: low where text and audio disagree.
    """
    todo = TranscribedSpeech(store, [entry for entry in store.entries if entry.key not in target.keys])
    loader: DataLoader[Any] = DataLoader(todo, batch_size=8, collate_fn=pad_batch)
    for batch in tqdm(loader, desc="aligning", disable=None):
        batch = send_to_device(batch, aligner.log_factorial.device)
        scores = aligner(batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"])
        durations = monotonic_alignment(scores, batch["phoneme_lengths"], batch["mel_lengths"])
        plain = aligner(batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"], prior=False)
        log_probs = torch.log_softmax(plain, dim=2)
        for item, index in enumerate(batch["index"].tolist()):
            entry = todo.entries[index]
            own = durations[item, : int(batch["phoneme_lengths"][item])]
            path = torch.repeat_interleave(own)
            confidence = float(log_probs[item, : len(path)].gather(1, path[:, None]).mean())
            target.append(entry.key, {"confidence": confidence}, {"durations": own.cpu().numpy()})
