"""A text's chunks one at a time: the acoustic model's pass over one, then its samples span by span."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxclone.config import ModelConfig
from voxclone.models.vocoder.spans import make_source, make_span
from voxclone.prosody import Prosody
from voxclone.synthesis.controls import Controls
from voxclone.synthesis.outlet import Origin
from voxclone.synthesis.render import Frames, amplified, envelope, make_frames, plan
from voxclone.synthesis.shaping import shape
from voxclone.synthesis.speaking import SpeakingModel
from voxclone.text.direction import Direction
from voxclone.text.phonemes import Phonemes
from voxclone.voice import Voice

FIRST_SPAN_FRAMES = 24  # of a sentence, 0.28 s: the less, the sooner it is heard; each span is twice the one before


@dataclass(frozen=True)
class PlannedUtterance:
    """What the acoustic model made of one chunk in one pass, before the vocoder; `render.Utterance` comes after it."""

    prosody: Prosody
    direction: Direction
    frames: Frames
    source: Tensor  # (1, K, T * hop_length)
    factors: Tensor | None  # (1, T * hop_length) on the samples


@dataclass(frozen=True)
class Speaker:
    """A model's parts, a voice, and how it is to speak.

    Attributes:
        chunk_frames: Longest span that `spans` is to cut an utterance in.
    """

    speaking: SpeakingModel
    vocoder: nn.Module
    config: ModelConfig
    origin: Origin
    voice: Voice
    controls: Controls
    precision: Callable[[], AbstractContextManager[object]]
    chunk_frames: int

    def read(self, phonemes: Phonemes) -> PlannedUtterance:
        """Run the acoustic model over one chunk of the text."""
        with torch.inference_mode(), self.precision():
            planned = plan(self.speaking, [phonemes], self.config.audio, self.controls.seed)
            natural = planned.drafts[0].prosody
            natural.pauses[-1] = round(phonemes.pause_seconds / natural.frame_seconds)
            prosody = shape(planned.drafts, self.controls)[0]
            frames = make_frames(self.speaking.acoustic, planned.plan, [prosody])[0]
            source = make_source(self.vocoder, self.config.vocoder, frames.mel, frames.f0)
            factors = envelope(frames.gain, self.config.audio.hop_length)
            return PlannedUtterance(prosody, phonemes.direction, frames, source, factors)

    def sound(self, utterance: PlannedUtterance, start: int, end: int) -> NDArray[np.float32]:
        """The samples ((end - start) * hop_length,) of an utterance's frames [start, end)."""
        with torch.inference_mode(), self.precision():
            made = make_span(self.vocoder, self.config.vocoder, utterance.frames.mel, utterance.source, start, end)
            if utterance.factors is not None:
                hop = self.config.audio.hop_length
                made = amplified(made, utterance.factors[:, start * hop : end * hop])
            samples: NDArray[np.float32] = made[0].float().cpu().numpy()
            return samples


def spans(frames: int, longest: int) -> Iterator[tuple[int, int]]:
    """First and last frames, [start, end), of the chunks of an utterance: short at first, then up to `longest`."""
    start, size = 0, min(FIRST_SPAN_FRAMES, longest)
    while start < frames:
        end = min(start + size, frames)
        if frames - end < FIRST_SPAN_FRAMES // 2:  # a rest too short to be worth its context
            end = frames
        yield start, end
        start, size = end, min(2 * size, longest)
