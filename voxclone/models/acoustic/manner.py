"""How a speaker speaks, as the acoustic model is told: pace and liveliness."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from voxclone.models.acoustic.delivery import VOICED_SHARE
from voxclone.models.acoustic.pace import PHONEME_SECONDS
from voxclone.models.acoustic.units import PITCH_UNITS

F0_SPREAD = 0.22  # octaves, of a typical speaker
MANNER_DIMS = 2
SCALES = (0.25, 0.4)  # of the logarithms
TRUST = (0.75, 0.75)  # how far a reading is brought to what is believed of the speaker
MOST = (0.45, 0.45)  # by which a reading's logarithms are moved
OCTAVE_ERROR = 2.1  # thirds of an octave from the median; pitch beyond is no melody, as for `f0_spread`
# What a voice's own habits are read from: "In the morning, the boats go out before the sun is up." "The company was
# founded in the last century, and its first office stood near the river." "The school teaches music, history, and two
# foreign languages."
_NEUTRAL = (
    "^|ɪ|n| |ð|ə| |m|ˈɔː|ɹ|n|ɪ|ŋ|,|ð|ə| |b|ˈoʊ|t|s| |ɡ|ˌoʊ| |ˈaʊ|t| |b|ᵻ|f|ˌɔː|ɹ| |ð|ə| |s|ˈʌ|n| |ɪ|z| |ˈʌ|p|.|$",
    "^|ð|ə| |k|ˈʌ|m|p|ə|n|i| |w|ʌ|z| |f|ˈaʊ|n|d|ᵻ|d| |ɪ|n| |ð|ə| |l|ˈæ|s|t| |s|ˈɛ|n|tʃ|ɚ|ɹ|i|,|æ|n|d|"
    " |ɪ|t|s| |f|ˈɜː|s|t| |ˈɑː|f|ɪ|s| |s|t|ˈʊ|d| |n|ˌɪ|ɹ| |ð|ə| |ɹ|ˈɪ|v|ɚ|.|$",
    "^|ð|ə| |s|k|ˈuː|l| |t|ˈiː|tʃ|ᵻ|z| |m|j|ˈuː|z|ɪ|k|,|h|ˈɪ|s|t|ɚ|ɹ|i|,|æ|n|d| |t|ˈuː| |f|ˈɔː|ɹ|ə|n|"
    " |l|ˈæ|ŋ|ɡ|w|ɪ|dʒ|ᵻ|z|.|$",
)
NEUTRAL = tuple(tuple(sentence.split("|")) for sentence in _NEUTRAL)


def manner(phoneme_seconds: float | None, f0_spread: float | None) -> Tensor:
    """(MANNER_DIMS,) of the order of 1; what is not known is 0, a typical speaker's.

    Args:
        phoneme_seconds: Mean duration of a phoneme.
        f0_spread: Deviation of log2 f0, in octaves.
    """
    pace = 0.0 if phoneme_seconds is None else math.log(phoneme_seconds / PHONEME_SECONDS) / SCALES[0]
    liveliness = 0.0 if f0_spread is None else math.log(max(f0_spread, 0.02) / F0_SPREAD) / SCALES[1]
    return torch.tensor([pace, liveliness]).clamp(-3, 3)


def follow_manner(
    prosody: Tensor, log_durations: Tensor, manner: Tensor, habits: Tensor, typical_habits: Tensor
) -> tuple[Tensor, Tensor]:
    """Bring pace and liveliness to what the reference has: the predictors stay too near the average speaker.

    Args:
        prosody: (B, N, 3), see `phoneme_prosody`.
        log_durations: (B, N) log frames.
        manner: (B, MANNER_DIMS), see `manner`.
        habits: (B, MANNER_DIMS), see `AcousticModel.habits`.
        typical_habits: (MANNER_DIMS,) of a voice whose manner is typical.
    """
    scales, trust, most = (torch.tensor(each, device=manner.device) for each in (SCALES, TRUST, MOST))
    gap = (trust * (typical_habits + scales * manner - habits)).clamp(-most, most)
    stretched = prosody[:, :, :1] * gap[:, 1:, None].exp()
    return torch.cat([stretched, prosody[:, :, 1:]], 2), log_durations + gap[:, :1]


def pitch_variance(prosody: Tensor, sounds: Tensor) -> Tensor:
    """(B,) of the pitch of voiced sounds, in square octaves, octave errors left out.

    Args:
        prosody: (B, N, 3), see `phoneme_prosody`.
        sounds: (B, N), 1 for sounds of speech, 0 for silences and padding.
    """
    pitch = prosody[:, :, 0]
    weight = sounds * (prosody[:, :, 1] > VOICED_SHARE) * (pitch.abs() < OCTAVE_ERROR)
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
    mean = (pitch * weight).sum(1, keepdim=True)
    return ((pitch - mean).square() * weight).sum(1) / PITCH_UNITS**2
