"""The fused forms on a GPU: parity, registration, autocast, gradients, a captured graph, a thread without a context.

By itself, since tests/kernels has Triton interpreted: python -m pytest tests/gpu
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from voxclone.kernels import conv1d, conv_transpose1d, istft_head, multi_receptive_field, pulse_source, snake
from voxclone.kernels.dispatch import faster_on
from voxclone.layers.snake import half_band_filter

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
GPU = torch.device("cuda", 0)
SLOPE = 0.1
HALF = [torch.bfloat16, torch.float16]
Op = tuple[Any, Callable[..., Tensor], Callable[[int], tuple[Any, ...]]]  # fused, reference, arguments of a length


@pytest.fixture(autouse=True)
def _exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    if "TRITON_INTERPRET" in os.environ:
        pytest.skip("Triton is interpreted: run this folder by itself")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)


def weight(*shape: int) -> Tensor:
    return torch.randn(*shape) / (shape[1] * shape[2]) ** 0.5


def blocks(channels: int, per_residual: int = 2) -> Callable[[int], tuple[Any, ...]]:
    def arguments(length: int) -> tuple[Any, ...]:
        weights = [weight(channels, channels, taps) for taps in (3, 3, 7, 7)]
        biases = [torch.randn(channels) for _ in weights]
        return torch.randn(2, channels, length), weights, biases, [3, 1, 5, 1], [2, 2], per_residual, SLOPE

    return arguments


def head(length: int) -> tuple[Any, ...]:
    bias = torch.cat([torch.full((65,), -2.0), torch.randn(65)])
    carrier = torch.randn(2, 3, 32 * length)[:, 2]
    return torch.randn(2, 120, length), weight(130, 120, 7), bias, carrier, torch.hann_window(128), 32, SLOPE


FIELD = multi_receptive_field._fused, multi_receptive_field.multi_receptive_field_reference
OPS: dict[str, Op] = {
    "conv1d": (
        conv1d._fused,
        conv1d.conv1d_reference,
        lambda length: (torch.randn(2, 80, length), weight(130, 80, 7), torch.randn(130), 9, 3, SLOPE, True),
    ),
    "conv1d to one channel": (
        conv1d._fused,
        conv1d.conv1d_reference,
        lambda length: (torch.randn(2, 8, length), weight(1, 8, 7), torch.randn(1), 3, 1, SLOPE, True),
    ),
    "conv_transpose1d": (
        conv_transpose1d._fused,
        conv_transpose1d.conv_transpose1d_reference,
        lambda length: (torch.randn(2, 240, length), weight(240, 120, 16), torch.randn(120), 8, 4, SLOPE),
    ),
    **{f"multi_receptive_field {each}": (*FIELD, blocks(each)) for each in (8, 16, 32, 64, 120, 128, 256, 12)},
    "multi_receptive_field 64, single": (*FIELD, blocks(64, per_residual=1)),
    "istft_head": (istft_head._fused, istft_head.istft_head_reference, head),
    "anti_aliased_snake": (
        snake._fused,
        snake.anti_aliased_snake_reference,
        lambda length: (torch.randn(2, 20, length), torch.rand(20) + 0.5, torch.rand(20) + 0.5, half_band_filter(12)),
    ),
}
SOURCE: Op = (
    pulse_source._fused,
    pulse_source.pulse_source_reference,
    lambda length: (
        (torch.rand(2, length) * 300 + 60) * (torch.rand(2, length) > 0.3),
        *(torch.randn(2, 256 * length), torch.rand(2, 1), 256, 22050, 0.05),
    ),
)


def moved(argument: Any, dtype: torch.dtype, leave: tuple[Tensor, ...] = ()) -> Any:
    if isinstance(argument, (list, tuple)):
        return type(argument)(moved(each, dtype, leave) for each in argument)
    if not isinstance(argument, Tensor):
        return argument
    return argument.to(GPU) if any(argument is each for each in leave) else argument.to(GPU, dtype)


@pytest.mark.parametrize("dtype", [*HALF, torch.float32])
@pytest.mark.parametrize("length", [1, 2, 6, 511, 512, 513, 4097, 50001])  # short inputs are divided otherwise
@pytest.mark.parametrize("name", [*OPS, "pulse_source"])
def test_parity(name: str, length: int, dtype: torch.dtype) -> None:
    if name == "pulse_source" and dtype != torch.float32:
        pytest.skip("a source is float32")
    fused, reference, arguments = SOURCE if name == "pulse_source" else OPS[name]
    given = arguments(length)
    leave = (given[3], given[4]) if name == "istft_head" else ()  # its carrier and window are float32 in any case
    rounded = moved(given, dtype, leave)
    double = moved(rounded, torch.float64)
    with torch.inference_mode():
        plain, exact, made = reference(*rounded), reference(*double), fused(*rounded)
        rounding = (plain.double() - exact).abs().max()
        if name == "istft_head":
            rounding += (reference(*double[:3], in_last_bits(double[3]), *double[4:]) - exact).abs().max()
    bound = 2 * rounding + torch.finfo(dtype).eps * exact.abs().max()
    assert (made.double() - exact).abs().max() <= bound


def in_last_bits(carrier: Tensor) -> Tensor:
    """A carrier half a unit of float32's last place off, up or down.

    A bin that it hardly has takes its phase from there, and a matrix product rounds that otherwise than a transform.
    """
    signs = torch.randn(carrier.shape).sign().to(carrier.device)
    return carrier * (1 + torch.finfo(torch.float32).eps / 2 * signs)


def test_the_last_convolution_reads_16_bits_and_makes_32() -> None:
    given = torch.randn(2, 8, 4097, device=GPU).bfloat16(), weight(1, 8, 7).to(GPU), None, 3, 1, SLOPE, True
    with torch.inference_mode():
        made, plain, exact = (
            form(*given, dtype)
            for form, dtype in (
                (conv1d._fused, torch.float32),
                (conv1d.conv1d_reference, torch.float32),
                (conv1d.conv1d_reference, torch.float64),
            )
        )
    assert made.dtype == torch.float32
    bound = 2 * (plain.double() - exact).abs().max() + torch.finfo(torch.float32).eps
    assert (made.double() - exact).abs().max() <= bound


@pytest.mark.parametrize("name", OPS)
def test_registration_passes_opcheck(name: str) -> None:
    fused, _, arguments = OPS[name]
    given = arguments(33)
    torch.library.opcheck(fused, moved(given, torch.float32), test_utils=("test_schema", "test_faketensor"))


@pytest.mark.parametrize("name", OPS)
def test_gradients_are_the_references(name: str) -> None:
    fused, reference, arguments = OPS[name]
    given = moved(arguments(33), torch.float32)
    wanted = [each.requires_grad_() for each in given if isinstance(each, Tensor)][:1]
    found = torch.autograd.grad(fused(*given).square().sum(), wanted)
    expected = torch.autograd.grad(reference(*given).square().sum(), wanted)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_autocast_takes_the_fused_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXCLONE_KERNELS", "fused")
    x, kernel = torch.randn(2, 80, 33, device=GPU), weight(130, 80, 7).to(GPU)
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
        made = conv1d.conv1d(x, kernel, padding=3, slope=SLOPE)
    assert made.dtype == torch.bfloat16
    torch.testing.assert_close(
        made.float(), conv1d.conv1d_reference(x, kernel, None, 3, 1, SLOPE, False), atol=0.05, rtol=0.05
    )


@pytest.mark.parametrize("channels", [16, 256])
def test_a_graph_and_a_new_thread_make_the_same(channels: int) -> None:
    pytest.importorskip("soundfile")  # which the package around graphs reads sound files with
    from voxclone.synthesis.graphs import capture_graph

    given = moved(blocks(channels)(600), torch.bfloat16)
    with torch.inference_mode():
        expected = FIELD[0](*given)
        replay = capture_graph(lambda x: FIELD[0](x, *given[1:]), (given[0],))
        assert torch.equal(replay(given[0]), expected)

        @torch.inference_mode()
        def in_thread() -> Tensor:
            made: Tensor = FIELD[0](*given)
            torch.cuda.synchronize()
            return made

        with ThreadPoolExecutor(1) as pool:
            assert torch.equal(pool.submit(in_thread).result(), expected)


def stage(channels: int) -> Callable[[int], tuple[Any, ...]]:
    """Of V1."""

    def arguments(length: int) -> tuple[Any, ...]:
        weights = [weight(channels, channels, taps) for taps in (3, 7, 11) for _ in range(6)]
        biases = [torch.randn(channels) for _ in weights]
        return torch.randn(1, channels, length), weights, biases, [1, 1, 3, 1, 5, 1] * 3, [6] * 3, 2, SLOPE

    return arguments


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("channels", "length"), [(256, 2064), (128, 16512), (64, 33024), (32, 66048), (8, 5000)])
def test_blocks_side_by_side_make_the_same_as_in_turn(
    channels: int, length: int, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not above, where tests/kernels would find kernels that were defined before it has Triton interpreted.
    from voxclone.kernels.gpu import block, branches, residual

    if channels <= block.MOST_CHANNELS:
        small = block.SMALL[channels]
        monkeypatch.setitem(block.SMALL, channels, small._replace(whole=whole, at_once=True))
    else:
        monkeypatch.setitem(residual.SMALL, channels, residual.SMALL[channels]._replace(at_once=True))
    given = moved(stage(channels)(length), torch.bfloat16)
    others = [torch.randn_like(given[0]) for _ in range(3)]
    with torch.inference_mode():
        expected = [FIELD[0](x, *given[1:]) for x in (given[0], *others)]
        place, graph = given[0].clone(), torch.cuda.CUDAGraph()
        calls: list[Any] = []
        monkeypatch.setattr(branches, "_side_by_side", recorded(branches._side_by_side, calls))
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            made = FIELD[0](FIELD[0](place, *given[1:]).mul_(0).add_(place), *given[1:])  # the streams' second use, too
        assert len(calls) == 2
        for _ in range(5):
            for x, wanted in zip((given[0], *others), expected, strict=True):
                place.copy_(x)
                graph.replay()
                assert torch.equal(made, wanted)


def recorded(function: Callable[..., Tensor], calls: list[Any]) -> Callable[..., Tensor]:
    def call(*given: Any) -> Tensor:
        calls.append(given)
        return function(*given)

    return call


@pytest.mark.parametrize("frames", [60, 9000])
def test_the_inverse_transform_is_a_cpus(frames: int) -> None:
    spectrum, window = torch.randn(1, 65, frames, dtype=torch.complex64), torch.hann_window(128)
    expected = istft_head.inverse_stft(spectrum, window, 32)
    made = istft_head.inverse_stft(spectrum.to(GPU), window.to(GPU), 32).cpu()
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-4)


def test_the_bundle_speaks_as_on_a_cpu_and_with_graphs() -> None:
    pytest.importorskip("soundfile")
    pytest.importorskip("phonemizer")
    from voxclone import VoxClone

    model, alone = VoxClone.from_pretrained(device="cuda"), VoxClone.from_pretrained(device="cpu")
    name = next(iter(alone.voices))
    expected = alone.generate("The boats went out.", alone.voices[name])
    graphed = model.graphed()
    for each in (model, graphed, graphed):  # a length is captured when it comes a second time
        speech = each.generate("The boats went out.", each.voices[name])
        assert abs(len(speech.samples) - len(expected.samples)) <= 0.02 * len(expected.samples)


def test_what_auto_takes_is_said_of_this_gpu() -> None:
    assert bool(faster_on(GPU)) == (torch.cuda.get_device_capability(GPU) == (9, 0))
