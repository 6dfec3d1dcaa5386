"""Each channel does what its name says, and keeps the level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("torchaudio")

from voxclone.training.augmentation import Augmentation, simulate_rooms

RATE = 16000
NOTHING = Augmentation([], [], RATE, 0.0, 0.0, 0.0, 0.0)


def tone(frequency: float = 440.0) -> Tensor:
    return 0.1 * torch.sin(2 * torch.pi * frequency * torch.arange(RATE) / RATE)


def power(waveform: Tensor, low: float, high: float) -> float:
    spectrum = torch.fft.rfft(waveform).abs().square()
    frequencies = torch.linspace(0, RATE / 2, len(spectrum))
    return float(spectrum[(frequencies >= low) & (frequencies < high)].sum())


def test_without_channels_only_the_gain_changes() -> None:
    rng = np.random.default_rng(0)
    made = NOTHING(tone(), rng)
    ratio = float(made.norm() / tone().norm())
    assert 10 ** (-3 / 20) <= ratio <= 10 ** (3 / 20)
    torch.testing.assert_close(made, ratio * tone(), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("length", [500, RATE, 5 * RATE])
def test_noise_has_the_ratio_asked_for(length: int) -> None:
    noise = torch.randn(length, generator=torch.Generator().manual_seed(0))
    noisy = replace(NOTHING, noises=[noise], noise_probability=1.0, snr_db=(10.0, 10.0))
    made = noisy(tone(), np.random.default_rng(0))
    ratio = power(made, 430, 450) / (power(made, 0, 430) + power(made, 450, 8001))
    assert 10 * np.log10(ratio) == pytest.approx(10.0, abs=0.7)


def test_band_limit_cuts_above_and_keeps_below() -> None:
    limited = replace(NOTHING, band_limit_probability=1.0)
    made = limited(tone(500) + tone(7800), np.random.default_rng(0))
    assert power(made, 7700, 7900) < 0.01 * power(made, 400, 600)


def test_silence_and_level_survive_everything() -> None:
    pytest.importorskip("pyroomacoustics")
    rooms = simulate_rooms(2, RATE, seed=1)
    everything = Augmentation([torch.zeros(100)], rooms, RATE, 1.0, 1.0, 1.0, 1.0)
    rng = np.random.default_rng(0)
    assert bool(torch.isfinite(everything(torch.zeros(RATE), rng)).all())
    for _ in range(5):
        made = everything(tone(), rng)
        assert made.shape == (RATE,)
        assert abs(20 * float(torch.log10(made.norm() / tone().norm()))) <= 3.01


def test_rooms_are_seeded_and_begin_with_the_direct_sound() -> None:
    pytest.importorskip("pyroomacoustics")
    rooms = simulate_rooms(3, RATE, seed=4)
    assert all(room.shape == (RATE // 4 + 1,) for room in rooms)
    assert all(float(room.abs().max()) == pytest.approx(1) and int(room.abs().argmax()) <= 8 for room in rooms)
    torch.testing.assert_close(simulate_rooms(3, RATE, seed=4), rooms)
    assert not torch.equal(rooms[0], rooms[1])


def test_a_telephone_keeps_only_the_middle() -> None:
    telephone = replace(NOTHING, telephone_probability=1.0)
    made = telephone(tone(20) + tone(1000) + tone(7800), np.random.default_rng(0))
    assert power(made, 0, 30) < 0.001 * power(made, 900, 1100)
    assert power(made, 7700, 8001) < 0.12 * power(made, 900, 1100)  # 6500 Hz may be its end


def test_clean_crops_get_no_channel() -> None:
    clean = Augmentation([torch.randn(RATE)], [], RATE, 1.0, 1.0, 1.0, 1.0, clean_probability=1.0)
    made = clean(tone(), np.random.default_rng(0))
    torch.testing.assert_close(made, float(made.norm() / tone().norm()) * tone(), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("gains", [3.0, 12.0])
def test_the_equaliser_stays_within_its_gains(gains: float) -> None:
    equalised = replace(NOTHING, equaliser_probability=1.0, equaliser_db=gains)
    noise = torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    made = equalised(noise, np.random.default_rng(0))
    bands = [(low, low + 250) for low in range(0, 8000, 250)]
    changes = np.array([10 * np.log10(power(made, *band) / power(noise, *band)) for band in bands])
    assert gains < changes.max() - changes.min() < 2 * gains + 0.5
