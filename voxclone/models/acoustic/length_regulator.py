"""From phonemes to frames."""

from __future__ import annotations

import torch
from torch import Tensor

from voxclone.layers.masks import length_mask


def regulate_length(encodings: Tensor, durations: Tensor) -> tuple[Tensor, Tensor]:
    """Repeat each phoneme's encoding for its duration (FastSpeech, arXiv:1905.09263, section 3.2).

    Args:
        encodings: (B, N, D) one vector per phoneme.
        durations: (B, N) int64 frames per phoneme; 0 for padding.

    Returns:
        Frame encodings (B, T, D), zero beyond each item's end, and their lengths (B,) in frames.

    Raises:
        ValueError: A duration is negative, or an item has no frame at all.
    """
    lengths = durations.sum(1)
    if bool((durations < 0).any()) or bool((lengths == 0).any()):
        raise ValueError("durations must not be negative, and every item needs at least one frame")
    owners = frame_owners(durations)
    frames = torch.gather(encodings, 1, owners[:, :, None].expand(-1, -1, encodings.shape[2]))
    return frames * length_mask(lengths, frames.shape[1])[:, :, None].to(frames.dtype), lengths


def places_in_phoneme(durations: Tensor, dtype: torch.dtype) -> Tensor:
    """Where each frame lies within its phoneme: (B, N) durations to (B, T, 3), of the order of 1.

    The share of the phoneme that is over in the middle of the frame, and the logarithms of one more than the frames
    from its beginning and to its end.
    """
    starts = (durations.cumsum(1) - durations)[:, :, None]
    spans, _ = regulate_length(torch.cat([starts, durations[:, :, None]], 2).to(dtype), durations)
    into = torch.arange(spans.shape[1], device=durations.device)[None, :] - spans[:, :, 0] + 0.5
    length = spans[:, :, 1].clamp(min=1)
    place = torch.stack([into / length, torch.log1p(into.clamp(min=0)), torch.log1p((length - into).clamp(min=0))], 2)
    return place.to(dtype)


def frame_owners(durations: Tensor) -> Tensor:
    """(B, N) durations to (B, T) index of the phoneme that each frame belongs to; the last one beyond the end."""
    ends = durations.cumsum(1)
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]  # for ONNX: one item, and no searchsorted
        traced: Tensor = torch.arange(ends[0, -1], device=durations.device)  # type: ignore[call-overload]
        owners: Tensor = (traced[None, :, None] >= ends[:, None, :]).long().sum(2)
        return owners
    frames = torch.arange(int(ends[:, -1].max()), device=durations.device).expand(len(durations), -1).contiguous()
    return torch.searchsorted(ends, frames, right=True).clamp(max=durations.shape[1] - 1)
