"""HiFi-GAN's losses (arXiv:2010.05646, section 2.4): adversarial, mel and feature matching."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

FEATURE_MATCHING_WEIGHT = 2.0  # equation 5


def discriminator_loss(natural_scores: Sequence[Tensor], generated_scores: Sequence[Tensor]) -> Tensor:
    """Equation 1 summed over sub-discriminators (6): natural waveforms should score 1, generated ones 0.

    Args:
        natural_scores: One (B, n) for each sub-discriminator, on natural waveforms.
        generated_scores: The same on generated waveforms that are detached from their generator.

    Returns:
        Scalar.
    """
    natural = torch.stack([(1 - scores).square().mean() for scores in natural_scores])
    generated = torch.stack([scores.square().mean() for scores in generated_scores])
    return natural.sum() + generated.sum()


def adversarial_loss(generated_scores: Sequence[Tensor]) -> Tensor:
    """Equation 2 summed over sub-discriminators: to the generator, its waveforms should score 1.

    Args:
        generated_scores: One (B, n) for each sub-discriminator.

    Returns:
        Scalar.
    """
    return torch.stack([(1 - scores).square().mean() for scores in generated_scores]).sum()


def mel_loss(natural_mel: Tensor, generated_mel: Tensor) -> Tensor:
    """Equation 3: mean absolute difference of two natural-log mels (B, n_mels, T), as a scalar."""
    return F.l1_loss(generated_mel, natural_mel)


def feature_matching_loss(
    natural_features: Sequence[Sequence[Tensor]], generated_features: Sequence[Sequence[Tensor]]
) -> Tensor:
    """Equation 4 summed over sub-discriminators: mean absolute difference of each layer's feature maps.

    Args:
        natural_features: For each sub-discriminator, its feature maps on natural waveforms; no gradient flows here.
        generated_features: The same, of the same shapes, on generated waveforms.

    Returns:
        Scalar.
    """
    return torch.stack(
        [
            F.l1_loss(generated, natural.detach())
            for natural_maps, generated_maps in zip(natural_features, generated_features, strict=True)
            for natural, generated in zip(natural_maps, generated_maps, strict=True)
        ]
    ).sum()
