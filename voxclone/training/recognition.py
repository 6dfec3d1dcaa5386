"""A recogniser of phonemes, frame by frame: it hears whether made speech says what it was asked to say."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from accelerate.utils import send_to_device
from torch import Tensor, nn

from voxclone.layers.masks import length_mask
from voxclone.models.acoustic.length_regulator import frame_owners
from voxclone.text.symbols import SILENCES, SYMBOLS, symbol_ids
from voxclone.training.alignment import with_noise
from voxclone.training.report import Report
from voxclone.training.step import TrainingStep

DILATIONS = (1, 2, 1, 2, 1, 2)  # of the blocks: 11 frames on either side are heard, too few to guess a sound from words
SMOOTHING = 0.1  # of the labels: boundaries are known to a frame or two
TILT = 2.0  # nats from the lowest band to the highest, one standard deviation: channels that it must not mind


class PhonemeRecognizer(nn.Module):
    """Residual convolutions over a mel to the phoneme of each frame.

    Args:
        n_mels: Bands.
        n_symbols: Of the symbol table.
        channels: Width.
        dilations: Of each block's convolution.
    """

    def __init__(
        self, n_mels: int = 80, n_symbols: int = len(SYMBOLS), channels: int = 256,
        dilations: tuple[int, ...] = DILATIONS,
    ) -> None:  # fmt: skip
        super().__init__()
        self.entry = nn.Conv1d(n_mels, channels, 5, padding=2)
        self.blocks = nn.ModuleList(RecognizerBlock(channels, dilation) for dilation in dilations)
        self.exit = nn.Conv1d(channels, n_symbols, 1)

    def forward(self, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """Log-probabilities of the symbols.

        Args:
            mel: (B, n_mels, T) natural-log mel at any level and through any fixed channel.
            mel_lengths: (B,) frames.

        Returns:
            (B, n_symbols, T).
        """
        x = self.entry(centred(mel, mel_lengths))
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.exit(x)
        return logits.float().log_softmax(1)


class RecognizerBlock(nn.Module):
    """One dilated convolution over frames and one over channels, with a residual."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.wide = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to the same."""
        normed = self.norm(x.transpose(1, 2)).transpose(1, 2)
        mixed: Tensor = x + self.mix(F.gelu(self.wide(normed)))
        return mixed


def centred(mel: Tensor, mel_lengths: Tensor) -> Tensor:
    """(B, n_mels, T) less each band's mean over the frames that are real, zero beyond."""
    inside = length_mask(mel_lengths, mel.shape[2])[:, None]
    mean = (mel * inside).sum(2, keepdim=True) / mel_lengths[:, None, None].clamp(min=1)
    return (mel - mean) * inside


def frame_phonemes(phoneme_ids: Tensor, durations: Tensor) -> Tensor:
    """(B, N) ids and their frames to the (B, T) phoneme of each frame."""
    return torch.gather(phoneme_ids, 1, frame_owners(durations))


class RecognitionStep(TrainingStep):
    """Cross-entropy of the aligned phonemes, heard through noise and tilted channels.

    Args:
        recognizer: Is trained.
        held_out: Batches to validate on.
    """

    def __init__(self, recognizer: PhonemeRecognizer, held_out: list[dict[str, Tensor]]) -> None:
        super().__init__()
        self.recognizer, self.held_out = recognizer, held_out

    def forward(self, batch: dict[str, Any], phase: str) -> dict[str, Tensor]:
        """Named losses for a batch from `pad_batch` with durations."""
        mel, lengths = batch["mel"], batch["mel_lengths"]
        said = frame_phonemes(batch["phoneme_ids"], batch["durations"])
        heard = self.recognizer(through_channels(mel) if self.training else mel, lengths)
        inside = length_mask(lengths, mel.shape[2])[:, : said.shape[1]]
        heard = heard[:, :, : said.shape[1]]
        loss = F.cross_entropy(heard, said, reduction="none", label_smoothing=SMOOTHING)
        right = (heard.argmax(1) == said).float()
        return {"total": (loss * inside).sum() / inside.sum(), "right": (right * inside).sum() / inside.sum()}

    def validate(self, report: Report, step: int) -> None:
        """The share of frames of held-out recordings that are heard right."""
        device = self.recognizer.exit.weight.device
        found = [self(send_to_device(batch, device), "model") for batch in self.held_out]
        for name in ("total", "right") if found else ():
            report.scalar(f"valid_{name}", sum(float(losses[name]) for losses in found) / len(found))


def through_channels(mel: Tensor) -> Tensor:
    """(B, n_mels, T) with a random tilt each, and a share of them with noise."""
    slope = torch.linspace(-1, 1, mel.shape[1], device=mel.device)[:, None]
    return with_noise(mel + TILT * torch.randn(len(mel), 1, 1, device=mel.device) * slope / 2)


class ContentConsistency:
    """Whether made speech is heard as the phonemes that it was made of, by a frozen recogniser.

    Args:
        recognizer: Stays as it is.
    """

    def __init__(self, recognizer: PhonemeRecognizer) -> None:
        self.recognizer = recognizer.eval().requires_grad_(False)
        self.silent = torch.tensor(symbol_ids(SILENCES))

    def __call__(self, mel: Tensor, mel_lengths: Tensor, said: Tensor) -> Tensor:
        """Cross-entropy in nats a frame of the sounds among (B, T) phonemes in mels (B, n_mels, T), 0-dim."""
        heard = self.recognizer.to(mel.device)(through_channels(mel), mel_lengths)
        sounds = length_mask(mel_lengths, mel.shape[2]) & ~torch.isin(said, self.silent.to(said.device))
        loss = F.nll_loss(heard, said, reduction="none")
        return (loss * sounds).sum() / sounds.sum().clamp(min=1)
