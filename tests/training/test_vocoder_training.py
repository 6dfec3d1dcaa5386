"""The vocoder's segments and its spectral step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.config import AudioConfig, VocoderConfig
from voxclone.errors import VoxcloneError
from voxclone.training.features import FeatureStore
from voxclone.training.vocoder import SpectralStep, VocoderSegments

HOP = 256


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """Frames whose f0 is their number and whose samples are it in hundreds, so that a segment tells its place."""
    store = FeatureStore(tmp_path)
    for key, frames, rate in (("wide", 60, "44100"), ("narrow", 40, "16000"), ("short", 8, "22050")):
        numbers = np.arange(1, frames + 1)
        store.append(key, {"sample_rate": rate}, {"waveform": np.repeat(100 * numbers, HOP), "f0": numbers})
    return store


def segments(store: FeatureStore, weights: tuple[float, ...] = (1.0, 1.0, 1.0), batches: int = 30) -> VocoderSegments:
    return VocoderSegments(store, store.entries, weights, 4, 16, HOP, batches)


def test_waveform_and_f0_are_of_the_same_place(store: FeatureStore) -> None:
    torch.manual_seed(0)
    bandwidths = set()
    for batch in segments(store):
        assert batch["waveform"].shape == (4, 16 * HOP) and batch["f0"].shape == (4, 16)
        samples = batch["waveform"].reshape(4, 16, HOP)
        assert bool((samples.amax(2) == samples.amin(2)).all())  # cut at frames
        scale = samples[:, :, 0] / batch["f0"]
        torch.testing.assert_close(scale, scale[:, :1].expand(-1, 16), rtol=1e-4, atol=1e-6)
        assert float(batch["waveform"].abs().max()) <= 0.9801
        bandwidths.update(batch["bandwidth"].tolist())
    assert sorted(bandwidths) == pytest.approx([7520.0, 11025.0])


def test_weights_and_seconds_say_what_is_drawn(store: FeatureStore) -> None:
    data = segments(store, (0.5, 1.0, 1.0))
    assert [entry.key for entry in data.entries] == ["wide", "narrow"]
    np.testing.assert_allclose(data.probabilities, [30 / 70, 40 / 70])
    with pytest.raises(VoxcloneError, match="none of the 3 recordings"):
        VocoderSegments(store, store.entries, (1.0, 1.0, 1.0), 4, 61, HOP)


def test_learns_and_trains_the_pitch_estimator(recording: tuple[np.ndarray, int], tiny_vocoder: VocoderConfig) -> None:
    torch.manual_seed(0)
    waveform = torch.from_numpy(recording[0][: 2 * 16 * HOP].reshape(2, -1).copy())
    f0 = torch.full((2, 16), 165.0)  # 120 Hz, played faster
    batch = {"waveform": waveform, "f0": f0, "bandwidth": torch.full((2,), 11025.0)}
    step = SpectralStep(tiny_vocoder, AudioConfig(), None)
    optimizer = torch.optim.Adam(step.parameters(), 2e-3)
    history = []
    for _ in range(15):
        losses = step(batch, "model")
        optimizer.zero_grad()
        losses["total"].backward()
        assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in step.parameters())
        optimizer.step()
        history.append({name: float(value) for name, value in losses.items()})
    for name in ("total", "mel", "stft", "f0"):
        assert history[-1][name] < history[0][name], name


def test_acoustic_mels_are_of_the_same_place_and_level(store: FeatureStore, tmp_path: Path) -> None:
    mels = FeatureStore(tmp_path / "mels")
    numbers = np.arange(1, 61, dtype=np.float32)
    mels.append("wide", {}, {"mel": np.repeat(np.log(numbers)[:, None] - 4, 80, 1).astype(np.float16)})
    torch.manual_seed(0)
    data = VocoderSegments(store, store.entries, (1.0, 1.0, 1.0), 4, 16, HOP, 20, acoustic_mels=mels)
    drawn = list(data)
    for batch in drawn:
        gain = batch["waveform"][:, ::HOP] / (batch["f0"] * 100 / 32768)
        expected = torch.log(gain * batch["f0"]) - 4
        told = batch["acoustic"]
        torch.testing.assert_close(
            batch["acoustic_mel"][told], expected[told][:, None].expand(-1, 80, -1), atol=0.01, rtol=0
        )
    told = torch.cat([batch["acoustic"] for batch in drawn])
    narrow = torch.cat([batch["bandwidth"] for batch in drawn]) < 10000  # of "narrow", which has no acoustic mel
    assert not told[narrow].any() and 0.3 < told[~narrow].float().mean() < 0.7


def test_speaks_acoustic_mels_where_they_are_told(tiny_vocoder: VocoderConfig) -> None:
    torch.manual_seed(0)
    step = SpectralStep(tiny_vocoder, AudioConfig(), None).eval()
    batch = {"waveform": torch.zeros(2, 16 * HOP), "f0": torch.full((2, 16), 150.0)}
    mel, other = torch.full((2, 80, 16), -4.0), torch.full((2, 80, 16), -9.0)
    made = []
    for extra in ({}, {"acoustic": torch.tensor([True, False]), "acoustic_mel": other}):
        torch.manual_seed(1)
        made.append(step.speak(batch | extra, mel))
    assert not torch.allclose(made[0][0], made[1][0]) and torch.equal(made[0][1], made[1][1])


def test_trains_a_vocoder_without_a_source(two_segments: dict[str, Tensor]) -> None:
    config = VocoderConfig(
        upsample_rates=(16, 16), upsample_kernel_sizes=(32, 32), upsample_initial_channel=8, resblock="2",
        resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),),
    )  # fmt: skip
    step = SpectralStep(config, AudioConfig(), None)
    losses = step(two_segments, "model")
    assert set(losses) == {"mel", "stft", "total"}
    losses["total"].backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in step.parameters())
