"""Differences of magnitude spectrograms."""

from __future__ import annotations

import torch
from torch import Tensor

RESOLUTIONS = ((2048, 512), (1024, 256), (512, 128), (256, 64))  # n_fft, hop_length in samples


def multi_resolution_stft_loss(made: Tensor, natural: Tensor, bandwidth: Tensor, sample_rate: int) -> Tensor:
    """Spectral convergence and log-magnitude distance (Parallel WaveGAN, arXiv:1910.11480, eq. 3-6), below a bandwidth.

    Args:
        made: (B, S) generated.
        natural: (B, S).
        bandwidth: (B,) Hz; what lies above is not compared, as a narrow-band recording does not tell it.
        sample_rate: Hz.

    Returns:
        Scalar, the mean over resolutions.
    """
    losses = []
    for n_fft, hop_length in RESOLUTIONS:
        window = torch.hann_window(n_fft, device=made.device)
        a, b = (_magnitude(x, n_fft, hop_length, window) for x in (made, natural))
        bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, device=made.device)
        heard = (bins < bandwidth[:, None]).float()[:, :, None]
        convergence = ((a - b) * heard).flatten(1).norm(dim=1) / (b * heard).flatten(1).norm(dim=1).clamp(min=1e-3)
        logs = (torch.log(a) - torch.log(b)).abs() * heard
        losses.append(convergence.clamp(max=10).mean() + logs.sum() / (heard.sum() * a.shape[2]))
    return torch.stack(losses).mean()


def _magnitude(x: Tensor, n_fft: int, hop_length: int, window: Tensor) -> Tensor:
    spectrum = torch.stft(x, n_fft, hop_length, n_fft, window, return_complex=True)
    return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-7)
