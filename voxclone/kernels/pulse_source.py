"""What a source-filter vocoder shapes: pulses at f0, white noise, and their mixture, from f0 at the mel's rate."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from voxclone.kernels.dispatch import fused_serves, runs_directly
from voxclone.kernels.recomputation import gradients_of

FADE = 8  # the highest harmonic reaches full weight when an eighth of the way to the next one fits below Nyquist


def pulse_source(
    f0: Tensor, noise: Tensor, phase: Tensor, *, hop_length: int, sample_rate: int, voiced_noise: float
) -> Tensor:
    """Pulses in phase from first to last, noise, and both together, with less of the noise where voiced.

    Args:
        f0: (B, T) Hz, 0 = unvoiced.
        noise: (B, T * hop_length), white.
        phase: (B, 1) radians at the start.
        hop_length: Samples for each frame.
        sample_rate: Hz.
        voiced_noise: Level of the mixture's noise under the pulses, whose own level is 1.

    Returns:
        (B, 3, T * hop_length): pulses, see `impulse_train`, noise, mixture.
    """
    if fused_serves("pulse_source", f0, noise, phase):
        fused = pulse_source_reference if runs_directly(f0) else _fused
        made: Tensor = fused(f0, noise, phase, hop_length, sample_rate, voiced_noise)
        return made
    return pulse_source_reference(f0, noise, phase, hop_length, sample_rate, voiced_noise)


def pulse_source_reference(
    f0: Tensor, noise: Tensor, phase: Tensor, hop_length: int, sample_rate: int, voiced_noise: float
) -> Tensor:
    """What `pulse_source` computes, in plain PyTorch: on a CPU there is no faster form."""
    pulses = impulse_train(f0, hop_length, sample_rate, phase)
    voiced = (f0 > 0).float().repeat_interleave(hop_length, 1)
    return torch.stack([pulses, noise, pulses + noise * (1 - (1 - voiced_noise) * voiced)], 1)


def impulse_train(f0: Tensor, hop_length: int, sample_rate: int, phase: Tensor) -> Tensor:
    """All harmonics of f0 below Nyquist in cosine phase, at unit power; silent where unvoiced.

    Args:
        f0: (B, T) Hz, 0 = unvoiced.
        hop_length: Samples for each frame.
        sample_rate: Hz.
        phase: (B, 1) radians at the start.

    Returns:
        (B, T * hop_length).
    """
    voiced = (f0 > 0).float().repeat_interleave(hop_length, 1)
    dense = _interpolate(_fill_unvoiced(f0), hop_length)
    turns = torch.cumsum(dense.double() / sample_rate, 1) + phase.double() / (2 * math.pi)
    return all_harmonics(turns, dense, sample_rate) * voiced


def all_harmonics(turns: Tensor, f0: Tensor, sample_rate: int) -> Tensor:
    """The sum of the harmonics' cosines, at unit power: continuous in both arguments, however they are rounded.

    Args:
        turns: (B, S) float64, how often the fundamental has gone round.
        f0: (B, S) Hz, above 0.
        sample_rate: Hz.
    """
    half = ((turns - turns.round()) * math.pi).to(f0.dtype)  # from -pi / 2: the quotient is exact where both near 0
    below = (0.5 * sample_rate / f0).clamp(min=1 + 1 / FADE)
    count = below.floor()
    last = ((below - count) * FADE).clamp(max=1)  # weight of the highest harmonic, which fades in below Nyquist
    sine = torch.sin(half)
    zero = sine.abs() < 1e-7
    kernel = torch.sin((2 * count + 1) * half) / torch.where(zero, torch.ones_like(sine), sine)
    total = (torch.where(zero, 2 * count + 1, kernel) - 1) / 2  # the sum of cos(k turns), k = 1 … count
    return (total - (1 - last) * torch.cos(2 * count * half)) * torch.sqrt(2 / (count - 1 + last.square()))


def _fill_unvoiced(f0: Tensor) -> Tensor:
    """Unvoiced frames take the last voiced value, or the first one to come, or 128 Hz."""
    index = torch.arange(f0.shape[1], device=f0.device).expand_as(f0)
    voiced = f0 > 0
    before = torch.cummax(torch.where(voiced, index, torch.full_like(index, -1)), 1).values
    ahead = torch.where(voiced, index, torch.full_like(index, f0.shape[1])).min(1, keepdim=True).values
    source = torch.where(before >= 0, before, ahead).clamp(max=f0.shape[1] - 1)
    filled = torch.gather(f0, 1, source)
    return torch.where(filled > 0, filled, torch.full_like(filled, 128.0))


def _interpolate(frames: Tensor, hop_length: int) -> Tensor:
    """(B, T) to (B, T * hop_length), linear between the frames' centres."""
    return F.interpolate(frames[:, None], scale_factor=float(hop_length), mode="linear", align_corners=False)[:, 0]


_fused = torch.library.custom_op("voxclone::pulse_source", mutates_args=())(pulse_source_reference)


@_fused.register_kernel("cuda")
def _on_gpu(f0: Tensor, noise: Tensor, phase: Tensor, hop_length: int, sample_rate: int, voiced_noise: float) -> Tensor:
    from voxclone.kernels.gpu.pulses import make_source

    return make_source(f0, noise, phase, hop_length, sample_rate, voiced_noise)


@_fused.register_fake
def _shape(f0: Tensor, noise: Tensor, *_: Any) -> Tensor:
    return f0.new_empty(f0.shape[0], 3, noise.shape[1])


gradients_of(_fused, pulse_source_reference)
