"""How phonemes are spoken, and frames that do what was asked of their phonemes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from voxclone.models.acoustic.length_regulator import frame_owners
from voxclone.models.acoustic.units import ENERGY_MIDDLE, ENERGY_SPREAD, PITCH_UNITS
from voxclone.models.acoustic.variance import phoneme_prosody, sum_by_phoneme

DECIBELS = 20 / math.log(10)  # in one unit of natural-log amplitude
VOICED_SHARE = 0.3  # of a phoneme's frames, below which it has no f0
SMOOTHING_FRAMES = 5  # over which a step between phonemes is spread
LONGEST_SILENCE = 36  # frames that the decoder is asked for; in longer ones it may begin to mumble
ROUNDS = 3  # of correction; what is left of a step is below a hundredth


@dataclass(frozen=True)
class Delivery:
    """What each phoneme of a batch is to be like.

    Attributes:
        durations: (B, N) frames; whole numbers to be spoken, fractions as predicted; 0 for padding.
        f0: (B, N) Hz, geometric mean of the voiced frames; 0 where fewer than `VOICED_SHARE` are voiced.
        voicing: (B, N) share of voiced frames, 0 to 1.
        energy: (B, N) dB, mean over the frames of the mel's total amplitude.
        movement: (B, N) factor on the pitch's movement within the phoneme; 1 is the model's own, 0 is level.
        gain: (B, N) dB by which the sound is then amplified.
    """

    durations: Tensor
    f0: Tensor
    voicing: Tensor
    energy: Tensor
    movement: Tensor
    gain: Tensor


def from_prosody(prosody: Tensor, durations: Tensor, f0_median: Tensor) -> Delivery:
    """What the adaptor predicts, (B, N, 3) in the units of `phoneme_prosody`, in Hz and dB."""
    voicing = prosody[:, :, 1].float().clamp(0, 1)
    f0 = f0_median[:, None] * torch.exp2(prosody[:, :, 0].float() / PITCH_UNITS)
    f0 = torch.where(voicing >= VOICED_SHARE, f0, torch.zeros_like(f0))
    energy = (ENERGY_SPREAD * prosody[:, :, 2].float() + ENERGY_MIDDLE) * DECIBELS
    return Delivery(durations, f0, voicing, energy, torch.ones_like(f0), torch.zeros_like(f0))


def phoneme_delivery(mel: Tensor, f0: Tensor, durations: Tensor, f0_median: Tensor) -> Delivery:
    """What a speaker did in each phoneme of a recording; arguments as for `phoneme_prosody`."""
    return from_prosody(phoneme_prosody(mel, f0, durations, f0_median), durations, f0_median)


def to_prosody(delivery: Delivery, f0_median: Tensor) -> Tensor:
    """The way back from `from_prosody`: (B, N, 3); an unvoiced phoneme's pitch is 0."""
    pitch = PITCH_UNITS * relative_pitch(delivery, f0_median)
    energy = (_log_energy(delivery) - ENERGY_MIDDLE) / ENERGY_SPREAD
    return torch.stack([pitch, delivery.voicing, energy], 2)


def relative_pitch(delivery: Delivery, f0_median: Tensor) -> Tensor:
    """(B, N) octaves above the speaker's median f0; 0 where unvoiced."""
    median = f0_median[:, None]
    return torch.log2(torch.where(delivery.f0 > 0, delivery.f0, median) / median)


def _log_energy(delivery: Delivery) -> Tensor:
    return delivery.energy / DECIBELS


def follow_pitch(contour: Tensor, voiced: Tensor, delivery: Delivery, f0_median: Tensor) -> Tensor:
    """Move a contour so that each phoneme has the pitch asked for, and moves within as much as asked.

    Args:
        contour: (B, T) octaves above the speaker's median, as the decoder makes it.
        voiced: (B, T) bool; False beyond each item's end.
        delivery: durations int64.
        f0_median: (B,) Hz.

    Returns:
        (B, T) octaves.
    """
    asked = relative_pitch(delivery, f0_median)
    has_pitch = delivery.f0 > 0
    moved = contour + _correction(contour, voiced, asked, has_pitch, delivery.durations)
    owners = frame_owners(delivery.durations)
    weight = voiced & torch.gather(has_pitch, 1, owners)
    level = torch.where(weight, torch.gather(asked, 1, owners), moved)
    level = _smooth(level, voiced.to(contour.dtype))
    return level + torch.gather(delivery.movement, 1, owners) * (moved - level)


