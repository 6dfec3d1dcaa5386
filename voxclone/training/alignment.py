"""Training the aligner, and storing the durations that it finds."""

from __future__ import annotations

import math
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from voxclone.config import AlignerConfig
from voxclone.kernels.monotonic_alignment import monotonic_alignment
from voxclone.models.aligner import Aligner, forward_sum_loss
from voxclone.training.features import FeatureStore
from voxclone.training.plots import draw_alignments
from voxclone.training.speech_data import TranscribedSpeech, pad_batch
from voxclone.training.trainer import Report, TrainingStep


class AlignmentStep(TrainingStep):
    """The forward-sum loss alone, at first with the prior and then without it, on speech with and without noise.

    The prior finds the diagonal; kept on, it pulls phonemes into long silences, where the speaker is not at the
    place that it expects. The paper's binarisation loss (section 2.3) is left out: durations are taken from the best
    path once, and with it the forward-sum loss stopped falling.

    Args:
        config: Sizes.
        sample: A batch to draw pictures of; None for none.
        prior_updates: How many updates the prior helps.
    """

    updates: Tensor

    def __init__(self, config: AlignerConfig, sample: dict[str, Tensor] | None, prior_updates: int = 700) -> None:
        super().__init__()
        self.aligner = Aligner(config)
        self.sample = sample
        self.prior_updates = prior_updates
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `pad_batch`."""
        mel, prior = batch["mel"], int(self.updates) < self.prior_updates
        if self.training:
            mel = with_noise(mel)
            self.updates += 1
        scores = self.aligner(batch["phoneme_ids"], batch["phoneme_lengths"], mel, batch["mel_lengths"], prior)
        return {"total": forward_sum_loss(scores, batch["phoneme_lengths"], batch["mel_lengths"])}

    def validate(self, report: Report, step: int) -> None:
        """The sample's loss, and pictures of its soft alignments with the hard path over them."""
        if self.sample is None:
            return
        batch = send_to_device(self.sample, self.aligner.log_factorial.device)
        inputs = (batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"])
        scores = self.aligner(*inputs, prior=int(self.updates) < self.prior_updates)
        report.scalar("valid_total", float(forward_sum_loss(scores, batch["phoneme_lengths"], batch["mel_lengths"])))
        durations = monotonic_alignment(scores, batch["phoneme_lengths"], batch["mel_lengths"])
        report.figure("alignment", draw_alignments(scores, durations, batch["mel_lengths"]))


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

    The confidence is the mean log-probability of the path's frames: low where text and audio disagree.
    """
    todo = TranscribedSpeech(store, [entry for entry in store.entries if entry.key not in target.keys])
    loader: DataLoader[Any] = DataLoader(todo, batch_size=8, collate_fn=pad_batch)
    for batch in tqdm(loader, desc="aligning", disable=None):
        batch = send_to_device(batch, aligner.log_factorial.device)
        inputs = (batch["phoneme_ids"], batch["phoneme_lengths"], batch["mel"], batch["mel_lengths"])
        log_probs = torch.log_softmax(aligner(*inputs, prior=False), dim=2)
        durations = monotonic_alignment(log_probs, batch["phoneme_lengths"], batch["mel_lengths"])
        for item, index in enumerate(batch["index"].tolist()):
            entry = todo.entries[index]
            own = durations[item, : int(batch["phoneme_lengths"][item])]
            path = torch.repeat_interleave(own)
            confidence = float(log_probs[item, : len(path)].gather(1, path[:, None]).mean())
            target.append(entry.key, {"confidence": confidence}, {"durations": own.cpu().numpy()})
