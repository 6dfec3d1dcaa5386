"""The bundle's vocoder: shapes, its source, bounded reach, the published budget, and that it can learn a tone."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from packaging.version import Version
from torch import Tensor

from voxclone.config import VocoderConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.kernels.istft_head import inverse_stft, stft
from voxclone.layers.resblock import fold_weight_norm
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.source_istft import NOISE_PERIOD, SourceISTFT
from voxclone.models.vocoder.spans import context_frames, make_source, make_span

SMALL = VocoderConfig(
    upsample_rates=(8,), upsample_kernel_sizes=(16,), upsample_initial_channel=16, frame_blocks=2, resblock="2",
    resblock_kernel_sizes=(3, 5), resblock_dilation_sizes=((1, 2), (2, 6)), head="source_istft", head_n_fft=128,
)  # fmt: skip
HOP = SMALL.hop_length
TINY = {
    "n_mels": 8,
    "hop_length": 32,
    "upsample_rates": (4,),
    "upsample_kernel_sizes": (8,),
    "upsample_initial_channel": 16,
    "frame_blocks": 1,
    "resblock": "2",
    "resblock_kernel_sizes": (3,),
    "resblock_dilation_sizes": ((1, 2),),
    "head": "source_istft",
    "head_n_fft": 32,
}  # head hop 8


def build(weight_norm: bool = False, **changes: object) -> SourceISTFT:
    torch.manual_seed(0)
    made = build_vocoder(VocoderConfig(**(TINY | changes)), weight_norm).eval()  # type: ignore[arg-type]
    assert isinstance(made, SourceISTFT)
    return made


@pytest.fixture
def tiny() -> SourceISTFT:
    return build()


def mel_and_f0(frames: int, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    f0 = torch.linspace(100, 300, frames).repeat(batch, 1)
    f0[:, frames // 2 :: 5] = 0
    return torch.randn(batch, 8, frames, generator=generator) - 5, f0


def vocoder(seed: int = 0) -> SourceISTFT:
    torch.manual_seed(seed)
    made = build_vocoder(SMALL)
    assert isinstance(made, SourceISTFT)
    return made.eval()


def inputs(frames: int, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    mel = torch.randn(batch, 80, frames, generator=generator) - 5
    f0 = torch.full((batch, frames), 140.0)
    f0[:, frames // 3 : frames // 2] = 0
    return mel, f0


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 2, 37])
def test_shape_range_and_sameness(frames: int) -> None:
    model, (mel, f0) = vocoder(), inputs(frames, 2)
    samples = model(mel, f0)
    assert samples.shape == (2, frames * HOP)
    assert samples.abs().max() <= 1 and samples.std() > 1e-4
    assert torch.equal(samples, model(mel, f0))
    assert model(mel).shape == samples.shape  # f0 estimated


@torch.inference_mode()
def test_spans_are_the_whole() -> None:
    model, (mel, f0) = vocoder(), inputs(90)
    whole = model(mel, f0)
    source = make_source(model, SMALL, mel, f0)
    starts = [0, 1, 30, 61, 90]
    parts = [make_span(model, SMALL, mel, source, a, b) for a, b in pairwise(starts)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_frame_reaches_no_farther_than_said() -> None:
    model, (mel, f0) = vocoder(), inputs(90)
    source = model.source(mel, f0)
    changed = mel.clone()
    changed[:, :, 45] += 1
    moved = (model.filter_source(changed, source) - model.filter_source(mel, source))[0].abs() > 1e-7
    frames = moved.view(-1, HOP).any(1).nonzero()
    assert 45 - context_frames(SMALL) <= frames.min() and frames.max() <= 45 + context_frames(SMALL)


@torch.inference_mode()
def test_noise_goes_on_beyond_its_period() -> None:
    frames = NOISE_PERIOD // HOP + 3
    model, (mel, _) = vocoder(), inputs(frames)
    source = model.source(mel, torch.zeros(1, frames))
    assert torch.equal(source[0, 1, NOISE_PERIOD:], source[0, 1, : 3 * HOP])
    assert source[0, 0].abs().max() == 0 and torch.equal(source[0, 1], source[0, 2])  # nothing but noise is unvoiced


def test_training_form_folds_to_the_same_samples() -> None:
    torch.manual_seed(0)
    model, (mel, f0) = build_vocoder(SMALL, weight_norm=True).eval(), inputs(20)
    with torch.no_grad():
        before = model(mel, f0)
        fold_weight_norm(model)
        torch.testing.assert_close(model(mel, f0), before, atol=1e-5, rtol=1e-4)
    assert model.state_dict().keys() == vocoder().state_dict().keys()


def test_magnitudes_learn_a_tone() -> None:
    """The head can put energy where it is asked to: the loss falls by more than half in a few steps."""
    model, (mel, _) = vocoder().train(), inputs(16)
    f0 = torch.full((1, 16), 220.5)
    target = 0.3 * torch.sin(2 * torch.pi * 220.5 / 22050 * torch.arange(16 * HOP))[None]
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        made = model(mel, f0)
        a, b = (torch.stft(x, 512, 128, 512, torch.hann_window(512), return_complex=True).abs() for x in (made, target))
        loss = (a - b).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], losses


@pytest.mark.parametrize(("n_fft", "upsample"), [(16, (1, 4)), (32, (1, 4)), (20, (1, 4)), (64, (2, 4))])
def test_istft_undoes_stft_ends_included(n_fft: int, upsample: tuple[int, int]) -> None:
    tiny = build(head_n_fft=n_fft, upsample_rates=upsample, upsample_kernel_sizes=(upsample[0] + 2, 8))
    waveform = torch.randn(2, 32 * 5, generator=torch.Generator().manual_seed(0))
    hop = tiny.config.head_hop_length
    spectrum = stft(waveform, tiny.window, hop)
    assert spectrum.shape == (2, n_fft // 2 + 1, 5 * 32 // hop)
    torch.testing.assert_close(inverse_stft(spectrum, tiny.window, hop), waveform, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("given", [True, False])
def test_length_and_range(tiny: SourceISTFT, frames: int, given: bool) -> None:
    mel, f0 = mel_and_f0(frames)
    made = tiny(mel, f0 if given else None)
    assert made.shape == (2, 32 * frames)
    assert torch.isfinite(made).all()
    assert made.abs().max() <= 1
    assert made.any()


def test_imaginary_parts_of_the_outer_bins_are_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    spectrum, window = torch.randn(2, 17, 9, dtype=torch.complex64), torch.hann_window(32)
    expected = inverse_stft(spectrum, window, 8)
    transform = torch.fft.irfft

    def as_on_a_gpu(spectrum: Tensor, *given: int, dim: int) -> Tensor:
        """cuFFT's, which is not told to leave them out: they come into every sample."""
        outer = spectrum.imag.select(dim, 0) + spectrum.imag.select(dim, -1)
        return transform(spectrum, *given, dim=dim) + outer.unsqueeze(dim)

    monkeypatch.setattr(torch.fft, "irfft", as_on_a_gpu)
    assert torch.equal(inverse_stft(spectrum, window, 8), expected)


