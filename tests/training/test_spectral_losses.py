"""Spectral distance: zero for the same, blind above the bandwidth, differentiable."""

import pytest
import torch

from voxclone.training.spectral_losses import multi_resolution_stft_loss

RATE = 22050


def noise(seed: int) -> torch.Tensor:
    return torch.randn(2, 8192, generator=torch.Generator().manual_seed(seed))


def band(low: float, high: float) -> torch.Tensor:
    spectrum = torch.fft.rfft(noise(5))
    frequencies = torch.linspace(0, RATE / 2, spectrum.shape[1])
    return torch.fft.irfft(spectrum * ((frequencies >= low) & (frequencies < high)))


def test_is_zero_for_the_same_and_grows_with_the_difference() -> None:
    bandwidth = torch.full((2,), RATE / 2)
    natural = noise(0)
    losses = [multi_resolution_stft_loss(natural + s * noise(1), natural, bandwidth, RATE) for s in (0.0, 0.1, 1.0)]
    assert float(losses[0]) == 0.0
    assert losses[0] < losses[1] < losses[2]


def test_does_not_hear_above_the_bandwidth() -> None:
    low, high = band(0, 4000), band(9000, RATE)
    narrow, full = torch.full((2,), 7000.0), torch.full((2,), RATE / 2)
    unheard = multi_resolution_stft_loss(low + high, low, narrow, RATE)
    heard = multi_resolution_stft_loss(low + high, low, full, RATE)
    assert float(heard) > 5 * float(unheard)


def test_levels_count_in_decibels_alike() -> None:
    full = torch.full((2,), RATE / 2)
    loss = multi_resolution_stft_loss(0.5 * noise(0), noise(0), full, RATE)
    assert float(loss) == pytest.approx(0.5 + 0.6931, abs=0.01)  # convergence of a half, and its log


def test_gradient_is_finite_in_silence() -> None:
    made = torch.zeros(2, 8192, requires_grad=True)
    multi_resolution_stft_loss(made, torch.zeros(2, 8192), torch.full((2,), 8000.0), RATE).backward()
    assert made.grad is not None and bool(torch.isfinite(made.grad).all())
