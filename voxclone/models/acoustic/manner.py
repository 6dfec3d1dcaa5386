"""How a speaker speaks, as the acoustic model is told: pace and liveliness."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from voxclone.audio.rhythm import N_FEATURES

PHONEME_SECONDS = 0.085  # of a typical speaker
F0_SPREAD = 0.22  # octaves, of a typical speaker
MANNER_DIMS = 2
SCALES = (0.25, 0.4)  # of the logarithms
TRUST = (1.0, 0.5)  # how far a reading is brought to what was heard in the reference
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


class RateReader(nn.Module):
    """Reads from `rhythm_features` how long a speaker's phonemes are, by one linear step that aligned speech gave."""

    middle: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("middle", torch.zeros(N_FEATURES))
        self.register_buffer("scale", torch.ones(N_FEATURES))
        self.register_buffer("weight", torch.zeros(N_FEATURES))
        self.register_buffer("bias", torch.tensor(math.log(PHONEME_SECONDS)))

    def forward(self, features: Tensor) -> Tensor:
        """(..., N_FEATURES) to (...) seconds of a mean phoneme, between 0.03 and 0.3."""
        scaled = ((features - self.middle) / self.scale).clamp(-5, 5)
        return torch.exp(scaled @ self.weight + self.bias).clamp(0.03, 0.3)

    @torch.no_grad()
    def fit(self, features: Tensor, seconds: Tensor, penalty: float = 10.0) -> None:
        """Ridge regression of log seconds (K,) on features (K, N_FEATURES)."""
        features, target = features.double(), seconds.double().log()
        self.middle.copy_(features.mean(0))
        self.scale.copy_(features.std(0) + 1e-3)
        scaled = ((features - features.mean(0)) / (features.std(0) + 1e-3)).clamp(-5, 5)
        gram = scaled.T @ scaled + penalty * torch.eye(N_FEATURES, dtype=torch.float64)
        self.weight.copy_(torch.linalg.solve(gram, scaled.T @ (target - target.mean())))
        self.bias.copy_(target.mean())
