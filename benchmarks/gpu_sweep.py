"""The GPU kernels by how they divide their work: a part of benchmarks/gpu.py.

Each candidate is a kernel at a size of V1, V2, V3 or the bundle with one division. `check` compiles it and compares what
it makes with plain PyTorch's in float32, in many processes at once; `clock` times it at 16 x 10 s, alone on the GPU.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from voxclone.kernels.conv1d import conv1d_reference
from voxclone.kernels.gpu import block, fourier, pulses, residual, snake, stage
from voxclone.kernels.gpu.convolution import Tile, convolve, pack
from voxclone.kernels.gpu.nvrtc import Function, machine_code
from voxclone.kernels.gpu.residual import ChainTile
from voxclone.kernels.istft_head import istft_head_reference
from voxclone.kernels.multi_receptive_field import multi_receptive_field_reference
from voxclone.kernels.pulse_source import pulse_source_reference
from voxclone.kernels.snake import anti_aliased_snake_reference
from voxclone.layers.snake import half_band_filter

SLOPE, BATCH, FRAMES = 0.1, 16, 861  # 10 s
DILATIONS = {3: (1, 1, 3, 1, 5, 1), 1: (1, 1)}
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


def candidates(quick: bool = False) -> list[Candidate]:
    """All of them; `quick` takes the first one of each size."""
    made = [*blocks(), *convolutions(), *stages(), *chains(), *heads(), *others()]
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
        (32, 1, 7, 256 * FRAMES, [(128, 16, 32, 4, 3), (256, 16, 32, 4, 3), (512, 16, 32, 8, 3), (256, 16, 32, 4, 4)]),
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
            made = conv1d_reference(*floats(x, weight, bias), taps // 2, 1, slope, columns == 1)
            return (made + x.float() if alike else made).transpose(1, 2)

        return lambda: convolve(rows, packed, bias, **given), expected

    size = f"{channels} to {columns}, {taps} taps{'' if slope != 1 else ', no activation'}"
    return Candidate("convolution", size, tile, length, make)


def chains() -> Iterator[Candidate]:
    wide = [(512, 64, 8, 3), (512, 64, 8, 2), (256, 64, 8, 3), (512, 128, 8, 3), (1024, 64, 8, 3), (256, 64, 4, 3)]
    middle = [
        (512, 128, 8, 3),
        (512, 128, 4, 3),
        (512, 64, 4, 3),
        (1024, 128, 8, 3),
        (256, 128, 8, 3),
        (512, 128, 8, 2),
    ]
    narrow = [(512, 128, 4, 3), (512, 128, 8, 3), (1024, 256, 8, 3), (2048, 128, 8, 3), (1024, 128, 4, 4)]
    for channels, length, tiles in ((128, 64, wide), (64, 128, middle), (32, 256, narrow), (16, 128, narrow)):
        for tile in tiles:
            yield chain(channels, 1, length * FRAMES, tile)
    for channels, length, tiles in ((64, 128, middle[:3]), (32, 256, narrow[:4]), (16, 128, narrow[:4])):
        for tile in tiles:
            yield chain(channels, 3, length * FRAMES, tile)


def chain(channels: int, pairs: int, length: int, tile: tuple[int, ...], taps: int = 7) -> Candidate:
    dilations = DILATIONS[pairs]

    def make(batch: int, length: int) -> Made:
        x = drawn(batch, channels, length)
        weights = [drawn_weight(channels, channels, taps) for _ in dilations]
        biases = [drawn(channels) for _ in dilations]
        rows, stacked, added = x.transpose(1, 2).contiguous(), torch.stack([*map(pack, weights)]), torch.stack(biases)

        def call() -> Tensor:
            return residual.chain(rows, stacked, added, dilations, per_residual=2, slope=SLOPE, tile=ChainTile(*tile))

        return call, averaged(x, weights, biases, dilations, [len(dilations)], 2)

    return Candidate(f"chain of {pairs} pairs", f"{channels} channels, {taps} taps", tile, length, make)


def blocks() -> Iterator[Candidate]:
    """By warpgroup products: groups of 128 threads, parts of 64 rows of each, pieces of weights on the way."""
    wide = [(2, 2, 4), (4, 1, 4), (2, 2, 3), (2, 1, 4), (3, 1, 4)]
    tried: list[tuple[int, int, Sequence[int], int, list[tuple[int, int, int]]]] = [
        (128, 7, (5, 1), 64, wide),
        (128, 3, (5, 1), 64, wide),
        (128, 11, (5, 1), 64, wide),
        (64, 7, DILATIONS[3], 128, [(3, 3, 4), (2, 4, 4), (4, 2, 4), (2, 3, 4), (3, 2, 4), (3, 3, 3), (2, 2, 4)]),
        (64, 7, (5, 1), 128, [(2, 2, 3), (2, 2, 4), (2, 4, 4), (3, 3, 4), (1, 4, 3)]),
        (32, 7, DILATIONS[3], 256, [(3, 6, 4), (2, 8, 4), (4, 4, 4), (2, 4, 4), (2, 6, 4), (3, 6, 8), (1, 8, 4)]),
        (16, 7, DILATIONS[3], 128, [(3, 10, 4), (2, 8, 4), (4, 6, 4), (2, 4, 4), (1, 8, 4), (3, 10, 8), (4, 4, 8)]),
        (8, 7, DILATIONS[3], 256, [(3, 10, 4), (2, 8, 4), (4, 6, 4), (2, 4, 4), (3, 10, 8), (4, 4, 8)]),
        (64, 3, DILATIONS[3], 128, [(3, 3, 4), (2, 4, 4), (4, 2, 4)]),
        (64, 11, DILATIONS[3], 128, [(3, 3, 4), (2, 4, 4), (4, 2, 4)]),
    ]
    for channels, taps, dilations, length, divisions in tried:
        for division in divisions:
            yield residual_block(channels, taps, tuple(dilations), 2, length * FRAMES, division)
    for channels, dilations, length, divisions in (
        (128, (3, 12), 8, [(2, 2, 3), (4, 1, 3)]),
        (128, (12,), 8, [(2, 2, 3), (2, 1, 4), (4, 1, 3)]),
        (120, (3, 12), 8, [(2, 2, 3), (2, 1, 4), (4, 1, 3)]),
        (120, (12,), 8, [(2, 2, 3), (2, 1, 4), (3, 1, 4)]),
        (64, (3, 12), 64, [(3, 3, 4), (2, 4, 4), (4, 2, 4), (2, 2, 4)]),
        (32, (3, 12), 256, [(3, 6, 4), (2, 8, 4), (2, 4, 4)]),
    ):
        for division in divisions:
            yield residual_block(channels, 7, dilations, 1, length * FRAMES, division)


def residual_block(
    channels: int, taps: int, dilations: tuple[int, ...], together: int, length: int, division: tuple[int, int, int]
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
        right, added = block.pieces(weights, x.dtype), stage.padded_biases(biases)
        code = machine_code(block.source(shape.width), shape.options(), "90a")
        function = Function(code, "residual_block", shape.shared_bytes)

        def call() -> Tensor:
            grid, stream = (-(-length // shape.times), batch), torch.cuda.current_stream().cuda_stream
            function.launch(grid, 128 * division[0], (rows, right, added, out, length, 0, 1.0, shape.plan), stream)
            return out

        return call, averaged(x, weights, biases, dilations, [len(dilations)], together)

    kind = f"block of {len(dilations)}, {'in pairs' if together == 2 else 'single'}"
    return Candidate(kind, f"{channels} channels, {taps} taps", division, length, make)


def stages() -> Iterator[Candidate]:
    """The whole stage in CUDA C++: times, warps, and rows of 16 that a warp makes at once."""
    pairs, singles = ((3, 7, 11), (DILATIONS[3],) * 3, 2), ((3, 5, 7), ((1, 2), (2, 6), (3, 12)), 1)
    tried = {
        64: [(256, 12), (256, 8), (256, 16), (384, 12), (128, 8), (448, 16)],
        32: [(512, 10), (512, 16), (256, 8), (384, 8), (1024, 16), (768, 12)],
        16: [(1024, 12), (1024, 16), (512, 8), (768, 8), (2048, 16), (256, 8)],
        8: [(1024, 12), (1024, 16), (512, 8), (768, 8), (2048, 16), (256, 8)],
    }
    lengths = {64: 128, 32: 256, 16: 128, 8: 256}
    for channels, divisions in tried.items():
        for times, warps in divisions:
            yield whole_stage(channels, *pairs, lengths[channels] * FRAMES, times, warps)
    for channels, times, warps in ((64, 256, 12), (64, 512, 16), (32, 512, 10), (32, 1024, 16)):
        yield whole_stage(channels, *singles, (64 if channels == 64 else 256) * FRAMES, times, warps)


def whole_stage(
    channels: int,
    taps: tuple[int, ...],
    dilations: tuple[tuple[int, ...], ...],
    per_residual: int,
    length: int,
    times: int,
    warps: int,
) -> Candidate:
    shape = stage.Shape(channels, taps, dilations, per_residual, SLOPE, True, times=times, warps=warps)

    def make(batch: int, length: int) -> Made:
        x, count = drawn(batch, channels, length), len(dilations[0])
        weights = [drawn_weight(channels, channels, each) for each in taps for _ in range(count)]
        biases = [drawn(channels) for _ in weights]
        rows = x.transpose(1, 2).contiguous()
        flat = [each for block in dilations for each in block]
        expected = averaged(x, weights, biases, flat, [count] * len(taps), per_residual)
        right, added, out = stage.fragments(weights, x.dtype), stage.padded_biases(biases), torch.empty_like(rows)
        code = machine_code(stage.source(), shape.options(), 90)
        function = Function(code, "mean_of_blocks", shape.shared_bytes)

        def call() -> Tensor:
            grid, stream = (-(-length // times), batch), torch.cuda.current_stream().cuda_stream
            function.launch(grid, 32 * warps, (rows, right, added, out, length), stream)
            return out

        return call, expected

    kind = "pairs" if per_residual == 2 else "singles"
    return Candidate(f"stage of {kind}", f"{channels} channels", (times, warps), length, make)


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
            if part == "overlap":
                return istft_head_reference(*floats(x, weight, bias), carrier, window, 32, SLOPE)
            return fourier.turned_spectrum(*floats(rows, weight, bias), carrier, window, 32, SLOPE)

        return call, expected

    return Candidate("head", part, tuple(first if part == "spectrum" else second), 8 * FRAMES, make)


def others() -> Iterator[Candidate]:
    for times, block, warps in ((1018, 512, 4), (506, 512, 4), (2042, 1024, 4), (2042, 1024, 8), (1018, 1024, 8)):
        yield waves(times, block, warps)
    for samples, warps in ((1024, 4), (512, 4), (2048, 8), (256, 4)):
        yield source(samples, warps)


def waves(times: int, block: int, warps: int) -> Candidate:
    def make(batch: int, length: int) -> Made:
        x = drawn(batch, 64, length)
        alpha, beta, low_pass = torch.rand(64).cuda() + 0.5, torch.rand(64).cuda() + 0.5, half_band_filter(12).cuda()

        def call() -> Tensor:
            return snake.snake(x, alpha, beta, low_pass, times=times, block=block, warps=warps)

        return call, lambda: anti_aliased_snake_reference(x.float(), alpha, beta, low_pass)

    return Candidate("snake", "64 channels", (times, block, warps), 128 * FRAMES, make)


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


def averaged(
    x: Tensor, weights: list[Tensor], biases: list[Tensor], dilations: Sequence[int], sizes: list[int], together: int
) -> Callable[[], Tensor]:
    def expected() -> Tensor:
        given = floats(x), [each.float() for each in weights], [each.float() for each in biases]
        made = multi_receptive_field_reference(given[0][0], *given[1:], dilations, sizes, together, SLOPE)
        return made.transpose(1, 2)

    return expected


def floats(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(each.float() for each in tensors)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def drawn_weight(channels: int, inputs: int, taps: int) -> Tensor:
    return drawn(channels, inputs, taps) * (0.5 / (inputs * taps) ** 0.5)


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
    except Exception as failed:  # whatever it is belongs into the table
        return {**each.row(), "failed": f"{type(failed).__name__}: {str(failed)[-300:]}"}
    return {**each.row(), "error": float(f"{error:.1e}"), "seconds": round(time.monotonic() - begun, 1)}


@torch.inference_mode()
def clock(each: Candidate, rounds: int = 7) -> dict[str, Any]:
    """The median of its milliseconds at 16 x 10 s, and TFLOP/s where it multiplies."""
    try:
        call, _ = each.make(BATCH, each.length)
        for _ in range(2):
            call()
        events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(rounds)]
        for start, end in events:
            start.record()
            call()
            end.record()
        torch.cuda.synchronize()
    except Exception as failed:  # whatever it is belongs into the table
        return {**each.row(), "failed": f"{type(failed).__name__}: {str(failed)[-300:]}"}
    times = sorted(start.elapsed_time(end) for start, end in events)
    return {**each.row(), "ms": round(times[rounds // 2], 4)}
