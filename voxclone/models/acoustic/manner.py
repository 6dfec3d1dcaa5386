"""How a speaker speaks, as the acoustic model is told: pace and liveliness."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from voxclone.models.acoustic.pace import PHONEME_SECONDS

F0_SPREAD = 0.22  # octaves, of a typical speaker
MANNER_DIMS = 2
SCALES = (0.25, 0.4)  # of the logarithms
TRUST = (0.75, 0.5)  # how far a reading is brought to what was heard in the reference
MOST = (0.45, 0.45)  # by which a reading's logarithms are moved
# What a voice's own habits are read from: "The north wind and the sun were disputing which was the stronger, when a
# traveller came along wrapped in a warm cloak."
NEUTRAL = tuple(
    "^|ð|ə| |n|ˈɔː|ɹ|θ| |w|ˈɪ|n|d| |æ|n|d| |ð|ə| |s|ˈʌ|n| |w|ɜː| |d|ɪ|s|p|j|ˈuː|ɾ|ɪ|ŋ| |w|ˌɪ|tʃ| |w|ʌ|z| |ð|ə| |s|t|ɹ|"
    "ˈɔ|ŋ|ɡ|ɚ|,|w|ˌɛ|n| |ɐ| |t|ɹ|ˈæ|v|ə|l|ɚ| |k|ˈeɪ|m| |ɐ|l|ˈɔ|ŋ| |ɹ|ˈæ|p|t| |ɪ|n| |ɐ| |w|ˈɔː|ɹ|m| "
    "|k|l|ˈoʊ|k|.|$".split("|")
)


def manner(phoneme_seconds: float | None, f0_spread: float | None) -> Tensor:
    """(MANNER_DIMS,) of the order of 1; what is not known is 0, a typical speaker's.

    Args:
        phoneme_seconds: Mean duration of a phoneme.
        f0_spread: Deviation of log2 f0, in octaves.
    """
    pace = 0.0 if phoneme_seconds is None else math.log(phoneme_seconds / PHONEME_SECONDS) / SCALES[0]
    liveliness = 0.0 if f0_spread is None else math.log(max(f0_spread, 0.02) / F0_SPREAD) / SCALES[1]
    return torch.tensor([pace, liveliness]).clamp(-3, 3)
