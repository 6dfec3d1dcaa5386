"""The pulses that the vocoder shapes: spectrum, power, pitch, phase and gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from voxclone.audio.pitch import f0 as measure_f0
from voxclone.kernels.pulse_source import FADE, _fill_unvoiced, impulse_train

RATE, HOP = 22050, 256


def train(f0: Tensor, phase: float = 0.0) -> Tensor:
    return impulse_train(f0, HOP, RATE, torch.full((len(f0), 1), phase))


@pytest.mark.parametrize("hz", [60.0, 137.0, 440.0, 2000.0])
def test_impulse_train_is_the_sum_of_all_harmonics(hz: float) -> None:
    found = train(torch.full((1, 8), hz), phase=0.3)[0].double().numpy()
    radians = 0.3 + 2 * np.pi * hz * np.arange(1, 8 * HOP + 1) / RATE
    below = RATE / 2 / hz
    weights = np.minimum(1, FADE * (below - np.arange(1, int(below) + 1)))  # the highest may not have faded in
    expected = np.sqrt(2 / np.square(weights).sum()) * sum(w * np.cos(k * radians) for k, w in enumerate(weights, 1))
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_rounding_of_f0_is_not_heard() -> None:
    """A glide crosses many numbers of harmonics; what differs in the last bits stays so."""
    f0 = torch.linspace(90, 260, 200)[None]
    other = f0 * (1 + 2e-7 * torch.randn(1, 200, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(f0, other)
    assert (train(f0) - train(other)).abs().max() < 0.02  # of pulses up to 18 high


@pytest.mark.parametrize("hz", [20.0, 80.0, 220.0, 1000.0, 5000.0, 9000.0])
def test_impulse_train_has_unit_power(hz: float) -> None:
    assert float(train(torch.full((1, 86), hz)).square().mean()) == pytest.approx(1, abs=0.05)


def test_harmonics_are_equal_and_nothing_lies_between_or_is_aliased() -> None:
    spectrum = torch.fft.rfft(train(torch.full((1, 90), 210.0))[0, : RATE // 2] * torch.hann_window(RATE // 2)).abs()
    hz = torch.arange(len(spectrum)) * 2.0  # half a second: bins of 2 Hz
    distance = (hz - 210 * (hz / 210).round()).abs()
    inside = hz < 11000
    peaks = torch.stack([spectrum[(210 * k) // 2] for k in range(1, 52)])
    assert peaks.max() / peaks.min() < 1.05
    assert spectrum[(distance > 10) & inside & (hz > 220)].max() < 1e-3 * peaks.min()


@pytest.mark.parametrize("hz", [75.0, 150.0, 333.0])
def test_its_f0_is_what_was_asked_for(hz: float) -> None:
    pulses = train(torch.full((1, 60), hz))[0]
    spectrum = torch.fft.rfft(pulses)
    spectrum[len(spectrum) // 5 :] = 0  # single samples are too sharp for the pitch tracker
    found = measure_f0(torch.fft.irfft(spectrum, len(pulses)).numpy(), RATE, HOP)[5:-5]
    assert np.abs(1200 * np.log2(found / hz)).max() < 5


def test_f0_is_interpolated_and_phase_goes_on_through_its_changes_and_gaps() -> None:
    f0 = torch.tensor([[100.0, 100, 150, 220, 0, 0, 130, 90, 90, 300]])
    frames = np.array([100.0, 100, 150, 220, 220, 220, 130, 90, 90, 300])  # a gap keeps the last f0
    hz = np.interp((np.arange(10 * HOP) + 0.5) / HOP - 0.5, np.arange(10), frames)
    radians = 1.0 + 2 * np.pi * np.cumsum(hz) / RATE
    weights = [np.clip(FADE * (RATE / 2 / hz - k), 0, 1) for k in range(1, 140)]
    cosines = sum(w * np.cos(k * radians) for k, w in enumerate(weights, 1))
    voiced = np.repeat(f0[0].numpy() > 0, HOP)
    expected = np.sqrt(2 / np.square(weights).sum(0)) * cosines * voiced
    np.testing.assert_allclose(train(f0, phase=1.0)[0].numpy(), expected, atol=1e-4 * np.abs(expected).max())


def test_silent_where_unvoiced() -> None:
    f0 = torch.full((1, 10), 150.0)
    f0[:, 3:6] = 0
    made = train(f0).view(10, HOP)
    assert not made[3:6].any()
    assert (made[[0, 1, 2, 6, 7, 8, 9]].square().mean(1) > 0.1).all()
    assert not train(torch.zeros(1, 4)).any()


@pytest.mark.parametrize("hz", [0.5, 5.0, 11000.0, 11025.0, 20000.0])
def test_extreme_f0_is_finite(hz: float) -> None:
    made = train(torch.full((1, 5), hz))
    assert torch.isfinite(made).all()
    assert made.abs().max() <= math.sqrt(2 * RATE / 2 / min(hz, RATE / 2)) * 1.01


def test_long_sounds_keep_their_pitch() -> None:
    f0 = torch.full((1, 5200), 200.0)  # a minute: float32 phases would have drifted
    made = train(f0)[0, -8 * HOP :].double().numpy()
    radians = 2 * np.pi * 200.0 * np.arange(5192 * HOP + 1, 5200 * HOP + 1) / RATE
    expected = np.sqrt(2 / 55) * sum(np.cos(k * radians) for k in range(1, 56))
    np.testing.assert_allclose(made, expected, atol=0.02 * np.abs(expected).max())


def test_fill_unvoiced() -> None:
    f0 = torch.tensor([[0.0, 0, 100, 0, 0, 200, 0], [0, 0, 0, 0, 0, 0, 0]])
    assert _fill_unvoiced(f0).tolist() == [[100, 100, 100, 100, 100, 200, 200], [128] * 7]
