"""The source and the inverse-STFT head: Triton kernels through the interpreter, their registration, their doors."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from voxclone.kernels import istft_head, pulse_source
from voxclone.kernels.istft_head import istft_head_reference
from voxclone.kernels.pulse_source import pulse_source_reference

pytest.importorskip("triton")

from triton.runtime.interpreter import InterpretedFunction

from voxclone.kernels.gpu import fourier, pulses
from voxclone.kernels.gpu.convolution import Tile

Case = tuple[Tensor, Tensor, Tensor]
Check = Callable[[Case], bool]
HOP, RATE, SLOPE = 32, 22050, 0.1
BLOCK = 16
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_the_kernels_are_interpreted() -> None:
    for kernel in (fourier.spectrum_kernel, fourier.overlap_kernel, pulses.frames_kernel, pulses.samples_kernel):
        assert isinstance(kernel, InterpretedFunction)


def contours(frames: int) -> Tensor:
    """(3, T) Hz: voiced and not in turn, never, and from the middle on."""
    f0 = torch.rand(3, frames) * 300 + 60
    f0[0, torch.rand(frames) < 0.3] = 0
    f0[1] = 0
    f0[2, : frames // 2] = 0
    return f0


def source_arguments(frames: int, hop: int = HOP) -> tuple[Any, ...]:
    return contours(frames), torch.randn(3, frames * hop), torch.rand(3, 1) * 6, hop, RATE, 0.05


def sourced(frames: int, hop: int = HOP, module: ModuleType = pulses) -> Case:
    given = source_arguments(frames, hop)
    size = BLOCK if frames < 1000 else 1024
    exact = pulse_source_reference(*[each.double() for each in given[:3]], *given[3:])
    return module.make_source(*given, frames=size, samples=16 * size), pulse_source_reference(*given), exact


def head_arguments(length: int, dtype: torch.dtype, n_fft: int = 16, hop: int = 4) -> tuple[Any, ...]:
    """More channels and bins than a block, none a multiple of it; a carrier that is silent in its second half."""
    bins, channels = n_fft // 2 + 1, 20
    x = torch.randn(2, channels, length).to(dtype)
    weight = (torch.randn(2 * bins, channels, 7) / (7 * channels) ** 0.5).to(dtype)
    carrier = torch.randn(2, length * hop)
    carrier[:, length * hop // 2 :] *= 1e-5
    bias = torch.cat([torch.full((bins,), -2.0), torch.zeros(bins)]) + 0.3 * torch.randn(2 * bins)
    return x, weight, bias.to(dtype), carrier, torch.hann_window(n_fft), hop, SLOPE


def headed(
    length: int, dtype: torch.dtype, module: ModuleType = fourier, n_fft: int = 16, hop: int = 4, loud: float = 0.0
) -> Case:
    x, weight, bias, carrier, window, *others = head_arguments(length, dtype, n_fft, hop)
    bias = bias + loud
    tile = Tile(BLOCK, 16, 16, 4, 2) if length < 1000 and n_fft < 128 else Tile(1024, 64, 64, 4, 2)
    rows = x.transpose(1, 2).contiguous()
    spectrum = module.turned_spectrum(rows, weight, bias, carrier, window, *others, tile)
    made = module.add_overlapping(spectrum, window, hop, tile)
    plain = istft_head_reference(x, weight, bias, carrier, window, *others)
    exact = istft_head_reference(*[each.double() for each in (x, weight, bias, carrier, window)], *others)
    return made, plain, exact


@pytest.mark.parametrize("frames", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 4097])
def test_source(frames: int, rounds_as_well: Check) -> None:
    assert rounds_as_well(sourced(frames, HOP if frames < 1000 else 4))


@pytest.mark.parametrize("hop", [1, 5, 256])
def test_source_of_other_hops(hop: int, rounds_as_well: Check) -> None:
    assert rounds_as_well(sourced(20, hop))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [1, 2, 6, BLOCK - 1, BLOCK, BLOCK + 1, 4097])
def test_head(length: int, dtype: torch.dtype, rounds_as_well: Check) -> None:
    assert rounds_as_well(headed(length, dtype))


@pytest.mark.parametrize(("n_fft", "hop"), [(128, 32), (20, 6), (36, 18)])
def test_head_of_other_sizes(n_fft: int, hop: int, rounds_as_well: Check) -> None:
    assert rounds_as_well(headed(33, torch.float32, n_fft=n_fft, hop=hop))


def test_head_stays_within_full_scale(rounds_as_well: Check) -> None:
    case = headed(33, torch.float32, loud=9.0)
    assert rounds_as_well(case)
    assert case[0].abs().max() == 1


SOURCE_MUTATIONS = {
    "filled with what came": ("tl.maximum(last, tl.associative_scan(known, 0, _later))", "tl.maximum(last, known)"),
    "never voiced": ("tl.where(value > 0, value, 128.0)", "value"),
    "first to come": ("last = tl.minimum(first, count - 1)", "last = tl.minimum(0, count - 1)"),
    "between blocks": ("whole += tl.sum(made)", "whole += 0.0"),
    "first phase": ("whole = tl.load(phase + item)", "whole = 0.0 * tl.load(phase + item)"),
    "half a frame": ("edge = 0.0 * early + half", "edge = 0.0 * early + half + 1"),
    "last frame": ("tl.minimum(frame + 1, count - 1)", "tl.minimum(frame, count - 1)"),
    "highest harmonic": ("(1 - last) * tl.cos", "(0.5 - last) * tl.cos"),
    "unvoiced": ("pulses *= voiced", "pulses *= 1.0"),
    "mixture": ("hidden * voiced", "hidden"),
}
HEAD_MUTATIONS = {
    "one tap": ("rows + tap - TAPS // 2", "rows + tl.minimum(tap, TAPS - 2) - TAPS // 2"),
    "turn": ("turn = tl.dot(a, tl.load(places + BINS", "turn = tl.dot(a, tl.load(places + BINS + 1"),
    "input channels": ("(channels < CHANNELS)[None, :]", "(channels < 16)[None, :]"),
    "carrier's start": ("(steps - edge)[None, :]", "(steps - edge + 1)[None, :]"),
    "carrier's end": ("(source < length * hop)", "(source < length * hop + 1)"),
    "silence": ("tl.sqrt(cosine * cosine + sine * sine), TINY)", "tl.sqrt(cosine * cosine + sine * sine), 1e-9)"),
    "sense of the turn": ("- turned_sine * sine", "+ turned_sine * sine"),
    "both ends of the spectrum": ("weight[0] = weight[-1] = 1.0", "weight[0] = 1.0"),
    "a frame's place": ("(sooner - frame) * hop", "(sooner - frame) * hop + 1"),
    "frames beyond the ends": ("tl.where(inside, 1.0, 0.0)[:, None]", "tl.where(inside, 1.0, 1.0)[:, None]"),
}


@pytest.mark.parametrize("name", SOURCE_MUTATIONS)
def test_a_mutant_source_is_caught(name: str, rounds_as_well: Check, mutated: Callable[..., ModuleType]) -> None:
    mutant = mutated(pulses, *SOURCE_MUTATIONS[name])
    assert not rounds_as_well(sourced(20, module=mutant))


@pytest.mark.parametrize("name", HEAD_MUTATIONS)
def test_a_mutant_head_is_caught(name: str, rounds_as_well: Check, mutated: Callable[..., ModuleType]) -> None:
    mutant = mutated(fourier, *HEAD_MUTATIONS[name])
    assert not rounds_as_well(headed(20, torch.float32, mutant))


def test_the_loudest_bin_is_held_back(rounds_as_well: Check, mutated: Callable[..., ModuleType]) -> None:
    mutant = mutated(fourier, "tl.minimum(level, MOST)", "tl.minimum(level, MOST + 0.1)")
    assert not rounds_as_well(headed(20, torch.float32, mutant, loud=6.0))


OPS: dict[str, tuple[Any, Callable[..., Tensor], Callable[[], tuple[Any, ...]]]] = {
    "pulse_source": (pulse_source._fused, pulse_source_reference, lambda: source_arguments(9)),
    "istft_head": (istft_head._fused, istft_head_reference, lambda: head_arguments(9, torch.float32)),
}


@pytest.mark.parametrize("name", OPS)
def test_registration_passes_opcheck(name: str) -> None:
    fused, reference, arguments = OPS[name]
    given = arguments()
    torch.library.opcheck(fused, given)
    torch.testing.assert_close(fused(*given), reference(*given))


@pytest.mark.parametrize("name", OPS)
def test_gradients_are_the_references(name: str) -> None:
    fused, reference, arguments = OPS[name]
    given = arguments()
    wanted = [each.requires_grad_() for each in given[:3]]
    found = torch.autograd.grad(fused(*given).square().sum(), wanted)
    expected = torch.autograd.grad(reference(*given).square().sum(), wanted)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
