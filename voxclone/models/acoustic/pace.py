"""How fast someone speaks, heard without knowing the words: sounds are counted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

PHONEME_SECONDS = 0.085  # of a typical speaker
BANDS = 40  # that the mel's bands are averaged to
CHANNELS = 48  # of the convolutions
FLOOR = -9.0  # natural log; what is quieter is no speech
LEAST_FRAMES = 10.0  # of speech; less says nothing
SLOWEST, FASTEST = 0.2, 0.04  # seconds


class Count(NamedTuple):
    """What was counted in one recording; those of one speaker add up.

    Attributes:
        sounds: Sounds of speech, in fractions.
        frames: Frames that they last, pauses left out.
    """

    sounds: float
    frames: float


class RateReader(nn.Module):
    """Counts the sounds in speech and the frames that they last: a few convolutions that aligned speech has taught.

    Of little speech the count says little about the speaker: `phoneme_seconds` weighs it against a typical pace.
    """

    typical: Tensor  # (2,) mean and variance, over speakers, of the log seconds of a speaker's mean sound
    doubt: Tensor  # (2,) variance of one recording's log seconds against the speaker's: constant, and by 1 / frames

    def __init__(self) -> None:
        super().__init__()
        widths = (BANDS, CHANNELS, CHANNELS, CHANNELS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, 5, padding=2 * 2**layer, dilation=2**layer)
            for layer, (before, after) in enumerate(pairwise(widths))
        )
        self.head = nn.Conv1d(CHANNELS, 2, 1)
        self.register_buffer("typical", torch.tensor([math.log(PHONEME_SECONDS), 0.04]))
        self.register_buffer("doubt", torch.tensor([0.01, 2.0]))

    def forward(self, mel: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Listen frame by frame; level and equalisation do not matter.

        Args:
            mel: (B, n_mels, T) natural log, n_mels a multiple of 40.
            mask: (B, T), True = real.

        Returns:
            (B, T) log of sounds for each frame, where it is speech, and (B, T) logits of its being speech.
        """
        keep = mask[:, None].to(mel.dtype)
        bands = mel.clamp(min=FLOOR).reshape(len(mel), BANDS, -1, mel.shape[2]).mean(2)
        middle = (bands * keep).sum(2, keepdim=True) / keep.sum(2, keepdim=True).clamp(min=1)
        x = (bands - middle) / 2
        for convolution in self.convolutions:
            x = functional.gelu(convolution(x * keep))
        density, speech = self.head(x).unbind(1)
        return density - 2.0, speech

    @torch.inference_mode()
    def count(self, mel: Tensor) -> Count:
        """Sounds and speech in one recording, (n_mels, T)."""
        mel = mel.to(self.typical)[None]
        density, speech = self(mel, torch.ones_like(mel[:, 0], dtype=torch.bool))
        spoken = torch.sigmoid(speech)
        return Count(float((density.exp() * spoken).sum()), float(spoken.sum()))

    def phoneme_seconds(self, counts: Iterable[Count], frame_rate: float) -> float | None:
        """What is to be believed of a speaker's mean sound, in seconds: of little speech, nearly the typical.

        Args:
            counts: Of recordings of one speaker.
            frame_rate: Hz.

        Returns:
            None where there is hardly any speech.
        """
        counts = [count for count in counts if count.frames >= LEAST_FRAMES and count.sounds > 0]
        if not counts:
            return None
        frames = sum(count.frames for count in counts)
        heard = math.log(frames / sum(count.sounds for count in counts) / frame_rate)
        mean, variance = self.typical.tolist()
        constant, by_frame = self.doubt.tolist()
        trust = variance / (variance + constant / len(counts) + by_frame / frames)
        return min(max(math.exp(mean + trust * (heard - mean)), FASTEST), SLOWEST)
