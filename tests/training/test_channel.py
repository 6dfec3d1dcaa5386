"""The channel between vocoder and detector."""

import math

import numpy as np
import pytest
import torch

from voxclone.training import distortions
from voxclone.training.channel import WEIGHTS, Channel, codec_at

pytest.importorskip("av")
pytest.importorskip("torchaudio")
RATE = 22050


@pytest.fixture
def speech(recording) -> torch.Tensor:
    samples, rate = recording
    return torch.from_numpy(samples[: rate // 2]).clone()


@pytest.mark.parametrize("effect", WEIGHTS)
def test_keeps_shape_and_lets_a_gradient_through(effect, speech):
    room = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * torch.exp(-torch.arange(2000) / 200)
    channel = Channel(RATE, [room], {effect: 1.0}, counts=(0.0, 1.0))
    waveform = torch.stack([speech, 0.5 * speech]).requires_grad_()
    received, labels = channel(waveform, torch.ones_like(waveform), np.random.default_rng(0))
    assert received.shape == labels.shape == waveform.shape
    assert torch.isfinite(received).all() and (labels == 1).all()
    received.square().sum().backward()
    assert torch.isfinite(waveform.grad).all() and (waveform.grad.abs().amax(1) > 0).all()


def test_labels_move_with_the_samples():
    waveform = torch.zeros(1, RATE)
    waveform[:, RATE // 2 :] = 0.1 * torch.randn(1, RATE - RATE // 2, generator=torch.Generator().manual_seed(0))
    channel = Channel(RATE, weights={"speed": 1.0}, counts=(0.0, 1.0))
    for seed in range(4):
        received, labels = channel(waveform, (waveform != 0).float(), np.random.default_rng(seed))
        loud = torch.nn.functional.max_pool1d(received.abs(), 101, 1, 50) > 0.1 * received.abs().max()
        assert (loud == (labels > 0.5)).float().mean() > 0.98


def test_hears_as_the_search_does_and_keeps_the_speed_of_a_mark():
    time = torch.arange(RATE) / RATE
    waveform = (0.1 * torch.sin(2 * math.pi * 2000 * time)).repeat(12, 1)
    marked = torch.zeros_like(waveform)
    marked[:6, : RATE // 2] = 1
    channel = Channel(RATE, counts=(1.0,), searched_speed=0.1)
    received, labels = channel(waveform, marked, np.random.default_rng(0))
    window = torch.hann_window(RATE // 3)
    hertz = torch.fft.rfft(received[:, : RATE // 3] * window).abs().argmax(1) * 3.0
    assert ((hertz[:6] - 2000).abs() <= 6).all() and (labels[:6].sum(1) > 0.4 * RATE).all()
    moved = (hertz[6:] - 2000).abs() > 6
    assert 1 <= moved.sum() <= 5 and ((hertz > 1790) & (hertz < 2230)).all() and not labels[6:].any()


def test_the_same_seed_draws_the_same(speech):
    waveform = speech[None].repeat(3, 1)
    one, two = (Channel(RATE)(waveform, waveform, np.random.default_rng(7))[0] for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one[0], one[1])
    several, _ = Channel(RATE, threads=3)(waveform, waveform, np.random.default_rng(7))
    assert torch.equal(one, several)


@pytest.mark.parametrize(("name", "bit_rate"), [("mp3", 64000), ("mp3", 128000), ("aac", 64000), ("opus", 64000)])
def test_codecs_are_real_and_aligned(name, bit_rate, speech):
    sent = speech.numpy()
    received = codec_at(name, bit_rate)(sent, 16000)
    assert received.shape == sent.shape
    error = np.square(received - sent).sum() / np.square(sent).sum()
    assert 1e-6 < error < 0.15  # lossy, and not late: half a millisecond of delay alone would give 0.3 and more


def test_speed_moves_pitch_and_tempo_does_not(speech):
    tone = torch.sin(2 * math.pi * 1000 / RATE * torch.arange(RATE))

    def pitch(x):
        return float(torch.fft.rfft(x * torch.hann_window(len(x))).abs().argmax()) * RATE / len(x)

    assert pitch(distortions.change_speed(tone, 1.1)) == pytest.approx(1100, rel=0.01)
    assert len(distortions.change_speed(tone, 1.1)) == pytest.approx(RATE / 1.1, rel=0.01)
    assert pitch(distortions.change_tempo(tone, 1.1)) == pytest.approx(1000, rel=0.01)
    assert len(distortions.change_tempo(tone, 1.1)) == pytest.approx(RATE / 1.1, rel=0.05)
    assert pitch(distortions.change_pitch(tone, 1.1)) == pytest.approx(1100, rel=0.01)
    assert len(distortions.change_pitch(tone, 1.1)) == RATE


def test_noise_has_the_ratio_that_was_asked_for(speech):
    for pink in (False, True):
        noise = distortions.add_noise(speech, 20.0, np.random.default_rng(0), pink) - speech
        assert 10 * math.log10(speech.square().mean() / noise.square().mean()) == pytest.approx(20, abs=0.01)


def test_a_phase_shift_of_pi_is_an_inverted_polarity(speech):
    torch.testing.assert_close(distortions.shift_phase(speech, math.pi), -speech, atol=1e-5, rtol=0)


def test_quantisation_rounds_and_passes_the_gradient():
    x = torch.linspace(-0.9, 0.9, 64, requires_grad=True)
    y = distortions.quantise(x, 4)
    torch.testing.assert_close(y * 8, torch.round(y.detach() * 8))
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones(64))


def test_band_and_equaliser_do_to_a_tone_what_they_say():
    time = torch.arange(RATE) / RATE
    low, high = torch.sin(2 * math.pi * 200 * time), torch.sin(2 * math.pi * 6000 * time)
    passed = distortions.pass_band(low + high, RATE, 0, 3000)
    assert (passed - low).square().mean() < 1e-3
    louder = distortions.equalise(low, torch.tensor([6.0206, 6.0206]))
    torch.testing.assert_close(louder, 2 * low, atol=1e-3, rtol=1e-3)
