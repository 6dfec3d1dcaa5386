"""A speaker encoder that hears through short, distorted crops, in the embedding space of another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxclone.config import SpeakerEncoderConfig
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.sphere import unit
from voxclone.training.features import Entry
from voxclone.training.report import Report
from voxclone.training.speaker import SpeakerStep, VerificationTrials

Vectors = Mapping[str, NDArray[np.float32]]


class DistilledSpeakerStep(SpeakerStep):
    """Give a crop the embedding that a frozen teacher gives whole, clean recordings, and tell speakers apart.

    The loss is 1 - cosine to the teacher's embedding (after arXiv:1810.10884, section 3, without its second term, which
    compares classes), beside the additive angular margin of `SpeakerStep`. A student of the teacher's own sizes begins
    as a copy of it, and its batch normalisation keeps the teacher's statistics: those of distorted crops would move
    what clean recordings are embedded as. Any other begins as it is.

    Args:
        config: The encoder.
        n_speakers: Classes of `SpeakerCrops`.
        trials: To validate on.
        teacher: Whose embedding space is kept. It is asked only now.
        distorted: The same trials through channels.
        whole: Longer clean ones, on which the encoder should agree with its teacher.
        distillation_weight: Of the first loss; that of the second is 1.
        margin: This and what follows, as in `SpeakerStep`.
    """

    def __init__(
        self,
        config: SpeakerEncoderConfig,
        n_speakers: int,
        trials: VerificationTrials,
        teacher: SpeakerEncoder,
        distorted: VerificationTrials,
        whole: VerificationTrials,
        distillation_weight: float = 15.0,
        **margins: Any,
    ) -> None:
        super().__init__(config, n_speakers, trials, **margins)
        self.is_copy = _shapes(self.encoder) == _shapes(teacher)
        if self.is_copy:
            self.encoder.load_state_dict(teacher.state_dict())
        self.distorted, self.whole, self.wanted = distorted, whole, whole.embed(teacher)
        self.distillation_weight = distillation_weight

    def train(self, mode: bool = True) -> DistilledSpeakerStep:
        """As any module's, but batch normalisation of a copy stays as it is in evaluation."""
        super().train(mode)
        for module in self.encoder.modules():
            if self.is_copy and isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch of waveform (B, S), speaker (B,) and target (B, D), which has unit length."""
        embedding = self.encoder.embed(batch["waveform"])
        told = self.classify(embedding, batch["speaker"])
        distance = 1 - (embedding * batch["target"]).sum(1).mean()
        total = told["total"] + self.distillation_weight * distance
        return {**told, "total": total, "margin": told["total"].detach(), "distance": distance.detach()}

    def validate(self, report: Report, step: int) -> None:
        """Equal error rates, those through channels as well, and the mean cosine to the teacher on clean recordings."""
        super().validate(report, step)
        for name, value in self.distorted.error_rates(self.encoder).items():
            report.scalar(f"{name}_distorted", value)
        for corpus, own in self.whole.embed(self.encoder).items():
            report.scalar(f"teacher_cosine_{corpus}", float((own * self.wanted[corpus]).sum(1).mean()))


def speaker_targets(
    entries: Sequence[Entry], embeddings: Vectors, speaker_share: float
) -> dict[str, NDArray[np.float32]]:
    """What each recording's crops should be embedded as: between the recording's own embedding and the speaker's mean.

    Args:
        entries: Recordings with their speakers.
        embeddings: (D,) of unit length for each entry's key, by the teacher.
        speaker_share: 0 for the recording's own, 1 for the speaker's mean.

    Returns:
        (D,) of unit length for each entry's key.
    """
    means = speaker_means(entries, embeddings)
    targets = {}
    for entry in entries:
        own, mean = embeddings[entry.key], means[entry.about["speaker"]]
        targets[entry.key] = unit((1 - speaker_share) * own + speaker_share * mean).astype(np.float32)
    return targets


def speaker_prototypes(
    entries: Sequence[Entry], embeddings: Vectors, speakers: Sequence[str], sub_centres: int
) -> Tensor:
    """Where the classes of the margin begin: (speakers * sub_centres, D).

    The first of a speaker's centres is the mean of the teacher's embeddings; each further one is of a recording.
    """
    means, keys = speaker_means(entries, embeddings), defaultdict(list)
    for entry in entries:
        keys[entry.about["speaker"]].append(entry.key)
    rng, centres = np.random.default_rng(0), []
    for speaker in speakers:
        drawn = [embeddings[key] for key in rng.choice(keys[speaker], sub_centres - 1)]
        centres += [means[speaker], *drawn]
    return torch.from_numpy(np.stack(centres))


def speaker_means(entries: Sequence[Entry], embeddings: Vectors) -> dict[str, NDArray[np.float32]]:
    """(D,) of unit length for each speaker: the mean of the entries' embeddings."""
    sums: dict[str, NDArray[np.float32]] = {}
    for entry in entries:
        speaker = entry.about["speaker"]
        sums[speaker] = sums.get(speaker, 0) + embeddings[entry.key]
    return {speaker: unit(total).astype(np.float32) for speaker, total in sums.items()}


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}
