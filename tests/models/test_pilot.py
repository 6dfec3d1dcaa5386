"""The pilot: heard where it is, at whatever level and in noise, and nowhere else."""

import math

import pytest
import torch

from voxclone.config import WatermarkConfig
from voxclone.models.mark_tables import RATES
from voxclone.models.pilot import PilotEar
from voxclone.models.watermark import FineSpectra
from voxclone.training.pilot import DEPTH, PilotLoss, lay_pilot

CONFIG = WatermarkConfig()
SECONDS = 2


def bands_of_noise(
    sample_rate: int, beat_hertz: float, depth: float, generator: torch.Generator, first: int = CONFIG.pilot_first_band
) -> torch.Tensor:
    """(1, S): noise, the loudness of each band from `first` on going by `depth` nepers as the pilot does."""
    noise = torch.randn(1, SECONDS * sample_rate, generator=generator)
    noise = lay_pilot(noise, depth, range(first, CONFIG.pilot_bands), sample_rate, sample_rate / beat_hertz)
    return 0.1 * noise / noise.std()


def heard(waveform: torch.Tensor) -> torch.Tensor:
    """(rates,) in the middle."""
    with torch.inference_mode():
        _, short = FineSpectra(CONFIG)(waveform)
        return PilotEar(CONFIG).ratios(short, 125)[0, :, 62]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_is_heard_at_its_rate_and_not_in_noise_without_it(generator):
    marked = heard(bands_of_noise(16000, CONFIG.pilot_hertz, 0.15, generator))
    plain = heard(bands_of_noise(16000, CONFIG.pilot_hertz, 0.0, generator))
    assert marked[0] > 3 and marked[0] == marked.max()
    assert plain.max() < 2


def test_tells_by_how_much_it_is_too_fast(generator):
    faster = heard(bands_of_noise(16000, CONFIG.pilot_hertz * 1.01, 0.15, generator))
    assert RATES[int(faster.argmax())] == 0.01


def test_is_heard_under_noise(generator):
    waveform = bands_of_noise(16000, CONFIG.pilot_hertz, 0.15, generator)
    assert heard(waveform + 0.02 * torch.randn(waveform.shape, generator=generator))[0] > 3


def test_a_rhythm_alike_in_all_bands_is_no_pilot(generator):
    """Pulses of a voice as low as the pilot move all bands together."""
    length = SECONDS * 16000
    angle = 2 * math.pi * CONFIG.pilot_hertz * torch.arange(length) / 16000
    pulsed = 0.1 * torch.randn(1, length, generator=generator)
    alike, apart = (
        heard(pulsed * torch.exp(0.15 * angle.cos())),
        bands_of_noise(16000, CONFIG.pilot_hertz, 0.15, generator),
    )
    assert alike[0] < heard(apart)[0] - 1


def test_the_loss_is_what_of_the_depth_is_missing(generator):
    loss = PilotLoss(22050, 256, CONFIG)
    rate = 22050 / 256
    draws = [torch.Generator().manual_seed(1) for _ in range(3)]
    depths = (0, 0.6 * DEPTH, 1.2 * DEPTH)
    plain, half, whole = (bands_of_noise(22050, rate, d, g) for d, g in zip(depths, draws, strict=True))
    assert loss(plain, plain).item() == pytest.approx(1.0)
    assert loss(half, plain).item() == pytest.approx(0.25, abs=0.15)
    assert loss(whole, plain).item() < 0.1
    assert loss.depth(whole, plain)[loss.there > 0].mean().item() == pytest.approx(DEPTH, rel=0.25)


def test_asked_for_no_pilot_the_loss_takes_one_for_a_fault(generator):
    loss = PilotLoss(22050, 256, CONFIG, depth=0.0)
    draws = [torch.Generator().manual_seed(1) for _ in range(2)]
    plain, marked = (bands_of_noise(22050, 22050 / 256, d, g) for d, g in zip((0, DEPTH), draws, strict=True))
    assert loss(plain, plain).item() == pytest.approx(0.0)
    assert loss(marked, plain).item() > 0.5


def test_the_loss_has_a_gradient_that_deepens_it(generator):
    loss = PilotLoss(22050, 256, CONFIG)
    plain = bands_of_noise(22050, 22050 / 256, 0.0, generator)
    made = plain.clone().requires_grad_()
    loss(made, plain).backward()
    assert loss(made.detach() - 0.01 * made.grad / made.grad.abs().max(), plain) < loss(made.detach(), plain)


def test_the_loss_takes_a_rhythm_below_the_pilot_for_a_fault(generator):
    loss = PilotLoss(22050, 256, CONFIG)
    draws = [torch.Generator().manual_seed(1) for _ in range(3)]
    plain, good, rough = (
        bands_of_noise(22050, 22050 / 256, depth, draw, first)
        for depth, draw, first in zip((0, DEPTH, DEPTH), draws, (2, 2, 0), strict=True)
    )
    assert loss(rough, plain) > loss(good, plain) + 0.3
    early = torch.roll(rough, 64)  # a quarter of a beat: across the pilot's phase
    assert loss(early, plain) > loss(torch.roll(good, 64), plain) + 0.3


def test_laid_on_it_is_where_it_is_to_be_and_nowhere_else(generator):
    plain = 0.1 * torch.randn(1, SECONDS * 22050, generator=generator)
    laid = lay_pilot(plain, 0.1, range(2, 10), 22050, 256)
    loss = PilotLoss(22050, 256, CONFIG)
    along, across = loss.rhythm(laid, plain)
    assert along[loss.there > 0].mean().item() == pytest.approx(0.1, abs=0.04)  # bins on two bands have less
    assert across[loss.there > 0].abs().mean() < 0.03
    low = torch.fft.rfftfreq(plain.shape[1], 1 / 22050) < 800
    torch.testing.assert_close(torch.fft.rfft(laid)[:, low], torch.fft.rfft(plain)[:, low], atol=0.3, rtol=0)