def follow_energy(mel: Tensor, spoken: Tensor, frame_mask: Tensor, delivery: Delivery) -> Tensor:
    """Raise or lower a mel so that each phoneme has the energy asked for; silence keeps its own.

    Args:
        mel: (B, n_mels, T) natural log.
        spoken: (B, N) bool, False for phonemes that are silence.
        frame_mask: (B, T).
        delivery: durations int64.
    """
    energy = torch.logsumexp(mel, 1)
    return mel + _correction(energy, frame_mask, _log_energy(delivery), spoken, delivery.durations)[:, None]


def frame_gain(frame_mask: Tensor, delivery: Delivery) -> Tensor:
    """What amplifies each frame of the mask (B, T), in natural log: its phoneme's gain, steps smoothed."""
    gain = torch.gather(delivery.gain / DECIBELS, 1, frame_owners(delivery.durations))
    return _smooth(gain, frame_mask.to(gain.dtype))


def _correction(values: Tensor, frame_mask: Tensor, asked: Tensor, wanted: Tensor, durations: Tensor) -> Tensor:
    """(B, T) to be added to values (B, T), so that the mean over each wanted phoneme's frames of the mask is `asked`.

    Steps between phonemes are spread over `SMOOTHING_FRAMES`; a phoneme that is not wanted follows its neighbours.
    """
    owners = frame_owners(durations)
    weight = (frame_mask & torch.gather(wanted, 1, owners)).to(values.dtype)
    counts = sum_by_phoneme(weight[:, :, None], durations)[:, :, 0].clamp(min=1)
    correction = torch.zeros_like(values)
    for _ in range(ROUNDS):
        missing = (torch.gather(asked, 1, owners) - values - correction) * weight
        step = sum_by_phoneme(missing[:, :, None], durations)[:, :, 0] / counts
        correction = correction + _smooth(torch.gather(step, 1, owners), weight)
    return correction


def _smooth(values: Tensor, weight: Tensor) -> Tensor:
    """Moving average of values (B, T) over frames of weight 1; 0 where there is none within reach."""
    both = torch.stack([values * weight, weight], 1)
    reach = SMOOTHING_FRAMES // 2
    total = functional.avg_pool1d(both, SMOOTHING_FRAMES, 1, reach, count_include_pad=True)
    return total[:, 0] / total[:, 1].clamp(min=1e-3)


def shorten_silences(durations: Tensor, silent: Tensor) -> Tensor:
    """(B, N) durations with at most `LONGEST_SILENCE` frames for each phoneme that is silent (B, N)."""
    return torch.where(silent, durations.clamp(max=LONGEST_SILENCE), durations)


def widen_silences(frames: Tensor, shortened: Tensor, durations: Tensor, silence: float) -> Tensor:
    """Put silence into the middle of what `shorten_silences` shortened.

    Args:
        frames: (B, C, T) as made for the shortened durations.
        shortened: (B, N).
        durations: (B, N), none less than the shortened one.
        silence: What the frames in between hold.

    Returns:
        (B, C, T'), the last frame of each item repeated beyond its end.
    """
    owners = frame_owners(durations)
    length, kept = torch.gather(durations, 1, owners), torch.gather(shortened, 1, owners)
    start, kept_start = (torch.gather(d.cumsum(1) - d, 1, owners) for d in (durations, shortened))
    into = torch.arange(owners.shape[1], device=owners.device)[None, :] - start
    first, last = into < (kept + 1) // 2, into >= length - kept // 2
    source = kept_start + torch.where(first, into, kept - length + into)
    source = source.clamp(min=0, max=frames.shape[2] - 1)
    widened = torch.gather(frames, 2, source[:, None].expand(-1, frames.shape[1], -1))
    return torch.where((first | last)[:, None], widened, torch.full_like(widened, silence))
