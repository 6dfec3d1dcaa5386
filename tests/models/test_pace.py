"""The rate reader: what is believed of what it counts."""

from __future__ import annotations

import math

import pytest
import torch

from voxclone.models.acoustic.pace import FASTEST, PHONEME_SECONDS, SLOWEST, Count, RateReader

FRAME_RATE = 86.0


def reader() -> RateReader:
    torch.manual_seed(0)
    return RateReader().eval()


def count(seconds: float, frames: float) -> Count:
    """Of speech whose mean sound lasts so long."""
    return Count(frames / (seconds * FRAME_RATE), frames)


def test_long_speech_is_believed_and_short_speech_is_not() -> None:
    believed = [reader().phoneme_seconds([count(0.12, frames)], FRAME_RATE) for frames in (20, 100, 1000, 1e5)]
    assert believed == sorted(believed) and PHONEME_SECONDS < believed[0] < 0.1
    trust = 0.04 / (0.04 + 0.01)
    assert believed[-1] == pytest.approx(PHONEME_SECONDS ** (1 - trust) * 0.12**trust, rel=1e-3)


def test_recordings_add_up() -> None:
    several = reader().phoneme_seconds([count(0.1, 200.0), count(0.14, 200.0), count(0.12, 400.0)], FRAME_RATE)
    one = reader().phoneme_seconds([count(0.12, 800.0)], FRAME_RATE)
    assert several is not None and one is not None
    heard, trust = 800 / (200 / 0.1 + 200 / 0.14 + 400 / 0.12), 0.04 / (0.04 + 0.01 / 3 + 2 / 800)
    assert several == pytest.approx(PHONEME_SECONDS ** (1 - trust) * heard**trust, rel=1e-4)
    assert one < several  # one recording is doubted more


def test_what_says_nothing_is_no_pace_and_nothing_is_beyond_all_bounds() -> None:
    assert reader().phoneme_seconds([], FRAME_RATE) is None
    assert reader().phoneme_seconds([Count(3.0, 5.0)], FRAME_RATE) is None
    assert reader().phoneme_seconds([Count(0.0, 500.0)], FRAME_RATE) is None
    assert reader().phoneme_seconds([count(9.0, 1e9)] * 1000, FRAME_RATE) == SLOWEST
    assert reader().phoneme_seconds([count(0.001, 1e9)] * 1000, FRAME_RATE) == FASTEST


def test_level_and_padding_do_not_matter() -> None:
    model = reader()
    mel = torch.randn(1, 80, 90, generator=torch.Generator().manual_seed(1)) - 4
    with torch.inference_mode():
        density, speech = model(mel, torch.ones(1, 90, dtype=torch.bool))
    assert density.shape == speech.shape == (1, 90)
    padded = torch.nn.functional.pad(mel + 2, (0, 40), value=math.log(1e-5))
    with torch.inference_mode():
        again, _ = model(padded, torch.arange(130)[None] < 90)
    torch.testing.assert_close(again[:, :90], density, atol=1e-4, rtol=1e-4)
    found = model.count(mel[0])
    assert found.frames == pytest.approx(float(speech.sigmoid().sum()), rel=1e-4) and 0 < found.sounds < 90
