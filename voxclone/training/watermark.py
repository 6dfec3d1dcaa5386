"""Teaching a vocoder its mark: detector and vocoder together, through a channel (arXiv:2309.15224, 2409.13382).

The detector's loss asks it to tell the vocoder's speech from natural speech and from speech of other vocoders; the
vocoder's asks it to be found. Both hear everything through the channel, so that what they agree on is what survives it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.config import WatermarkConfig
from voxclone.models.watermark import WatermarkDetector, pool
from voxclone.training.channel import Channel, WhiteNoise
from voxclone.training.distortions import resample_periodic

QUIET_DB = -45.0  # a frame this far below its row's loudest bears little on the loss
QUIET_WEIGHT = 0.1
MARGIN = 3.0  # evidence of a row, at which the vocoder is half content
SOFTNESS = 2.0  # evidence over which its pull fades

Imitation = Callable[[Tensor], Tensor]  # natural (B, S) to its unmarked resynthesis (B, S)


class CollaborativeMark(nn.Module):
    """The detector, the channel, and both losses; for the step object that trains a vocoder.

    Args:
        config: The detector.
        channel: At the vocoder's sample rate.
        imitations: Unmarked resyntheses (other vocoders, Griffin-Lim), so that the detector learns the mark and not
            what all synthetic speech has in common. One is drawn for each batch.
        segments: How many segments are joined to a row: the detector hears more than one segment's length.
    """

    def __init__(
        self,
        config: WatermarkConfig,
        channel: Channel | WhiteNoise,
        imitations: Sequence[Imitation] = (),
        segments: int = 2,
    ) -> None:
        super().__init__()
        self.detector = WatermarkDetector(config)
        self.channel, self.imitations, self.segments = channel, imitations, segments

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> CollaborativeMark:
        """Imitations go to the device that the detector goes to; they are no part of what is trained or saved."""
        for imitation in self.imitations:
            if isinstance(imitation, nn.Module):
                imitation._apply(fn)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]

    def detector_loss(self, natural: Tensor, made: Tensor) -> dict[str, Tensor]:
        """What the detector minimises, and how often it is right.

        Args:
            natural: (B, S) at the channel's sample rate.
            made: (B, S) by the vocoder that is to be marked; no gradient flows into it.

        Returns:
            "loss"; "found" and "false", shares of marked and unmarked frames above even odds. All scalars.
        """
        rng = _generator()
        made = made.detach()
        unmarked = [natural]
        if self.imitations:
            imitate = self.imitations[int(rng.integers(len(self.imitations)))]
            with torch.no_grad():
                unmarked.append(imitate(natural[rng.permutation(len(natural))[: max(1, len(natural) // 2)]]))
        pieces = torch.cat([made, *(piece.float() for piece in unmarked)])
        marked = torch.zeros(len(pieces), device=made.device)
        marked[: len(made)] = 1
        order = np.concatenate([rng.permutation(len(made)), rng.permutation(np.arange(len(made), len(pieces)))])
        if rng.random() < 0.5:  # some rows change from one to the other within
            order = np.roll(order, 1)
        waveform, labels = self._rows(pieces[order], marked[order])
        evidence, weight, labels, heard = self._listen(waveform, labels, rng)
        loss = _frame_loss(evidence, labels, heard) + _row_loss(evidence, weight, labels)
        found, truly = evidence > 0, labels > 0.5
        return {
            "loss": loss,
            "found": _share(found, truly & (heard > 0.5)),
            "false": _share(found, ~truly & (heard > 0.5)),
        }

    def vocoder_loss(self, made: Tensor) -> Tensor:
        """What the vocoder adds to its own losses: the odds that rows of its speech (B, S) are missed. Scalar, 0 to 1.

        Unlike cross-entropy it flattens at both ends: a row that is found at ease, or that the channel left nothing of,
        pulls no longer, and costs no quality.
        """
        rng = _generator()
        waveform, labels = self._rows(made, torch.ones(len(made), device=made.device))
        evidence, weight, _, _ = self._listen(waveform, labels, rng)
        return torch.sigmoid((MARGIN - pool(evidence, weight)) / SOFTNESS).mean()

    def _rows(self, pieces: Tensor, marked: Tensor) -> tuple[Tensor, Tensor]:
        """Segments (N, S) joined to rows of `segments`, some used twice where N is no multiple, and sample labels."""
        short = -len(pieces) % self.segments
        pieces, marked = torch.cat([pieces, pieces[:short]]), torch.cat([marked, marked[:short]])
        rows = pieces.reshape(len(pieces) // self.segments, -1)
        return rows, marked.repeat_interleave(pieces.shape[1]).view_as(rows)

    def _listen(
        self, waveform: Tensor, labels: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Through the channel to the detector: evidence, weight, labels and what each frame counts, all (B, T)."""
        config = self.detector.config
        waveform, labels = self.channel(waveform, labels, rng)
        length = round(waveform.shape[1] * config.sample_rate / self.channel.sample_rate)
        waveform = resample_periodic(waveform, length)
        evidence, weight = self.detector(waveform)
        frames = evidence.shape[1]
        labels = F.interpolate(labels[:, None], frames, mode="area")[:, 0]
        samples = waveform.detach()[:, : frames * config.frame_length].reshape(len(waveform), frames, -1)
        power = samples.square().mean(2)
        level = 10 * torch.log10(power + 1e-9)
        heard = torch.where(level < level.amax(1, keepdim=True) + QUIET_DB, QUIET_WEIGHT, 1.0)
        return evidence, weight * heard, labels, heard


def _frame_loss(evidence: Tensor, labels: Tensor, heard: Tensor) -> Tensor:
    losses = F.binary_cross_entropy_with_logits(evidence, labels, reduction="none")
    return (losses * heard).sum() / heard.sum()


def _row_loss(evidence: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """The same for the pooled score of rows that are marked throughout, or nowhere."""
    whole = labels.amin(1) == labels.amax(1)
    losses = F.binary_cross_entropy_with_logits(pool(evidence, weight), labels.mean(1), reduction="none")
    return (losses * whole).sum() / whole.sum().clamp(min=1)


def _share(found: Tensor, of: Tensor) -> Tensor:
    return (found & of).float().sum() / of.float().sum().clamp(min=1)


def _generator() -> np.random.Generator:
    """Seeded by torch's global generator, which the trainer seeds for every step."""
    return np.random.default_rng(int(torch.randint(2**31, ()).item()))
