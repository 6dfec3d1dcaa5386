"""Detector and vocoder trained together."""

import numpy as np
import pytest
import torch

from voxclone.audio.mel import MelSpectrogram
from voxclone.config import AudioConfig, WatermarkConfig
from voxclone.training.channel import Channel
from voxclone.training.imitation import CopySynthesis, GriffinLim, OtherRhythm
from voxclone.training.watermark import CollaborativeMark

RATE = 22050
TINY = WatermarkConfig(channels=16, dilations=(1, 2))


@pytest.fixture
def natural() -> torch.Tensor:
    return 0.1 * torch.randn(4, 5120, generator=torch.Generator().manual_seed(0))


def quiet_channel() -> Channel:
    return Channel(RATE, weights={"noise": 1.0, "phase": 1.0}, counts=(0.5, 0.5))


def comb(waveform: torch.Tensor, strength: torch.Tensor | float) -> torch.Tensor:
    """An echo of 4 ms: a mark that a detector can hear."""
    return waveform + strength * torch.nn.functional.pad(waveform, (88, 0))[:, : waveform.shape[1]]


def test_gradients_go_where_they_should(natural):
    torch.manual_seed(0)
    mark = CollaborativeMark(TINY, quiet_channel())
    made = comb(natural, 0.5).requires_grad_()
    losses = mark.detector_loss(natural, made)
    losses["loss"].backward()
    assert made.grad is None
    assert all(p.grad is not None for p in mark.detector.parameters())
    mark.vocoder_loss(made).backward()
    assert (made.grad.abs().amax(1) > 0).all()


def test_both_learn_a_mark(natural):
    """The detector's loss falls as it learns an echo; a vocoder with an echo of its own to choose makes it stronger."""
    torch.manual_seed(0)
    mark = CollaborativeMark(TINY, quiet_channel(), [lambda waveform: waveform.flip(1)])
    strength = torch.nn.Parameter(torch.tensor(0.5))
    listener = torch.optim.AdamW(mark.detector.parameters(), 3e-3)
    speaker = torch.optim.SGD([strength], 0.02)
    first, last = [], []
    for step in range(40):
        source = 0.1 * torch.randn_like(natural)
        losses = mark.detector_loss(source, comb(torch.randn_like(natural) * 0.1, strength))
        losses["loss"].backward()
        listener.step()
        listener.zero_grad()
        (first if step < 10 else last).append(losses["loss"].item())
        if step > 25:
            mark.vocoder_loss(comb(source, strength)).backward()
            speaker.step()
            speaker.zero_grad()
            listener.zero_grad()
    assert np.mean(last[-10:]) < 0.6 * np.mean(first)
    assert losses["found"].item() > 0.7 > 0.3 > losses["false"].item()
    assert strength.item() > 0.5


def test_imitations_speak_the_same_mel(recording):
    audio = AudioConfig()
    samples, _ = recording
    waveform = torch.from_numpy(samples[: 256 * 100])[None]
    mel = MelSpectrogram(audio)
    made = GriffinLim(audio, iterations=16)(waveform)
    assert made.shape == waveform.shape
    assert (mel(made) - mel(waveform)).abs().mean() < 0.5 * (
        mel(torch.roll(waveform, 5000, 1)) - mel(waveform)
    ).abs().mean()

    class Echo(torch.nn.Module):
        def forward(self, mel: torch.Tensor) -> torch.Tensor:
            return mel.mean(1).repeat_interleave(256, 1)

    assert CopySynthesis(Echo(), audio)(waveform).shape == waveform.shape


def test_another_rhythm_changes_loudness_by_the_beat_and_no_more(natural):
    torch.manual_seed(0)
    made = OtherRhythm(AudioConfig())(natural)
    assert made.shape == natural.shape
    energy = torch.stack([x.square().reshape(4, -1, 8, 32).sum((0, 1, 3)) for x in (natural, made)])
    assert (energy[1] / energy[0]).log().std().item() > 0.01  # one of eight parts of a beat is louder than another
    assert (made - natural).square().mean() < 0.1 * natural.square().mean()
