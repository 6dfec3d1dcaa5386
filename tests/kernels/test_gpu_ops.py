"""What each op calls on a GPU, called on the CPU: the Triton kernels interpreted, the CUDA C++ block emulated."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton")

from voxclone.kernels import conv1d, conv_transpose1d, istft_head, multi_receptive_field, pulse_source, snake
from voxclone.kernels.gpu import block, nvrtc
from voxclone.layers.snake import half_band_filter

SLOPE = 0.1


def weight(*shape: int) -> Tensor:
    return torch.randn(*shape) / (shape[1] * shape[2]) ** 0.5


def blocks(channels: int, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
    weights = [weight(channels, channels, taps).to(dtype) for taps in (3, 3, 5, 5)]
    biases = [torch.randn(channels).to(dtype) for _ in weights]
    return torch.randn(2, channels, 21).to(dtype), weights, biases, [1, 2, 3, 1], [2, 2], 2, SLOPE


def head() -> tuple[Any, ...]:
    bias = torch.cat([torch.full((17,), -2.0), torch.zeros(17)])
    return torch.randn(2, 12, 9), weight(34, 12, 7), bias, torch.randn(2, 3, 72)[:, 2], torch.hann_window(32), 8, SLOPE


CALLS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], Callable[[], tuple[Any, ...]]]] = {
    "conv1d": (
        conv1d._on_gpu,
        conv1d.conv1d_reference,
        lambda: (torch.randn(2, 12, 21), weight(20, 12, 7), torch.randn(20), 9, 3, SLOPE, True),
    ),
    "conv1d, read in bfloat16 and made in float32": (
        conv1d._on_gpu,
        conv1d.conv1d_reference,
        lambda: (torch.randn(2, 12, 21).bfloat16(), weight(20, 12, 7), None, 3, 1, SLOPE, False, torch.float32),
    ),
    "conv1d to one channel": (
        conv1d._on_gpu,
        conv1d.conv1d_reference,
        lambda: (
            *(torch.randn(2, 8, 21).bfloat16(), weight(1, 8, 7), torch.randn(1), 3, 1, SLOPE, True),
            torch.float32,
        ),
    ),
    "conv_transpose1d": (
        conv_transpose1d._on_gpu,
        conv_transpose1d.conv_transpose1d_reference,
        lambda: (torch.randn(2, 12, 21), weight(12, 6, 8), torch.randn(6), 4, 2, SLOPE),
    ),
    "multi_receptive_field": (
        multi_receptive_field._on_gpu,
        multi_receptive_field.multi_receptive_field_reference,
        lambda: blocks(12),
    ),
    "istft_head": (istft_head._on_gpu, istft_head.istft_head_reference, head),
    "pulse_source": (
        pulse_source._on_gpu,
        pulse_source.pulse_source_reference,
        lambda: (
            torch.tensor([[0.0, 100, 0, 200]]),
            torch.randn(1, 64).expand(1, -1),
            torch.ones(1, 1),
            16,
            22050,
            0.05,
        ),
    ),
    "anti_aliased_snake": (
        snake._on_gpu,
        snake.anti_aliased_snake_reference,
        lambda: (torch.randn(2, 3, 21), torch.rand(3) + 1, torch.rand(3) + 1, half_band_filter(12)),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_an_op_calls(name: str) -> None:
    torch.manual_seed(0)
    on_gpu, reference, arguments = CALLS[name]
    given = arguments()
    torch.testing.assert_close(on_gpu(*given), reference(*given), atol=1e-4, rtol=1e-4)


class Emulated:
    """Stands for a function on a GPU: starts the emulation of the kernel that it would start."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def launch(
        self, grid: tuple[int, int], threads: int, arguments: Sequence[Any], stream: int, shared_bytes: int
    ) -> None:
        *tensors, length, sums, scale, plan = arguments
        assert (threads, stream) == (256, 77) and 0 < shared_bytes <= block.SHARED_BYTES
        pointers = [ctypes.c_void_p(each.data_ptr()) for each in tensors]
        numbers = length, sums, ctypes.c_float(scale), (ctypes.c_int * len(plan))(*plan)
        assert grid == (-(-length // plan[2]), 2)
        assert self.library.run(*pointers, *numbers, grid[1], 0) == 0


def test_blocks_are_called_where_they_serve(
    monkeypatch: pytest.MonkeyPatch, on_host: Callable[[list[str], str], ctypes.CDLL]
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(block, "PARTS", {16: (2, 1, 4, 1)})
    monkeypatch.setattr(block, "SMALL", {16: block.Small((2, 1, 4, 1), whole=True, at_once=True)})
    monkeypatch.setattr(nvrtc, "find", lambda: "somewhere")
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=77))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    made_of = []

    def function(options: tuple[str, ...], width: int, device: torch.device) -> Emulated:
        made_of.append(options)
        return Emulated(on_host(list(options), block.source(width)))

    monkeypatch.setattr(block, "_function", function)
    given = blocks(16, torch.bfloat16)
    made = multi_receptive_field._on_gpu(*given)
    assert len(made_of) == 2  # a launch for each block
    expected = multi_receptive_field.multi_receptive_field_reference(*given)
    torch.testing.assert_close(made.float(), expected.float(), atol=0.05, rtol=0.05)
    monkeypatch.setattr(nvrtc, "find", lambda: None)
    other = multi_receptive_field._on_gpu(*blocks(16, torch.float16))
    assert len(made_of) == 2 and other.shape == made.shape