def test_the_inverse_transform_is_in_float32_under_autocast() -> None:
    spectrum, window = torch.randn(2, 17, 9, dtype=torch.complex64), torch.hann_window(32)
    expected = inverse_stft(spectrum, window, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(inverse_stft(spectrum, window, 8), expected)


def test_loud_weights_stay_in_range(tiny: SourceISTFT) -> None:
    with torch.no_grad():
        tiny.conv_post.bias += 100
    made = tiny(*mel_and_f0(5))
    assert torch.isfinite(made).all()
    assert made.abs().max() == 1


def test_deterministic_and_without_global_state(tiny: SourceISTFT) -> None:
    mel, f0 = mel_and_f0(6)
    first = tiny(mel, f0)
    torch.manual_seed(77)
    state = torch.random.get_rng_state()
    assert torch.equal(tiny(mel, f0), first)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_batch_is_its_items(tiny: SourceISTFT) -> None:
    mel, f0 = mel_and_f0(6)
    mel[1] += 1
    f0[1] *= 1.5
    for given in (f0, None):
        together = tiny(mel, given)
        alone = [tiny(mel[i : i + 1], None if given is None else given[i : i + 1]) for i in range(2)]
        torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_without_f0_it_is_estimated_from_the_mel(tiny: SourceISTFT) -> None:
    mel, f0 = mel_and_f0(6)
    with torch.no_grad():
        tiny.pitch.layers[-1].bias.copy_(torch.tensor([0.5, 0.0]))
    estimated = tiny.pitch.f0(mel)
    assert torch.equal(tiny(mel), tiny(mel, estimated))
    assert not torch.equal(tiny(mel), tiny(mel, f0))
    with torch.no_grad():
        tiny.pitch.layers[-1].weight.zero_()
        tiny.pitch.layers[-1].bias.copy_(torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(tiny.pitch.f0(mel), torch.full((2, 6), 128 * 2**0.5))
    with torch.no_grad():
        tiny.pitch.layers[-1].bias.copy_(torch.tensor([0.5, -1.0]))
    assert not tiny.pitch.f0(mel).any()


def test_every_parameter_learns() -> None:
    tiny = build(weight_norm=True).train()
    mel, f0 = mel_and_f0(6)
    noise = torch.randn(2, 192, generator=torch.Generator().manual_seed(0))
    made = tiny.synthesize(mel, f0, noise, torch.zeros(2, 1))
    octaves, voicing = tiny.pitch(mel)
    ((made - noise).square().mean() + octaves.mean() + voicing.mean()).backward()
    for name, parameter in tiny.named_parameters():
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
def test_mels_of_another_shape(tiny: SourceISTFT, shape: tuple[int, ...], given: bool) -> None:
    with pytest.raises(ModelError, match="this vocoder needs"):
        tiny(torch.zeros(shape), torch.zeros(shape[0], shape[-1]) if given else None)


@pytest.mark.parametrize("shape", [(1, 5), (2, 4), (4,), (1, 1, 4)])
def test_f0_of_another_shape(tiny: SourceISTFT, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="the f0 has shape"):
        tiny(torch.zeros(1, 8, 4), torch.zeros(shape))


def test_every_form_of_the_kernels_speaks_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (mel, f0) = build(), mel_and_f0(20)
    spoken = {}
    for mode in ("reference", "fused", "auto"):
        monkeypatch.setenv("VOXCLONE_KERNELS", mode)
        with torch.inference_mode():
            spoken[mode] = model(mel, f0)
    monkeypatch.setenv("VOXCLONE_KERNELS", "fused")
    with torch.no_grad():  # through the registered ops, which a compiler sees
        spoken["registered"] = model(mel, f0)
        if Version(torch.__version__) < Version("2.12"):
            monkeypatch.setenv("VOXCLONE_KERNELS", "auto")  # which compiling is an export for, that takes the reference
        compiled = torch.compile(model.filter_source, backend="aot_eager", fullgraph=True, dynamic=True)
        spoken["compiled"] = compiled(mel, model.source(mel, f0))
    for other in spoken.values():
        torch.testing.assert_close(other, spoken["reference"], atol=2e-6, rtol=1e-4)


def test_bfloat16_hears_the_source_as_float32_does() -> None:
    """On processors with AMX, oneDNN's bfloat16 convolution of two channels with a kernel of 128 is noise."""
    vocoder = build_vocoder(SMALL).eval()
    assert isinstance(vocoder, SourceISTFT)
    source = vocoder.source(torch.zeros(1, SMALL.n_mels, 60), torch.full((1, 60), 150.0))
    with torch.inference_mode():
        exact = vocoder._heard(source[:, :2])
        with torch.autocast("cpu", torch.bfloat16):
            heard = vocoder._heard(source[:, :2])
    assert (heard.float() - exact).norm() < 0.01 * exact.norm()
