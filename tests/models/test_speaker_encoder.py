"""The speaker encoder with a tiny random net: unit length, and what must not matter."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from voxclone.config import SpeakerEncoderConfig
from voxclone.errors import AudioError, ConfigError
from voxclone.models.speaker_encoder import AttentiveStatisticsPooling, SpeakerEncoder

SIZES = {"channels": 8, "dilations": (1, 2), "pooled_channels": 6, "attention_channels": 4, "embedding_dim": 5}


@pytest.fixture(params=[("tdnn", 1), ("tdnn", 4), ("ecapa", 2), ("resnet", 2)], ids=str)
def encoder(request: pytest.FixtureRequest) -> SpeakerEncoder:
    torch.manual_seed(0)
    trunk, stride = request.param
    sizes = SIZES | {"stage_blocks": (1, 2)}
    encoder = SpeakerEncoder(SpeakerEncoderConfig(trunk=trunk, entry_stride=stride, **sizes))  # type: ignore[arg-type]
    encoder.train()
    with torch.no_grad():
        for seed in range(20):
            encoder(mels(8, 90, seed))  # the batch norms learn what is usual, so that embeddings differ
    return encoder.eval()


def mels(count: int, frames: int, seed: int = 0) -> Tensor:
    """Each item with a spectrum of its own that changes with time."""
    generator = torch.Generator().manual_seed(seed)
    colour = torch.randn(count, 80, 1, generator=generator)
    return torch.randn(count, 80, frames, generator=generator) * (1 + colour.abs()) + colour - 5


def speech(count: int = 2, samples: int = 12_000) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    time = torch.arange(samples) / 16000
    hz = torch.tensor([110.0, 190.0, 250.0])[:count, None]
    voice = sum(torch.sin(2 * torch.pi * k * hz * time) / k for k in range(1, 20))
    syllables = torch.sin(2 * torch.pi * 3 * time).clamp(min=0) + 0.2
    return 0.05 * voice * syllables + 0.003 * torch.randn(count, samples, generator=generator)


@pytest.mark.parametrize("frames", [1, 2, 5, 90])
def test_unit_length(encoder: SpeakerEncoder, frames: int) -> None:
    embedding = encoder(mels(3, frames))
    assert embedding.shape == (3, 5)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))


def test_different_speech_differs(encoder: SpeakerEncoder) -> None:
    embedding = encoder(mels(3, 90))
    similarity = embedding @ embedding.T
    assert similarity[~torch.eye(3, dtype=torch.bool)].max() < 0.99


@pytest.mark.parametrize("length", [1, 37, 40, 41])
def test_padding_does_not_matter(encoder: SpeakerEncoder, length: int) -> None:
    mel = mels(2, 60)
    lengths = torch.tensor([60, length])
    dirty = mel.clone()
    dirty[1, :, length:] = 9.0
    alone = torch.cat([encoder(mel[:1]), encoder(mel[1:, :, :length])])
    torch.testing.assert_close(encoder(mel, lengths), alone, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(encoder(dirty, lengths), encoder(mel, lengths))


def test_a_steady_colouring_of_the_spectrum_does_not_matter(encoder: SpeakerEncoder) -> None:
    mel = mels(2, 60)
    channel = torch.randn(80, 1, generator=torch.Generator().manual_seed(9))
    torch.testing.assert_close(encoder(mel + channel), encoder(mel), atol=1e-4, rtol=1e-3)


def test_embed_is_forward_of_its_own_mel(encoder: SpeakerEncoder) -> None:
    waveform = speech()
    assert torch.equal(encoder.embed(waveform), encoder(encoder.mel_spectrogram(waveform)))
    assert encoder.sample_rate == 16000


@pytest.mark.parametrize("gain", [0.5, 2.0, -1.0])
def test_level_does_not_matter(encoder: SpeakerEncoder, gain: float) -> None:
    waveform = speech()
    similarity = (encoder.embed(gain * waveform) * encoder.embed(waveform)).sum(1)
    assert similarity.min() > 0.999  # not quite 1: the mel has a floor


def test_too_short_to_embed(encoder: SpeakerEncoder) -> None:
    with pytest.raises(AudioError, match="more than 176 samples"):
        encoder.embed(torch.zeros(1, 100))


def test_silence_is_finite(encoder: SpeakerEncoder) -> None:
    assert torch.isfinite(encoder.embed(torch.zeros(1, 4000))).all()


def test_deterministic_and_nothing_of_the_mel_is_saved(encoder: SpeakerEncoder) -> None:
    waveform = speech()
    assert torch.equal(encoder.embed(waveform), encoder.embed(waveform))
    assert not any(name.startswith("mel_spectrogram") for name in encoder.state_dict())


def test_every_parameter_learns(encoder: SpeakerEncoder) -> None:
    embedding = encoder.train()(mels(4, 60))
    (embedding * torch.randn(embedding.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


def test_pooling_with_even_attention_is_mean_and_deviation() -> None:
    torch.manual_seed(0)
    pooling = AttentiveStatisticsPooling(3, 2)
    torch.nn.init.zeros_(pooling.score.weight)
    x, mask = torch.randn(2, 3, 7), torch.ones(2, 1, 7)
    mask[1, :, 4:] = 0
    pooled = pooling(x, mask)
    torch.testing.assert_close(pooled[0], torch.cat([x[0].mean(1), x[0].std(1, unbiased=False)]), atol=1e-5, rtol=1e-4)
    real = x[1, :, :4]
    torch.testing.assert_close(pooled[1], torch.cat([real.mean(1), real.std(1, unbiased=False)]), atol=1e-5, rtol=1e-4)


def test_pooling_attends() -> None:
    torch.manual_seed(0)
    pooling = AttentiveStatisticsPooling(3, 2)
    torch.nn.init.normal_(pooling.score.weight, std=3)
    x, mask = torch.randn(1, 3, 7), torch.ones(1, 1, 7)
    assert (pooling(x, mask)[0, :3] - x[0].mean(1)).abs().max() > 0.01


def test_exports(encoder: SpeakerEncoder) -> None:
    mel = mels(2, 60)
    torch.testing.assert_close(torch.export.export(encoder, (mel,)).module()(mel), encoder(mel))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_size": 4}, "kernel_size is 4; it must be odd"),
        ({"entry_stride": 0}, "entry_stride is 0"),
        ({"channels": 3}, "channels is 3; it must be at least 4"),
        ({"dilations": ()}, "dilations is"),
        ({"trunk": "ecapa", "channels": 20}, "channels is 20; the ecapa trunk needs a multiple of 8"),
        ({"stage_blocks": (3, 0)}, "stage_blocks is"),
    ],
)
def test_sizes_that_cannot_work(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SpeakerEncoderConfig(**changes)
