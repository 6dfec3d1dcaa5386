"""Parity of each op's fused form with its reference in float64, on a GPU or a CPU: a part of benchmarks/gpu.py."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from voxclone.kernels.conv1d import conv1d, conv1d_reference
from voxclone.kernels.conv_transpose1d import conv_transpose1d, conv_transpose1d_reference
from voxclone.kernels.istft_head import istft_head, istft_head_reference
from voxclone.kernels.multi_receptive_field import ResidualBlock, multi_receptive_field, multi_receptive_field_reference
from voxclone.kernels.pulse_source import pulse_source, pulse_source_reference
from voxclone.kernels.snake import anti_aliased_snake, anti_aliased_snake_reference
from voxclone.layers.snake import half_band_filter

LENGTHS = (1, 2, 6, 511, 512, 513, 4097, 50001)  # short inputs are divided otherwise
SLOPE = 0.1


def cases(length: int, dtype: torch.dtype) -> Iterator[tuple[str, Callable[..., Tensor], Callable[..., Tensor], Any]]:
    """Name, door, reference and arguments of each op; tensors are converted to a dtype and device by whoever calls."""

    def weight(*shape: int) -> Tensor:
        made: Tensor = torch.randn(*shape) / (shape[1] * shape[2]) ** 0.5
        return made

    for channels in (20, 80):
        given = [torch.randn(2, channels, length), weight(130, channels, 7), torch.randn(130)]
        yield f"conv1d {channels}", conv1d_door, conv1d_reference, [*given, 9, 3, SLOPE, True]
    for channels in (8, 32):
        given = [torch.randn(2, channels, length), weight(1, channels, 7), torch.randn(1)]
        yield f"conv1d {channels} to one channel", conv1d_door, conv1d_reference, [*given, 3, 1, SLOPE, True]
    for channels in (32, 256):
        given = [torch.randn(2, channels, length), weight(channels, channels // 2, 16), torch.randn(channels // 2)]
        yield f"conv_transpose1d {channels}", conv_transpose1d_door, conv_transpose1d_reference, [*given, 8, 4, SLOPE]
    for channels, paired in ((8, True), (16, True), (32, True), (64, True), (64, False), (128, True), (120, False)):
        taps, dilations = ((3, 7, 11), (1, 1, 3, 1, 5, 1)) if paired else ((3, 5, 7), (2, 6))
        sizes = [len(dilations)] * 3
        weights = [weight(channels, channels, each) for each in taps for _ in dilations]
        biases = [torch.randn(channels) for _ in weights]
        arguments = [torch.randn(2, channels, length), weights, biases, list(dilations) * 3, sizes, 1 + paired, SLOPE]
        name = f"multi_receptive_field {channels}{' in pairs' if paired else ''}"
        yield name, multi_receptive_field_door, multi_receptive_field_reference, arguments
        yield f"{name} in Triton", without_block, multi_receptive_field_reference, arguments
    weights = [weight(256, 256, each) for each in (3, 7, 11) for _ in range(2)]
    arguments = [torch.randn(2, 256, length), weights, [torch.randn(256) for _ in weights], [3, 1] * 3, [2] * 3]
    yield (
        "multi_receptive_field 256",
        multi_receptive_field_door,
        multi_receptive_field_reference,
        [*arguments, 2, SLOPE],
    )
    window, bias = torch.hann_window(128), torch.cat([torch.full((65,), -2.0), torch.randn(65)])
    head = [torch.randn(2, 120, length), weight(130, 120, 7), bias, torch.randn(2, 32 * length), window, 32, SLOPE]
    yield "istft_head 120", istft_head_door, istft_head_reference, head
    snake = [torch.randn(2, 20, length), torch.rand(20) * 3 + 0.5, torch.rand(20) + 0.5, half_band_filter(12)]
    yield "anti_aliased_snake 20", anti_aliased_snake, anti_aliased_snake_reference, snake
    if dtype == torch.float32:
        f0 = torch.rand(2, length) * 300 + 60
        f0[0, torch.rand(length) < 0.3] = 0
        given = [f0, torch.randn(2, 256 * length), torch.rand(2, 1)]
        yield "pulse_source", pulse_source_door, pulse_source_reference, [*given, 256, 22050, 0.05]


def conv1d_door(
    x: Tensor, weight: Tensor, bias: Tensor, padding: int, dilation: int, slope: float, tanh: bool
) -> Tensor:
    return conv1d(x, weight, bias, padding=padding, dilation=dilation, slope=slope, tanh=tanh)


def conv_transpose1d_door(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, slope: float) -> Tensor:
    return conv_transpose1d(x, weight, bias, stride=stride, padding=padding, slope=slope)


def multi_receptive_field_door(
    x: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    dilations: list[int],
    sizes: list[int],
    together: int,
    slope: float,
) -> Tensor:
    starts = itertools.accumulate([0, *sizes])
    parts = [slice(start, start + size) for start, size in zip(starts, sizes, strict=False)]
    blocks = [ResidualBlock(weights[part], biases[part], dilations[part]) for part in parts]
    return multi_receptive_field(x, blocks, per_residual=together, slope=slope)


def istft_head_door(
    x: Tensor, weight: Tensor, bias: Tensor, carrier: Tensor, window: Tensor, hop_length: int, slope: float
) -> Tensor:
    return istft_head(x, weight, bias, carrier, window, hop_length=hop_length, slope=slope)


def pulse_source_door(f0: Tensor, noise: Tensor, phase: Tensor, hop: int, rate: int, level: float) -> Tensor:
    return pulse_source(f0, noise, phase, hop_length=hop, sample_rate=rate, voiced_noise=level)


def converted(argument: Any, change: Callable[..., Tensor]) -> Any:
    if isinstance(argument, list):
        return [converted(each, change) for each in argument]
    return change(argument) if isinstance(argument, Tensor) else argument


def without_block(*given: Any) -> Tensor:
    """Residual blocks by a kernel for each convolution, also where CUDA C++ would serve."""
    with mock.patch("voxclone.kernels.gpu.block.serves", return_value=False):
        return multi_receptive_field_door(*given)


def names() -> list[str]:
    """Of the ops with the sizes that are tried."""
    return list(dict.fromkeys(name for name, *_ in cases(1, torch.float32)))


@torch.inference_mode()
def parity(
    wanted: str, device: torch.device, lengths: Sequence[int], dtypes: Sequence[torch.dtype]
) -> Iterator[dict[str, Any]]:
    """A row for each dtype and length of an op: the worst element's error and the bound; or why the op refused."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # the reference's own rounding
    for dtype, length in itertools.product(dtypes, lengths):
        torch.manual_seed(length)
        for name, door, reference, given in cases(length, dtype):
            if name != wanted:
                continue
            row: dict[str, Any] = {"op": name, "dtype": str(dtype).removeprefix("torch."), "length": length}
            given = converted(given, lambda each, dtype=dtype: each.to(device, dtype))
            exact = reference(*converted(given, lambda each: each.double()))
            if name.startswith("istft_head"):  # its carrier and window are float32 in whatever dtype
                given[3:5] = [each.float() for each in given[3:5]]
            plain = reference(*given)
            os.environ["VOXCLONE_KERNELS"] = "fused"
            try:
                made = door(*given)
                if device.type == "cuda":
                    torch.cuda.synchronize()
            except Exception as error:  # noqa: BLE001  # whatever it is belongs into the table
                row["refused"] = f"{type(error).__name__}: {str(error)[-600:]}"
            else:
                bound = 2 * (plain.double() - exact).abs().max() + torch.finfo(dtype).eps * exact.abs().max()
                row |= {"error": float((made.double() - exact).abs().max()), "bound": float(bound)}
                row["holds"] = row["error"] <= row["bound"]  # not if it is no number
            os.environ.pop("VOXCLONE_KERNELS")
            yield row
