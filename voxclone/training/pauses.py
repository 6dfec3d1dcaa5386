"""Teaching `PausePredictor` where speakers pause: between which words of aligned recordings there is a silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import IterableDataset
from tqdm import tqdm

from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.pauses import PausePredictor
from voxclone.text.symbols import SILENCES, SPACE
from voxclone.training.step import TrainingStep
from voxclone.training.voiced_speech import VoicedSpeech, voiced_batch

READ_AT_ONCE = 16  # recordings
NEIGHBOURS = 200  # recordings of like length, among which those of a batch are drawn
_SPACE = SILENCES.index(SPACE)


class PausedSpeech(IterableDataset[dict[str, Tensor]]):
    """Batches of half-read text and of the places where its speaker paused.

    Each text is read once, without those pauses, in a voice made of the speaker's own recordings, and kept in memory.

    Args:
        model: Reads; in eval mode.
        speech: Aligned recordings.
        batches: Of an epoch.
        batch_size: Recordings in a batch.
    """

    def __init__(self, model: AcousticModel, speech: VoicedSpeech, batches: int = 300, batch_size: int = 24) -> None:
        self.batches, self.batch_size = batches, batch_size
        self.texts: list[dict[str, Tensor]] = []  # short ones first
        order = np.argsort([entry.rows["phoneme_ids"][1] for entry in speech.entries], kind="stable").tolist()
        for start in tqdm(range(0, len(order), READ_AT_ONCE), desc="reading", disable=None):
            batch = voiced_batch([speech[index] for index in order[start : start + READ_AT_ONCE]])
            ids = torch.where(batch["pauses"], _SPACE, batch["phoneme_ids"])
            with torch.inference_mode():
                voice = (batch["speaker_embedding"], batch["f0_median"], batch["spectrum"])
                condition = model.condition(*voice, manner=batch["manner"])
                x, _ = model.begin(ids, batch["phoneme_lengths"], condition)
            for row, length in enumerate(batch["phoneme_lengths"].tolist()):
                self.texts.append(
                    {
                        "x": x[row, :length].half().clone(),
                        "condition": condition[row].clone(),
                        "spaces": ids[row, :length] == _SPACE,
                        "pauses": batch["pauses"][row, :length],
                    }
                )

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        for _ in range(self.batches):
            first = int(rng.integers(max(1, len(self.texts) - NEIGHBOURS)))
            near = self.texts[first : first + NEIGHBOURS]
            yield _batch([near[at] for at in rng.choice(len(near), min(self.batch_size, len(near)), replace=False)])

    def in_order(self) -> Iterator[dict[str, Tensor]]:
        """All texts, once."""
        for start in range(0, len(self.texts), self.batch_size):
            yield _batch(self.texts[start : start + self.batch_size])


def _batch(texts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Stack x (B, N, D), mask, spaces and pauses (B, N), condition (B, C)."""
    stacked = {
        name: nn.utils.rnn.pad_sequence([text[name] for text in texts], batch_first=True)
        for name in ("x", "spaces", "pauses")
    }
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(text["spaces"]) for text in texts], batch_first=True)
    condition = torch.stack([text["condition"] for text in texts])
    return {**stacked, "x": stacked["x"].float(), "mask": mask, "condition": condition}


class PauseStep(TrainingStep):
    """Tell the spaces at which a speaker paused from the others.

    Args:
        model: Whose text is read; its own predictor's sizes are taken, not its weights.
    """

    def __init__(self, model: AcousticModel) -> None:
        super().__init__()
        dim = model.config.hidden_dim
        self.pauses = PausePredictor(dim, dim, model.config.predictor_dropout)

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Cross-entropy over the spaces of a batch from `PausedSpeech`, in nats."""
        odds = self.pauses(batch["x"], batch["mask"], batch["condition"])[batch["spaces"]]
        paused = batch["pauses"][batch["spaces"]].float()
        return {"total": functional.binary_cross_entropy_with_logits(odds, paused)}


@torch.inference_mode()
def set_bar(pauses: PausePredictor, batches: Iterable[dict[str, Tensor]]) -> dict[str, float]:
    """Set the bar so that as many pauses are made as there are, in speech that the predictor was not taught with.

    Returns:
        Shares: `real` of the spaces are pauses, `made` are now; `right` is that of the made ones that are real, `found`
        that of the real ones that are made.
    """
    odds, real = [], []
    for batch in batches:
        odds.append(pauses(batch["x"], batch["mask"], batch["condition"])[batch["spaces"]])
        real.append(batch["pauses"][batch["spaces"]])
    scores, paused = torch.cat(odds), torch.cat(real)
    count = max(1, int(paused.sum()))
    pauses.bar.copy_(scores.sort(descending=True).values[:count].min())
    made = scores >= pauses.bar
    both = (made & paused).float()
    shares = {"real": paused.float().mean(), "made": made.float().mean()}
    shares |= {"right": both.sum() / made.sum(), "found": both.sum() / paused.sum().clamp(min=1)}
    return {name: round(float(share), 4) for name, share in shares.items()}
