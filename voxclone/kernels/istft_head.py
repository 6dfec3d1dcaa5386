"""The head of a source-filter vocoder: a convolution's magnitudes and turns, laid on the phase of a carrier."""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from voxclone.kernels.conv1d import conv1d_on_cpu, conv1d_reference
from voxclone.kernels.dispatch import fused_serves, in_autocast, runs_directly
from voxclone.kernels.recomputation import gradients_of

MAX_LOG_MAGNITUDE = 5.0
TINY = 1e-3  # a carrier's magnitude, and a sum of windows, below which nothing is divided by it


def istft_head(
    x: Tensor, weight: Tensor, bias: Tensor, carrier: Tensor, window: Tensor, *, hop_length: int, slope: float
) -> Tensor:
    """Samples whose STFT has the magnitudes and, turned, the phases that a convolution of leaky_relu(x) says.

    Args:
        x: (B, C, J), any strides.
        weight: (2 bins, C, K), K odd: log magnitudes of each bin, then by how many radians the carrier's phase is
            turned. It and the bias are used in the dtype of x, or of torch.autocast.
        bias: (2 bins,).
        carrier: (B, J * hop_length) samples, whose STFT gives the phases; float32, as all after the convolution.
        window: (n_fft,), with bins = n_fft / 2 + 1.
        hop_length: Samples for each frame of the STFT; frame j is centred on (j + 1/2) hop_length.
        slope: Of the leaky ReLU.

    Returns:
        (B, J * hop_length) in [-1, 1].
    """
    if fused_serves("istft_head", x, weight, bias, carrier):
        fused = _on_cpu if runs_directly(x) else _fused
        made: Tensor = fused(in_autocast(x), weight, bias, carrier, window, hop_length, slope)
        return made
    return istft_head_reference(x, weight, bias, carrier, window, hop_length, slope)


def istft_head_reference(
    x: Tensor, weight: Tensor, bias: Tensor, carrier: Tensor, window: Tensor, hop_length: int, slope: float
) -> Tensor:
    """What `istft_head` computes, in plain PyTorch."""
    made = conv1d_reference(x, weight, bias, weight.shape[2] // 2, 1, slope, False)
    return _samples(made, carrier, window, hop_length)


def stft(waveform: Tensor, window: Tensor, hop_length: int) -> Tensor:
    """(B, J * hop_length) to complex (B, bins, J); frame j is centred on (j + 1/2) hop_length."""
    n_fft = len(window)
    padded = F.pad(waveform, ((n_fft - hop_length) // 2, (n_fft - hop_length) // 2))
    return torch.stft(padded, n_fft, hop_length, n_fft, window, center=False, return_complex=True)


def inverse_stft(spectrum: Tensor, window: Tensor, hop_length: int) -> Tensor:
    """Complex (B, bins, J) to (B, J * hop_length), by overlap-add; the first and last bins are taken as real."""
    n_fft = len(window)
    edges = spectrum[:, :1].real, spectrum[:, -1:].real  # as cuFFT needs them: it adds in what a CPU's irfft ignores
    spectrum = torch.cat([edges[0], spectrum[:, 1:-1], edges[1]], 1)
    frames = torch.fft.irfft(spectrum.transpose(1, 2), n_fft, dim=2) * window
    summed = _overlap_add(frames, hop_length)
    weight = _overlap_add(window.square().expand(1, frames.shape[1], n_fft), hop_length)
    edge = (n_fft - hop_length) // 2
    return (summed / weight.clamp(min=TINY))[:, edge : edge + frames.shape[1] * hop_length]


def _overlap_add(frames: Tensor, hop_length: int) -> Tensor:
    """(B, J, n_fft) frames summed at their places: (B, (J - 1) * hop_length + n_fft), filled up to whole hops.

    Hop by hop and not by `F.fold`, which takes longer on a CPU.
    """
    parts = torch.split(F.pad(frames, (0, -frames.shape[2] % hop_length)), hop_length, 2)
    last = len(parts) - 1
    rows = [F.pad(part, (0, 0, place, last - place)) for place, part in enumerate(parts)]
    return functools.reduce(torch.add, rows).flatten(1)


def _samples(made: Tensor, carrier: Tensor, window: Tensor, hop_length: int) -> Tensor:
    """(B, 2 bins, J) log magnitudes and turns, and the carrier, to samples."""
    log_magnitude, turn = made.to(carrier.dtype).chunk(2, 1)
    phases = stft(carrier, window, hop_length)
    magnitude = log_magnitude.clamp(max=MAX_LOG_MAGNITUDE).exp() / phases.abs().clamp(min=TINY)
    return inverse_stft(torch.polar(magnitude, turn) * phases, window, hop_length).clamp(-1, 1)


def _on_cpu(
    x: Tensor, weight: Tensor, bias: Tensor, carrier: Tensor, window: Tensor, hop_length: int, slope: float
) -> Tensor:
    made = conv1d_on_cpu(x, weight, bias, weight.shape[2] // 2, 1, slope, False)
    return _samples(made, carrier, window, hop_length)


_fused = torch.library.custom_op("voxclone::istft_head", mutates_args=())(_on_cpu)


@_fused.register_kernel("cuda")
def _on_gpu(
    x: Tensor, weight: Tensor, bias: Tensor, carrier: Tensor, window: Tensor, hop_length: int, slope: float
) -> Tensor:
    from voxclone.kernels.gpu.fourier import add_overlapping, turned_spectrum

    rows = x.transpose(1, 2).contiguous()
    spectrum = turned_spectrum(rows, weight, bias, carrier, window, hop_length, slope)
    return add_overlapping(spectrum, window, hop_length)


@_fused.register_fake
def _shape(x: Tensor, weight: Tensor, bias: Tensor, carrier: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(carrier, memory_format=torch.contiguous_format)


gradients_of(_fused, istft_head_reference)
