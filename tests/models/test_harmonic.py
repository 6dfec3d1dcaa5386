"""The harmonic-plus-noise vocoder: its source, its STFT pair, and the network's promises with random weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from voxclone.audio.pitch import f0 as measure_f0
from voxclone.config import VocoderConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.layers.resblock import fold_weight_norm
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.harmonic import HarmonicISTFT, _fill_unvoiced, _smooth_over_bins, impulse_train

RATE, HOP = 22050, 256
TINY = {
    "n_mels": 8,
    "hop_length": 32,
    "upsample_rates": (1, 4),
    "upsample_kernel_sizes": (3, 8),
    "upsample_initial_channel": 16,
    "resblock": "2",
    "resblock_kernel_sizes": (3,),
    "resblock_dilation_sizes": ((1, 2),),
    "head": "harmonic_istft",
    "head_n_fft": 32,
}  # head hop 8


def build(weight_norm: bool = False, **changes: object) -> HarmonicISTFT:
    torch.manual_seed(0)
    vocoder = build_vocoder(VocoderConfig(**(TINY | changes)), weight_norm).eval()  # type: ignore[arg-type]
    assert isinstance(vocoder, HarmonicISTFT)
    return vocoder


@pytest.fixture
def vocoder() -> HarmonicISTFT:
    return build()


def mel_and_f0(frames: int, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    f0 = torch.linspace(100, 300, frames).repeat(batch, 1)
    f0[:, frames // 2 :: 5] = 0
    return torch.randn(batch, 8, frames, generator=generator) - 5, f0


def train(f0: Tensor, phase: float = 0.0) -> Tensor:
    return impulse_train(f0, HOP, RATE, torch.full((len(f0), 1), phase))


# ---- source


@pytest.mark.parametrize("hz", [60.0, 137.0, 440.0, 2000.0])
def test_impulse_train_is_the_sum_of_all_harmonics(hz: float) -> None:
    found = train(torch.full((1, 8), hz), phase=0.3)[0].double().numpy()
    radians = 0.3 + 2 * np.pi * hz * np.arange(1, 8 * HOP + 1) / RATE
    count = int(RATE / 2 / hz)
    expected = np.sqrt(2 / count) * sum(np.cos(k * radians) for k in range(1, count + 1))
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


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
    count = np.floor(RATE / 2 / hz)
    cosines = sum(np.cos(k * radians) * (k <= count) for k in range(1, int(count.max()) + 1))
    voiced = np.repeat(f0[0].numpy() > 0, HOP)
    expected = np.sqrt(2 / count) * cosines * voiced
    wrong = np.abs(train(f0, phase=1.0)[0].numpy() - expected) > 0.01 * np.abs(expected).max()
    assert wrong.mean() < 0.005  # where the number of harmonics changes, rounding may be a sample late


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


# ---- STFT pair


@pytest.mark.parametrize(("n_fft", "upsample"), [(16, (1, 4)), (32, (1, 4)), (20, (1, 4)), (64, (2, 4))])
def test_istft_undoes_stft_ends_included(n_fft: int, upsample: tuple[int, int]) -> None:
    vocoder = build(head_n_fft=n_fft, upsample_rates=upsample, upsample_kernel_sizes=(upsample[0] + 2, 8))
    waveform = torch.randn(2, 32 * 5, generator=torch.Generator().manual_seed(0))
    spectrum = vocoder._stft(waveform)
    assert spectrum.shape == (2, n_fft // 2 + 1, 5 * 32 // vocoder.config.head_hop_length)
    torch.testing.assert_close(vocoder._istft(spectrum), waveform, atol=1e-5, rtol=1e-4)


def test_white_noise_has_unit_power_in_each_bin(vocoder: HarmonicISTFT) -> None:
    noise = torch.randn(1, 32 * 400, generator=torch.Generator().manual_seed(0))
    power = vocoder._stft(noise).abs().square().mean(2)[0]
    torch.testing.assert_close(power[1:-1], torch.ones(15), atol=0.15, rtol=0)


# ---- the network


@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("given", [True, False])
def test_length_and_range(vocoder: HarmonicISTFT, frames: int, given: bool) -> None:
    mel, f0 = mel_and_f0(frames)
    made = vocoder(mel, f0 if given else None)
    assert made.shape == (2, 32 * frames)
    assert torch.isfinite(made).all()
    assert made.abs().max() <= 1
    assert made.any()


def test_loud_weights_stay_in_range(vocoder: HarmonicISTFT) -> None:
    with torch.no_grad():
        vocoder.conv_post.bias += 100
    made = vocoder(*mel_and_f0(5))
    assert torch.isfinite(made).all()
    assert made.abs().max() == 1


def test_deterministic_and_without_global_state(vocoder: HarmonicISTFT) -> None:
    mel, f0 = mel_and_f0(6)
    first = vocoder(mel, f0)
    torch.manual_seed(77)
    state = torch.random.get_rng_state()
    assert torch.equal(vocoder(mel, f0), first)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_batch_is_its_items(vocoder: HarmonicISTFT) -> None:
    mel, f0 = mel_and_f0(6)
    mel[1] += 1
    f0[1] *= 1.5
    for given in (f0, None):
        together = vocoder(mel, given)
        alone = [vocoder(mel[i : i + 1], None if given is None else given[i : i + 1]) for i in range(2)]
        torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_without_f0_it_is_estimated_from_the_mel(vocoder: HarmonicISTFT) -> None:
    mel, f0 = mel_and_f0(6)
    with torch.no_grad():
        vocoder.pitch.layers[-1].bias.copy_(torch.tensor([0.5, 0.0]))
    estimated = vocoder.pitch.f0(mel)
    assert torch.equal(vocoder(mel), vocoder(mel, estimated))
    assert not torch.equal(vocoder(mel), vocoder(mel, f0))
    with torch.no_grad():
        vocoder.pitch.layers[-1].weight.zero_()
        vocoder.pitch.layers[-1].bias.copy_(torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(vocoder.pitch.f0(mel), torch.full((2, 6), 128 * 2**0.5))
    with torch.no_grad():
        vocoder.pitch.layers[-1].bias.copy_(torch.tensor([0.5, -1.0]))
    assert not vocoder.pitch.f0(mel).any()


def test_neutral_filters_let_the_source_through(vocoder: HarmonicISTFT) -> None:
    mel, f0 = mel_and_f0(6)
    with torch.no_grad():
        vocoder.conv_post.weight.zero_()
        gain, turn, noise_gain = vocoder.conv_post.bias.chunk(3)
        gain.fill_(2.0 + math.log(0.05))
        turn.zero_()
        noise_gain.fill_(-1000.0)
        made = vocoder(mel, f0)
    expected = 0.05 * impulse_train(f0, 32, RATE, torch.zeros(2, 1))
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-3)


def test_unvoiced_frames_are_noise_alone(vocoder: HarmonicISTFT) -> None:
    mel, f0 = mel_and_f0(6)
    noise, phase = torch.randn(2, 192, generator=torch.Generator().manual_seed(0)), torch.zeros(2, 1)
    assert not vocoder.synthesize(mel, torch.zeros_like(f0), torch.zeros_like(noise), phase).any()
    assert vocoder.synthesize(mel, torch.zeros_like(f0), noise, phase).any()


def test_folding_weight_norm_keeps_the_samples() -> None:
    mel, f0 = mel_and_f0(4)
    normed = build(weight_norm=True)
    with torch.no_grad():
        for name, parameter in normed.named_parameters():
            if name.endswith("original0"):
                parameter.mul_(1.3)
        expected = normed(mel, f0)
        fold_weight_norm(normed)
        torch.testing.assert_close(normed(mel, f0), expected, atol=1e-5, rtol=1e-4)
    assert normed.state_dict().keys() == build().state_dict().keys()


def test_every_parameter_learns() -> None:
    vocoder = build(weight_norm=True).train()
    mel, f0 = mel_and_f0(6)
    noise = torch.randn(2, 192, generator=torch.Generator().manual_seed(0))
    made = vocoder.synthesize(mel, f0, noise, torch.zeros(2, 1))
    octaves, voicing = vocoder.pitch(mel)
    ((made - noise).square().mean() + octaves.mean() + voicing.mean()).backward()
    for name, parameter in vocoder.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all() and parameter.grad.any(), name


@pytest.mark.parametrize("n_fft", [0, 8, 14, 31, 33])
def test_transforms_that_do_not_suit_the_hop(n_fft: int) -> None:
    with pytest.raises(ConfigError, match=f"head_n_fft is {n_fft}"):
        build(head_n_fft=n_fft)


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match="no multiple of the product"):
        build(hop_length=34)


@pytest.mark.parametrize("shape", [(2, 7, 4), (8, 4), (1, 8, 0), (1, 1, 8, 4)])
@pytest.mark.parametrize("given", [True, False])
def test_mels_of_another_shape(vocoder: HarmonicISTFT, shape: tuple[int, ...], given: bool) -> None:
    with pytest.raises(ModelError, match="this vocoder needs"):
        vocoder(torch.zeros(shape), torch.zeros(shape[0], shape[-1]) if given else None)


@pytest.mark.parametrize("shape", [(1, 5), (2, 4), (4,), (1, 1, 4)])
def test_f0_of_another_shape(vocoder: HarmonicISTFT, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="the f0 has shape"):
        vocoder(torch.zeros(1, 8, 4), torch.zeros(shape))


def test_gains_that_alternate_from_bin_to_bin_are_smoothed_away() -> None:
    alternating = torch.tensor([1.0, -1.0]).repeat(5)[None, :, None]
    torch.testing.assert_close(_smooth_over_bins(alternating)[:, 1:-1], torch.zeros(1, 8, 1))
    ramp = torch.arange(10.0)[None, :, None]
    torch.testing.assert_close(_smooth_over_bins(ramp)[:, 1:-1], ramp[:, 1:-1])
