"""The GPU kernels by how they divide their work: a part of benchmarks/gpu.py.

Each candidate is a kernel at a size of V1, V2, V3 or the bundle with one division. `check` compiles it and compares
what it makes with plain PyTorch's in float32, in many processes at once; `clock` times it at 16 x 10 s, alone.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from voxclone.kernels.conv1d import conv1d_reference
from voxclone.kernels.gpu import block, fourier, one_channel, pieces, pulses, snake
from voxclone.kernels.gpu.convolution import Tile, convolve, pack
from voxclone.kernels.gpu.nvrtc import Function, machine_code
from voxclone.kernels.istft_head import istft_head_reference
from voxclone.kernels.multi_receptive_field import multi_receptive_field_reference
from voxclone.kernels.pulse_source import pulse_source_reference
from voxclone.kernels.snake import anti_aliased_snake_reference
from voxclone.layers.snake import half_band_filter

SLOPE, BATCH, FRAMES = 0.1, 16, 861  # 10 s
V1_BLOCK = (1, 1, 3, 1, 5, 1)
Made = tuple[Callable[[], Tensor], Callable[[], Tensor]]  # the kernel's call, and what it should make


class Candidate(NamedTuple):
    """A kernel, what of it is compared with each other, and one division of its work."""

    kernel: str
    size: str
    division: tuple[int | float | str, ...]
    length: int  # of its time axis for 10 s
    make: Callable[[int, int], Made]  # of a batch and a length

    def row(self) -> dict[str, Any]:
        return {"kernel": self.kernel, "size": self.size, "division": list(self.division)}


def candidates(kernels: Sequence[str], quick: bool = False) -> list[Candidate]:
    """All of those whose kernel's name begins with one of `kernels`; `quick` takes the first one of each size."""
    every = [*blocks(), *to_one(), *convolutions(), *heads(), *others()]
    made = [each for each in every if each.kernel.startswith(tuple(kernels))]
    if not quick:
        return made
    return list({(each.kernel, each.size): each for each in reversed(made)}.values())[::-1]


def convolutions() -> Iterator[Candidate]:
    wide = [
        (128, 128, 64, 8, 3),
        (128, 128, 64, 8, 4),
        (128, 128, 64, 4, 3),
        (128, 128, 32, 8, 4),
        (128, 128, 128, 8, 2),
    ]
    wide += [
        (256, 128, 64, 8, 3),
        (256, 128, 64, 8, 2),
        (256, 128, 32, 8, 4),
        (64, 128, 64, 4, 4),
        (256, 128, 64, 16, 3),
    ]
    wider = [(128, 256, 64, 8, 3), (128, 256, 64, 8, 4), (128, 256, 32, 8, 4), (64, 256, 64, 8, 3), (64, 256, 64, 4, 3)]
    middle = [(128, 64, 64, 4, 3), (128, 64, 64, 4, 4), (128, 64, 64, 8, 3), (256, 64, 64, 8, 3), (256, 64, 64, 4, 3)]
    middle += [(256, 64, 64, 8, 4), (512, 64, 64, 8, 3), (64, 64, 64, 4, 4), (256, 64, 32, 8, 4)]
    narrow = [(128, 32, 32, 4, 3), (128, 32, 32, 4, 5), (256, 32, 32, 4, 3), (256, 32, 32, 8, 3), (512, 32, 32, 8, 3)]
    narrow += [(256, 32, 32, 4, 5), (512, 32, 32, 8, 4)]
    least = [(128, 16, 16, 4, 3), (256, 16, 16, 4, 3), (512, 16, 16, 4, 3), (512, 16, 16, 8, 4), (256, 16, 16, 2, 4)]
    sizes: list[tuple[int, int, int, int, Sequence[tuple[int, ...]]]] = [
        (256, 256, 7, 8 * FRAMES, [*wider, *wide]),
        (128, 128, 7, 64 * FRAMES, wide),
        (64, 64, 7, 128 * FRAMES, middle),
        (32, 32, 7, 256 * FRAMES, narrow),
        (16, 16, 7, 128 * FRAMES, least),
        (8, 8, 7, 256 * FRAMES, least),
        (120, 120, 5, 8 * FRAMES, wide[:6]),
        (80, 512, 7, FRAMES, [*wide[:6], *wider[:3]]),
        (512, 2048, 3, FRAMES, [*wider, *wide[:6]]),
        (256, 1024, 3, 8 * FRAMES, [*wider, *wide[:6]]),
        (128, 128, 3, 64 * FRAMES, wide[:7]),
        (64, 64, 3, 128 * FRAMES, middle[:6]),
    ]
    for channels, columns, taps, length, tiles in sizes:
        for tile, slope in itertools.product(tiles, (SLOPE, 1.0)):
            if slope != 1.0 or (tile in (tiles[0], tiles[1]) and taps == 7):  # what the activation on the way costs
                yield convolution(channels, columns, taps, length, tile, slope)


