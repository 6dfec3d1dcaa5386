"""Single distortions of a waveform (S,), each with one strength and a gradient: exact, or straight through.

Those that change the tempo return another length, all others the same one, aligned with what came in.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

STRETCH_N_FFT = 1024  # samples of the phase vocoder's window


def resample_periodic(waveform: Tensor, length: int) -> Tensor:
    """(..., S) to (..., length), keeping all that both lengths can hold; the ends are taken to meet."""
    spectrum = torch.fft.rfft(waveform)[..., : length // 2 + 1]
    resampled: Tensor = torch.fft.irfft(spectrum, length) * (length / waveform.shape[-1])
    return resampled


def through_rate(waveform: Tensor, sample_rate: int, other_rate: int) -> Tensor:
    """Resampled to another rate and back."""
    length = len(waveform)
    there = resample_periodic(waveform, max(2, round(length * other_rate / sample_rate)))
    return resample_periodic(there, length)


def change_speed(waveform: Tensor, factor: float) -> Tensor:
    """Played `factor` times as fast, as a tape is: pitch and tempo together; (S / factor,)."""
    return resample_periodic(waveform, max(2, round(len(waveform) / factor)))


def change_tempo(waveform: Tensor, factor: float) -> Tensor:
    """Spoken `factor` times as fast at the same pitch, by a phase vocoder; about (S / factor,)."""
    from torchaudio.functional import phase_vocoder

    hop = STRETCH_N_FFT // 4
    window = torch.hann_window(STRETCH_N_FFT, device=waveform.device)
    spectrum = torch.stft(waveform, STRETCH_N_FFT, hop, STRETCH_N_FFT, window, return_complex=True)
    advance = torch.linspace(0, math.pi * hop, STRETCH_N_FFT // 2 + 1, device=waveform.device)[:, None]
    return torch.istft(phase_vocoder(spectrum, factor, advance), STRETCH_N_FFT, hop, STRETCH_N_FFT, window)


def change_pitch(waveform: Tensor, factor: float) -> Tensor:
    """Every frequency times `factor`, the tempo kept."""
    return fit_length(resample_periodic(change_tempo(waveform, 1 / factor), len(waveform)), len(waveform))


def fit_length(waveform: Tensor, length: int) -> Tensor:
    """Cut, or go on with the same again."""
    repeats = -(-length // len(waveform))
    return (waveform.repeat(repeats) if repeats > 1 else waveform)[:length]


def add_noise(waveform: Tensor, snr_db: float, rng: np.random.Generator, pink: bool = False) -> Tensor:
    """White noise, or pink (power falls 3 dB an octave), at a ratio to the waveform's mean power."""
    noise = torch.from_numpy(rng.standard_normal(len(waveform), np.float32)).to(waveform)
    if pink:
        spectrum = torch.fft.rfft(noise)
        spectrum = spectrum / torch.arange(1, len(spectrum) + 1, device=waveform.device).sqrt()
        noise = torch.fft.irfft(spectrum, len(waveform))
    power = waveform.detach().square().mean() * 10 ** (-snr_db / 10)
    return waveform + noise * (power / noise.square().mean()).sqrt()


def reverberate(waveform: Tensor, room: Tensor, wet: float) -> Tensor:
    """Mixed with what a room (R,) makes of it; `wet` 1 is the room alone."""
    length = -(-(len(waveform) + len(room)) // 1024) * 1024  # transforms of prime lengths are slow
    spectrum = torch.fft.rfft(waveform, length) * torch.fft.rfft(room.to(waveform), length)
    heard: Tensor = torch.fft.irfft(spectrum, length)
    return (1 - wet) * waveform + wet * heard[: len(waveform)]


def equalise(waveform: Tensor, gains_db: Tensor) -> Tensor:
    """Gains (K,) in dB at K frequencies evenly from 0 to half the sample rate, linear in between."""
    count = len(waveform) // 2 + 1
    curve = F.interpolate(gains_db[None, None].to(waveform), count, mode="linear", align_corners=True)[0, 0]
    equalised: Tensor = torch.fft.irfft(torch.fft.rfft(waveform) * 10 ** (curve / 20), len(waveform))
    return equalised


def pass_band(waveform: Tensor, sample_rate: int, low: float, high: float) -> Tensor:
    """Sixth-order Butterworth magnitudes without phase: what lies outside low … high Hz falls 36 dB an octave."""
    hertz = torch.fft.rfftfreq(len(waveform), 1 / sample_rate, device=waveform.device)
    gain = (1 + (hertz / high) ** 12).rsqrt()
    if low > 0:
        gain = gain * (1 + (low / hertz.clamp(min=1e-3)) ** 12).rsqrt()
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(waveform) * gain, len(waveform))
    return filtered


def clip_peaks(waveform: Tensor, share: float) -> Tensor:
    """Limited hard at a share of its own peak."""
    limit = float(waveform.detach().abs().max()) * share
    return waveform.clamp(-limit, limit)


def shift_phase(waveform: Tensor, radians: float) -> Tensor:
    """Every frequency's phase turned by the same angle; pi is an inverted polarity."""
    spectrum = torch.fft.rfft(waveform)
    turn = torch.polar(torch.ones((), device=waveform.device), torch.tensor(radians, device=waveform.device))
    shifted: Tensor = torch.fft.irfft(spectrum * turn, len(waveform))
    return shifted


def quantise(waveform: Tensor, bits: int, companded: bool = False) -> Tensor:
    """Rounded to 2 ** bits levels below full scale, evenly or by the mu law of telephony."""
    x, levels = waveform.detach().clamp(-1, 1), 2.0 ** (bits - 1)
    if companded:
        squeezed = torch.sign(x) * torch.log1p(255 * x.abs()) / math.log(256)
        y = torch.round(squeezed * levels) / levels
        rounded = torch.sign(y) * (torch.exp(y.abs() * math.log(256)) - 1) / 255
    else:
        rounded = torch.round(x * levels) / levels
    return waveform + (rounded - waveform).detach()
