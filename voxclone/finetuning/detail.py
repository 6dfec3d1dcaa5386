"""How far a made mel is from the natural one, without rewarding a blurred one."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from voxclone.models.acoustic.units import MEL_SPREAD

BANDS, FRAMES = 3, 5  # of the neighbourhood whose mean is course, and the rest of it detail
DETAIL_WEIGHT = 0.3
LEAST_SPREAD = 0.05


def course_and_detail_loss(made: Tensor, natural: Tensor, frame_mask: Tensor) -> Tensor:
    """Distance of the courses, and of the amounts of detail: where detail lies cannot be known from a text.

    The mean absolute difference alone is least for the median of all that could have been said, which is blurred: it
    undoes what adversarial training gave the model (GANSpeech, arXiv:2106.15153). So only the mean over a
    neighbourhood is compared frame by frame, and the rest by its spread in each band.

    Args:
        made: (B, n_mels, T) natural log.
        natural: Likewise.
        frame_mask: (B, T), True = real.

    Returns:
        0-dim, in units of the mel's spread.
    """
    inside = frame_mask[:, None].to(made.dtype)
    courses = [_course(mel, inside) for mel in (made, natural)]
    distance = ((courses[0] - courses[1]).abs().mean(1) * frame_mask).sum() / frame_mask.sum() / MEL_SPREAD
    amounts = [_amount(mel - course, inside) for mel, course in zip((made, natural), courses, strict=True)]
    return distance + DETAIL_WEIGHT * (amounts[0] - amounts[1]).abs().mean()


def _course(mel: Tensor, inside: Tensor) -> Tensor:
    """Mean over the real frames of each neighbourhood, (B, n_mels, T)."""
    return _pool(mel * inside) / _pool(inside.expand_as(mel)).clamp(min=1e-3)


def _pool(mel: Tensor) -> Tensor:
    return functional.avg_pool2d(mel, (BANDS, FRAMES), 1, (BANDS // 2, FRAMES // 2), count_include_pad=False)


def _amount(detail: Tensor, inside: Tensor) -> Tensor:
    """Log spread of each band's detail, (B, n_mels)."""
    variance = (detail * inside).square().sum(2) / inside.sum(2).clamp(min=1)
    return (variance + LEAST_SPREAD**2).log() / 2
