"""The watermark detector: what it hears, and what makes no difference to it."""

import pytest
import torch

from voxclone.config import WatermarkConfig
from voxclone.errors import ConfigError
from voxclone.models.watermark import WatermarkDetector, pool

TINY = WatermarkConfig(channels=8, dilations=(1, 2), pilot_hops=50, pilot_local_hops=20)


@pytest.fixture(scope="module")
def detector() -> WatermarkDetector:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return WatermarkDetector(TINY).eval()


@pytest.fixture
def waveform() -> torch.Tensor:
    return 0.1 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(1))


def test_judges_every_frame(detector, waveform):
    evidence, weight = detector(waveform)
    assert evidence.shape == weight.shape == (2, 16000 // TINY.frame_length)
    assert ((weight > 0) & (weight < 1)).all()
    assert detector(waveform[:, : TINY.frame_length])[0].shape == (2, 1)


@pytest.mark.parametrize("change", [lambda x: -x, lambda x: 0.3 * x], ids=["polarity", "level"])
def test_hears_neither_polarity_nor_level(detector, waveform, change):
    torch.testing.assert_close(detector(change(waveform))[0], detector(waveform)[0], atol=0.02, rtol=0)


def test_context_is_what_bears_on_a_frame(detector, waveform):
    frame, length = 30, TINY.frame_length
    first, last = frame * length - TINY.context, (frame + 1) * length + TINY.context
    changed = waveform.clone()
    changed[:, :first] = 0.3
    changed[:, last:] = -0.3
    assert 0 < first < last < waveform.shape[1]
    torch.testing.assert_close(detector(changed)[0][:, frame], detector(waveform)[0][:, frame])


def test_the_default_is_small_and_hears_a_second():
    config = WatermarkConfig()
    assert sum(p.numel() for p in WatermarkDetector(config).parameters()) <= 500_000
    assert 1.8 < config.context / config.sample_rate < 2.1


def test_pools_by_weight():
    evidence, weight = torch.tensor([[1.0, 5.0, -3.0]]), torch.tensor([[0.5, 0.25, 0.0]])
    assert pool(evidence, weight).item() == pytest.approx((0.5 + 1.25) / 0.75)


@pytest.mark.parametrize(
    "wrong", [{"dilations": ()}, {"smooth_bins": 4}, {"hop_length": 1024}, {"short_hop_length": 48}, {"channels": 0}]
)
def test_refuses_sizes_that_cannot_work(wrong):
    with pytest.raises(ConfigError):
        WatermarkConfig(**wrong)
