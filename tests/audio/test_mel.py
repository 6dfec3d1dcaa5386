"""The mel is that of the public HiFi-GAN code, and librosa's filterbank."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from voxclone.audio.mel import MelSpectrogram, mel_filterbank, voiced_spectrum
from voxclone.config import AudioConfig, SpeakerEncoderConfig
from voxclone.errors import AudioError, ConfigError

AUDIO = AudioConfig()


def noise(samples: int, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(samples)
    return 0.1 * torch.randn(batch, samples, generator=generator)


def tone(hz: float, samples: int = 8192, sample_rate: int = 22050) -> Tensor:
    return 0.5 * torch.sin(2 * math.pi * hz * torch.arange(samples, dtype=torch.float64) / sample_rate).float()[None]


@pytest.mark.parametrize("shape", [AUDIO, SpeakerEncoderConfig(), AudioConfig(f_min=50.0, n_mels=20)])
def test_filterbank_is_librosas(shape: AudioConfig | SpeakerEncoderConfig) -> None:
    filters = pytest.importorskip("librosa").filters
    expected = filters.mel(
        sr=shape.sample_rate, n_fft=shape.n_fft, n_mels=shape.n_mels, fmin=shape.f_min, fmax=shape.f_max
    )
    np.testing.assert_allclose(mel_filterbank(shape), expected, rtol=1e-5, atol=1e-8)


def test_filterbank_has_unit_area_over_hertz() -> None:
    areas = mel_filterbank(AUDIO)[40:].sum(1) * AUDIO.sample_rate / AUDIO.n_fft  # the wide ones, well sampled
    np.testing.assert_allclose(areas, 1, atol=0.03)


def hifigan_mel(waveform: np.ndarray, shape: AudioConfig) -> np.ndarray:
    """The published definition (arXiv:2010.05646, meldataset.py), frame by frame in float64."""
    padding = (shape.n_fft - shape.hop_length) // 2
    padded = np.pad(waveform.astype(np.float64), padding, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(shape.win_length) / shape.win_length)
    starts = range(0, len(padded) - shape.n_fft + 1, shape.hop_length)
    frames = np.stack([padded[start : start + shape.n_fft] * window for start in starts])
    magnitude = np.sqrt(np.abs(np.fft.rfft(frames)) ** 2 + 1e-9)
    return np.log(np.maximum(mel_filterbank(shape) @ magnitude.T, 1e-5))


@pytest.mark.parametrize("samples", [400, 1000, 256 * 12])
def test_equals_the_published_mel(samples: int) -> None:
    waveform = noise(samples)
    mel = MelSpectrogram(AUDIO)(waveform)
    np.testing.assert_allclose(mel[0].numpy(), hifigan_mel(waveform[0].numpy(), AUDIO), atol=2e-4)


def test_a_window_shorter_than_the_transform_is_centred_in_it() -> None:
    shape = SpeakerEncoderConfig()
    impulse = torch.zeros(1, 1600)
    impulse[0, 790] = 1.0
    level = MelSpectrogram(shape)(impulse).mean(1)[0]
    heard = torch.nonzero(level > level.min() + 1)[:, 0]
    # frame t is centred on 160 t + 80 and sees 200 samples to each side
    assert heard.tolist() == [4, 5]
    assert level[4] > level[5]


@pytest.mark.parametrize("samples", [385, 511, 512, 513, 767, 768, 4000])
@pytest.mark.parametrize("shape", [AUDIO, SpeakerEncoderConfig()])
def test_frame_count(shape: AudioConfig | SpeakerEncoderConfig, samples: int) -> None:
    assert MelSpectrogram(shape)(noise(samples)).shape == (1, shape.n_mels, samples // shape.hop_length)


def test_no_other_frame_count_can_be_configured() -> None:
    with pytest.raises(ConfigError, match="must be even"):
        AudioConfig(hop_length=255)


def test_too_short() -> None:
    with pytest.raises(AudioError, match="more than 384 samples, got 384"):
        MelSpectrogram(AUDIO)(noise(384))


def test_a_batch_is_its_items() -> None:
    waveforms = noise(3000, batch=3)
    mel = MelSpectrogram(AUDIO)
    torch.testing.assert_close(mel(waveforms), torch.cat([mel(row[None]) for row in waveforms]))


def test_silence_is_near_the_floor_and_finite() -> None:
    mel = MelSpectrogram(AUDIO)(torch.zeros(1, 2048))
    assert torch.isfinite(mel).all()
    assert mel.min() >= math.log(1e-5) - 1e-6
    assert mel.max() < -9
    assert MelSpectrogram(dataclasses.replace(AUDIO, mel_floor=1e-2))(torch.zeros(1, 2048)).min() == pytest.approx(
        math.log(1e-2)
    )


def test_a_louder_tone_raises_its_band_by_the_natural_log() -> None:
    mel = MelSpectrogram(AUDIO)
    quiet, loud = mel(0.25 * tone(2000))[0], mel(tone(2000))[0]
    band = int(quiet[:, 16].argmax())
    assert float(loud[band, 16] - quiet[band, 16]) == pytest.approx(math.log(4), abs=1e-3)


def test_tones_climb_through_the_bands_and_f_max_is_the_end() -> None:
    mel = MelSpectrogram(AUDIO)
    bands = [int(mel(tone(hz))[0, :, 16].argmax()) for hz in (200, 500, 1000, 2000, 4000, 7500)]
    assert bands == sorted(set(bands))
    assert mel(tone(10000))[0, :, 16].max() < mel(tone(7500))[0, :, 16].max() - 3


def test_nothing_of_it_is_saved() -> None:
    assert MelSpectrogram(AUDIO).state_dict() == {}


def test_gradients_are_finite_in_silence() -> None:
    waveform = torch.zeros(1, 1024, requires_grad=True)
    MelSpectrogram(AUDIO)(waveform).sum().backward()
    assert waveform.grad is not None
    assert torch.isfinite(waveform.grad).all()


def test_voiced_spectrum_is_the_mean_of_voiced_frames() -> None:
    mel = np.array([[1.0, 2.0, 6.0], [0.0, 4.0, -4.0]], np.float32)
    np.testing.assert_array_equal(voiced_spectrum(mel, np.array([100.0, 0.0, 120.0], np.float32)), [3.5, -2.0])
    np.testing.assert_array_equal(voiced_spectrum(mel, np.zeros(3, np.float32)), [3.0, 0.0])