def convolution(channels: int, columns: int, taps: int, length: int, tile: tuple[int, ...], slope: float) -> Candidate:
    alike = channels == columns

    def make(batch: int, length: int) -> Made:
        x, weight, bias = drawn(batch, channels, length), drawn_weight(columns, channels, taps), drawn(columns)
        rows, packed = x.transpose(1, 2).contiguous(), pack(weight)
        given: dict[str, Any] = {"padding": taps // 2, "dilation": 1, "slope": slope, "tile": Tile(*tile)}
        given |= {"residual": rows} if alike else {"tanh": columns == 1}

        def expected() -> Tensor:
            made = conv1d_reference(x.float(), weight.float(), bias.float(), taps // 2, 1, slope, columns == 1)
            return (made + x.float() if alike else made).transpose(1, 2)

        return lambda: convolve(rows, packed, bias, **given), expected

    size = f"{channels} to {columns}, {taps} taps{'' if slope != 1 else ', no activation'}"
    return Candidate("convolution", size, tile, length, make)


def blocks() -> Iterator[Candidate]:
    """By warpgroup products: groups of 128 threads, parts of 64 rows of each, pieces of weights on the way, at once."""
    tried: list[tuple[int, Sequence[int], int, list[tuple[int, int, int, int]]]] = [
        (8, V1_BLOCK, 256, [(2, 12, 0, 3), (2, 8, 0, 4), (2, 16, 0, 2), (1, 16, 0, 5), (4, 8, 0, 2), (1, 24, 0, 3)]),
        (16, V1_BLOCK, 128, [(2, 8, 0, 2), (2, 6, 0, 3), (1, 8, 0, 4), (4, 4, 0, 2), (1, 12, 0, 2), (2, 6, 4, 3)]),
        (32, V1_BLOCK, 64, [(4, 4, 4, 1), (2, 4, 4, 2), (2, 5, 4, 2), (1, 8, 4, 2), (3, 3, 4, 2), (2, 8, 4, 1)]),
        (64, V1_BLOCK, 128, [(3, 3, 4, 1), (4, 2, 4, 1), (2, 4, 4, 1), (1, 4, 3, 2), (2, 2, 3, 2)]),
        (128, (5, 1), 64, [(4, 1, 4, 1), (2, 2, 4, 1)]),
    ]
    for channels, dilations, length, divisions in tried:
        for division, taps in itertools.product(divisions, (3, 7, 11)):
            yield residual_block(channels, taps, tuple(dilations), 2, length * FRAMES, division)
    for channels, dilations, length, divisions in (
        (128, (12,), 8, [(4, 1, 4, 1), (2, 1, 4, 1)]),
        (64, (3, 12), 64, [(3, 3, 4, 1), (4, 2, 4, 1), (2, 2, 3, 2)]),
        (32, (3, 12), 256, [(4, 4, 4, 1), (2, 4, 4, 2), (2, 5, 4, 2), (3, 5, 4, 1)]),
    ):
        for division in divisions:
            yield residual_block(channels, 7, dilations, 1, length * FRAMES, division)


def residual_block(
    channels: int,
    taps: int,
    dilations: tuple[int, ...],
    together: int,
    length: int,
    division: tuple[int, int, int, int],
) -> Candidate:
    shape = block.Shape(channels, taps, dilations, together, SLOPE, True, division)

    def make(batch: int, length: int) -> Made:
        if not block.fits(shape):
            raise ValueError(f"{shape.shared_bytes} bytes of shared memory, {shape.times} times")
        x = drawn(batch, channels, length)
        weights, biases = (
            [drawn_weight(channels, channels, taps) for _ in dilations],
            [drawn(channels) for _ in dilations],
        )
        rows = x.transpose(1, 2).contiguous()
        out = torch.empty_like(rows)
        right, added = pieces.pieces(weights, x.dtype), pieces.padded_biases(biases)
        code = machine_code(block.source(shape.width), shape.options(), "90a")
        function = Function(code, "residual_block", shape.shared_bytes, torch.cuda.current_device())

        def call() -> Tensor:
            grid, stream = (-(-length // shape.times), batch), torch.cuda.current_stream().cuda_stream
            given = rows, right, added, out, length, 0, 1.0, shape.plan
            function.launch(grid, 128 * division[0], given, stream, shape.shared_bytes)
            return out

        return call, averaged(x, weights, biases, dilations, [len(dilations)], together)

    kind = f"block of {len(dilations)}, {'in pairs' if together == 2 else 'single'}"
    return Candidate(kind, f"{channels} channels, {taps} taps", division, length, make)


def to_one() -> Iterator[Candidate]:
    """HiFi-GAN's last convolution of V2, V1 and V3, by values that a program holds."""
    for channels, values in itertools.product((8, 32), (1024, 2048, 4096, 8192)):
        yield last(channels, values)


def last(channels: int, values: int) -> Candidate:
    def make(batch: int, length: int) -> Made:
        x, weight, bias = drawn(batch, channels, length), drawn_weight(1, channels, 7).float(), drawn(1).float()
        rows, packed = x.transpose(1, 2).contiguous(), pack(weight)
        given: dict[str, Any] = {"padding": 3, "dilation": 1, "slope": 0.01, "tanh": True, "dtype": torch.float32}

        def call() -> Tensor:
            return one_channel.convolve_to_one(rows, packed, bias, values=values, **given)

        return call, lambda: conv1d_reference(x.float(), weight, bias, 3, 1, 0.01, True).transpose(1, 2)

    return Candidate("to one channel", f"{channels} channels", (values,), 256 * FRAMES, make)


def heads() -> Iterator[Candidate]:
    for tile in ((64, 32, 32, 4, 2), (64, 64, 32, 4, 2), (128, 32, 32, 4, 2), (64, 32, 32, 8, 2), (32, 32, 32, 4, 2)):
        yield head(tile, fourier.OVERLAP, "spectrum")
    for tile in ((64, 64, 32, 4, 2), (64, 32, 32, 4, 2), (128, 32, 32, 4, 2), (128, 32, 64, 8, 2), (32, 32, 32, 4, 3)):
        yield head(fourier.SPECTRUM, tile, "overlap")


def head(first: tuple[int, ...], second: tuple[int, ...], part: str) -> Candidate:
    def make(batch: int, length: int) -> Made:
        x, weight, window = drawn(batch, 120, length), drawn_weight(130, 120, 7), torch.hann_window(128).cuda()
        bias = torch.cat([torch.full((65,), -2.0), torch.randn(65)]).cuda().bfloat16()
        carrier = torch.randn(batch, 32 * length, device="cuda")
        rows = x.transpose(1, 2).contiguous()
        spectrum = fourier.turned_spectrum(rows, weight, bias, carrier, window, 32, SLOPE, Tile(*first))

        def call() -> Tensor:
            if part == "overlap":
                return fourier.add_overlapping(spectrum, window, 32, Tile(*second))
            return fourier.turned_spectrum(rows, weight, bias, carrier, window, 32, SLOPE, Tile(*first))

        def expected() -> Tensor:
            given = weight.float(), bias.float(), carrier, window, 32, SLOPE
            if part == "overlap":
                return istft_head_reference(x.float(), *given)
            return fourier.turned_spectrum(rows.float(), *given)

        return call, expected

    return Candidate("head", part, tuple(first if part == "spectrum" else second), 8 * FRAMES, make)


def others() -> Iterator[Candidate]:
    for times, step, warps in ((1018, 512, 4), (506, 512, 4), (2042, 1024, 4), (2042, 1024, 8), (1018, 1024, 8)):
        yield waves(times, step, warps)
    for samples, warps in ((1024, 4), (512, 4), (2048, 8), (256, 4)):
        yield source(samples, warps)


def waves(times: int, step: int, warps: int) -> Candidate:
    def make(batch: int, length: int) -> Made:
        x = drawn(batch, 64, length)
        alpha, beta, low_pass = torch.rand(64).cuda() + 0.5, torch.rand(64).cuda() + 0.5, half_band_filter(12).cuda()

        def call() -> Tensor:
            return snake.snake(x, alpha, beta, low_pass, times=times, block=step, warps=warps)

        return call, lambda: anti_aliased_snake_reference(x.float(), alpha, beta, low_pass)

    return Candidate("snake", "64 channels", (times, step, warps), 128 * FRAMES, make)


def source(samples: int, warps: int) -> Candidate:
    def make(batch: int, length: int) -> Made:
        f0 = torch.rand(batch, length, device="cuda") * 300 + 60
        given = (
            f0,
            torch.randn(batch, 256 * length, device="cuda"),
            torch.rand(batch, 1, device="cuda"),
            256,
            22050,
            0.05,
        )

        def call() -> Tensor:
            return pulses.make_source(*given, samples=samples, warps=warps)

        return call, lambda: pulse_source_reference(*given)

    return Candidate("source", "hop 256", (samples, warps), FRAMES, make)


def fastest(rows: Sequence[dict[str, Any]]) -> tuple[dict[int, tuple[int, int, int, int]], int]:
    """What was fastest over all sizes of each width of blocks of pairs, and of the convolutions to one channel.

    Args:
        rows: Of `clock`. A division without one of the sizes is none; a width without rows keeps its own.
    """
    sums: dict[tuple[str, int, tuple[int, ...]], list[float]] = {}
    for row in rows:
        if "division" in row and row["kernel"].startswith(("block of", "to one")) and "single" not in row["kernel"]:
            width = pieces.width_of(int(row["size"].split()[0])) if row["kernel"].startswith("block") else 0
            sums.setdefault((row["kernel"][:5], width, tuple(row["division"])), []).append(row.get("ms", math.inf))
    sizes = {
        alike: max(len(times) for each, times in sums.items() if each[:2] == alike)
        for alike in {each[:2] for each in sums}
    }
    picked: dict[tuple[str, int], tuple[int, ...]] = {}
    for each in sorted(sums, key=lambda each: sum(sums[each])):
        if math.isfinite(sum(sums[each])) and len(sums[each]) == sizes[each[:2]]:
            picked.setdefault(each[:2], each[2])
    divisions = {width: division for (_, width), division in picked.items() if width}
    return block.PARTS | divisions, picked.get(("to on", 0), (one_channel.VALUES,))[0]  # type: ignore[return-value]  # as written


def averaged(
    x: Tensor, weights: list[Tensor], biases: list[Tensor], dilations: Sequence[int], sizes: list[int], together: int
) -> Callable[[], Tensor]:
    def expected() -> Tensor:
        given = x.float(), [each.float() for each in weights], [each.float() for each in biases]
        made = multi_receptive_field_reference(*given, dilations, sizes, together, SLOPE)
        return made.transpose(1, 2)

    return expected


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def drawn_weight(channels: int, inputs: int, taps: int) -> Tensor:
    made: Tensor = drawn(channels, inputs, taps) * (0.5 / (inputs * taps) ** 0.5)
    return made


@torch.inference_mode()
def check(each: Candidate) -> dict[str, Any]:
    """Seconds to compile, and the error in the norm of what it makes of a short input."""
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    begun = time.monotonic()
    try:
        call, expected = each.make(2, min(each.length, 5000))
        made, wanted = call().float(), expected()
        error = float((made - wanted).norm() / wanted.norm())
    except Exception as failed:  # noqa: BLE001  # whatever it is belongs into the table
        return {**each.row(), "failed": f"{type(failed).__name__}: {str(failed)[-300:]}"}
    return {**each.row(), "error": float(f"{error:.1e}"), "seconds": round(time.monotonic() - begun, 1)}


@torch.inference_mode()
def clock(each: Candidate, rounds: int = 7) -> dict[str, Any]:
    """The median of its milliseconds at 16 x 10 s, and TFLOP/s where it multiplies."""
    try:
        call, _ = each.make(BATCH, each.length)
        for _ in range(2):
            call()
        event = functools.partial(torch.cuda.Event, enable_timing=True)
        events = [(event(), event()) for _ in range(rounds)]
        for start, end in events:
            start.record()
            call()
            end.record()
        torch.cuda.synchronize()
    except Exception as failed:  # noqa: BLE001  # whatever it is belongs into the table
        return {**each.row(), "failed": f"{type(failed).__name__}: {str(failed)[-300:]}"}
    times = sorted(start.elapsed_time(end) for start, end in events)
    return {**each.row(), "ms": round(times[rounds // 2], 4)}
