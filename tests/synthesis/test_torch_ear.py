"""The detector as a loaded model listens with it: PyTorch's, and not NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from voxclone import VoxClone
from voxclone.config import WatermarkConfig
from voxclone.safety.ear import Ear
from voxclone.synthesis.torch_ear import TorchEar

SECOND = WatermarkConfig().sample_rate


@pytest.mark.parametrize("length", [WatermarkConfig().frame_length, 5000, 3 * SECOND + 7])
def test_it_hears_what_the_other_hears(
    random_detector: Callable[[WatermarkConfig], tuple[Any, Ear]], length: int
) -> None:
    _, ear = random_detector(WatermarkConfig())
    waveform = 0.1 * np.random.default_rng(0).standard_normal(length).astype(np.float32)
    with torch.autocast("cpu", torch.bfloat16):  # as where a model computes in it
        made = TorchEar(ear)(waveform)
    for found, expected in zip(made, ear(waveform), strict=True):
        assert found.shape == expected.shape == (length // ear.config.frame_length,)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_strided_waveform_of_doubles_is_heard(
    random_detector: Callable[[WatermarkConfig], tuple[Any, Ear]],
) -> None:
    ear = TorchEar(random_detector(WatermarkConfig())[1])
    waveform = 0.1 * np.random.default_rng(0).standard_normal(2 * SECOND)
    plain = ear(waveform[::2].astype(np.float32))
    for found, expected in zip(ear(waveform[::2]), plain, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_model_that_speaks_leaves_numpy_s_threads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait busily after each product, for which the next words are spoken at half the speed."""
    model = VoxClone.from_pretrained(device="cpu")

    def refused(self: Ear, waveform: np.ndarray) -> None:
        raise AssertionError("the mark was looked for by NumPy")

    monkeypatch.setattr(Ear, "__call__", refused)
    speech = model.generate("The boat sailed slowly past the old red house.", model.voices["amber"])
    assert speech.provenance.watermark_id is not None
