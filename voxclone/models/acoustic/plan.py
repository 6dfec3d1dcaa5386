"""What the acoustic model plans, and what it makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from voxclone.models.acoustic.delivery import Delivery


@dataclass(frozen=True)
class AcousticOutput:
    """What the acoustic model made.

    Attributes:
        mel: (B, n_mels, T) natural-log mel; the floor beyond each item's end.
        mel_lengths: (B,) frames.
        durations: (B, N) int64 frames; 0 for padding.
        f0: (B, T) Hz, 0 = unvoiced.
        prosody: (B, N, 3) as `phoneme_prosody` has it: what was asked of the decoder.
        gain: (B, T) by which the frames' sound is to be amplified, natural log; the mel is without it.
    """

    mel: Tensor
    mel_lengths: Tensor
    durations: Tensor
    f0: Tensor
    prosody: Tensor
    gain: Tensor


@dataclass(frozen=True)
class Plan:
    """Phonemes that were read in a voice, and how it would speak them.

    Attributes:
        encodings: (B, N, D).
        mask: (B, N), True = real.
        spoken: (B, N), False for silences and padding.
        silent: (B, N), True for pauses: a space between words is neither.
        condition: (B, C), see `AcousticModel.condition`.
        f0_median: (B,) Hz, the voice's.
        spectrum: (B, n_mels), the voice's.
        predicted: The most likely delivery, or a variation of it; durations in fractions of frames.
    """

    encodings: Tensor
    mask: Tensor
    spoken: Tensor
    silent: Tensor
    condition: Tensor
    f0_median: Tensor
    spectrum: Tensor
    predicted: Delivery
