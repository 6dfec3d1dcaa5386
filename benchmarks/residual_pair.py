"""A residual pair as one blocked op in numba, against PyTorch's convolutions with channels innermost.

    python benchmarks/residual_pair.py

A pair is x + conv(leaky_relu(conv(leaky_relu(x), dilated))), over (T, C) rows in float32. The numba form makes BLOCK
rows at a time, the halo again for each, so that everything between read and write stays in the first two caches. Its
inner loops go over output channels, which the compiler turns into AVX-512 multiply-adds; "with BLAS" has them as one
matrix product for each block and convolution. numba has no bfloat16. Taken in turns, on one thread; processor time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from environment import write_result
from voxclone.kernels.channels_last import convolve_rows

SLOPE = 0.1
BLOCK = 96  # rows
SHAPES = (
    (120, 7, 3, "bundle"),
    (64, 7, 3, "V2, first stage"),
    (32, 7, 3, "V2, second"),
    (16, 7, 3, "V2, third"),
    (8, 7, 3, "V2, last"),
)
Array = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--multiply-adds", type=float, default=5e7, help="of one call, about")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = {}
    for channels, taps, dilation, name in SHAPES:
        length = int(args.multiply_adds / (2 * taps * channels**2))
        rows[f"{name}: {channels} channels"] = compare(channels, taps, dilation, length, args.rounds)
        print(name, channels, rows[f"{name}: {channels} channels"], flush=True)
    print(write_result("residual-pair", {"threads": 1, "rounds": args.rounds, "pairs": rows}))


def compare(channels: int, taps: int, dilation: int, length: int, rounds: int) -> dict[str, Any]:
    """GFLOP/s of each form, by its median time, and its largest error in parts of the largest value."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((length, channels), dtype=np.float32)
    scale = np.float32(1 / channels)
    first: Array = scale * rng.standard_normal((taps, channels, channels), dtype=np.float32)
    second: Array = scale * rng.standard_normal((taps, channels, channels), dtype=np.float32)
    # as convolve_rows takes them
    weights = [torch.from_numpy(each).permute(2, 1, 0).contiguous() for each in (first, second)]
    edge = dilation * (taps // 2)

    def pair(rows: Tensor) -> Tensor:
        y = convolve_rows(F.leaky_relu(rows, SLOPE), weights[0], None, edge, dilation)
        return convolve_rows(F.leaky_relu_(y, SLOPE), weights[1], None, taps // 2, 1).add_(rows)

    lines = {
        kind: torch.from_numpy(x).T[None, :, None].to(dtype).contiguous(memory_format=torch.channels_last)
        for kind, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
    }
    flat = first.reshape(-1, channels), second.reshape(-1, channels)
    forms: dict[str, Callable[[], Any]] = {
        "channels-last bfloat16": lambda: pair(lines["bfloat16"]),
        "channels-last float32": lambda: pair(lines["float32"]),
        "numba loops float32": lambda: fused_loops(x, first, second, dilation),
        "numba with BLAS float32": lambda: fused_blas(x, *flat, taps, dilation),
    }
    with torch.inference_mode():
        outputs = {name: as_rows(form()) for name, form in forms.items()}  # and compiles
        times: dict[str, list[float]] = {name: [] for name in forms}
        for _ in range(rounds):
            for name, form in forms.items():
                start = time.process_time()
                form()
                times[name].append(time.process_time() - start)
    expected = outputs["channels-last float32"]
    work = 4 * length * taps * channels**2 / 1e9
    return {
        name: {
            "gflops": round(work / statistics.median(taken), 1),
            "error": float(f"{np.abs(outputs[name] - expected).max() / np.abs(expected).max():.1e}"),
        }
        for name, taken in times.items()
    }


def as_rows(made: Any) -> Array:
    rows: Array = made[0, :, 0].T.float().numpy() if isinstance(made, Tensor) else made
    return rows


@numba.njit(fastmath=True)
def fused_loops(x: Array, first: Array, second: Array, dilation: int) -> Array:
    length, channels = x.shape
    taps = first.shape[0]
    inner, outer = taps // 2, (taps // 2) * dilation
    out = np.empty_like(x)
    active = np.empty((BLOCK + 2 * (inner + outer), channels), np.float32)
    middle = np.empty((BLOCK + 2 * inner, channels), np.float32)
    for start in range(0, length, BLOCK):
        for row in range(BLOCK + 2 * (inner + outer)):
            time = start + row - inner - outer
            for c in range(channels):
                value = x[time, c] if 0 <= time < length else np.float32(0)
                active[row, c] = value if value >= 0 else np.float32(SLOPE) * value
        for row in range(BLOCK + 2 * inner):
            time = start + row - inner
            sums = middle[row]
            sums[:] = 0
            if 0 <= time < length:
                for tap in range(taps):
                    for c in range(channels):
                        factor, weights = active[row + tap * dilation, c], first[tap, c]
                        for d in range(channels):
                            sums[d] += factor * weights[d]
                for d in range(channels):
                    sums[d] = sums[d] if sums[d] >= 0 else np.float32(SLOPE) * sums[d]
        for row in range(min(BLOCK, length - start)):
            sums = out[start + row]
            sums[:] = x[start + row]
            for tap in range(taps):
                for c in range(channels):
                    factor, weights = middle[row + tap, c], second[tap, c]
                    for d in range(channels):
                        sums[d] += factor * weights[d]
    return out


@numba.njit(fastmath=True)
def fused_blas(x: Array, first: Array, second: Array, taps: int, dilation: int) -> Array:
    length, channels = x.shape
    inner, outer = taps // 2, (taps // 2) * dilation
    out = np.empty_like(x)
    spread = np.empty((BLOCK + 2 * inner, taps * channels), np.float32)
    middle = np.empty((BLOCK + 2 * inner, channels), np.float32)
    made = np.empty((BLOCK, channels), np.float32)
    for start in range(0, length, BLOCK):
        for row in range(BLOCK + 2 * inner):
            for tap in range(taps):
                time = start + row - inner - outer + tap * dilation
                for c in range(channels):
                    value = x[time, c] if 0 <= time < length else np.float32(0)
                    spread[row, tap * channels + c] = value if value >= 0 else np.float32(SLOPE) * value
        np.dot(spread, first, middle)
        for row in range(BLOCK):
            for tap in range(taps):
                inside = 0 <= start + row + tap - inner < length
                for c in range(channels):
                    value = middle[row + tap, c] if inside else np.float32(0)
                    spread[row, tap * channels + c] = value if value >= 0 else np.float32(SLOPE) * value
        np.dot(spread[:BLOCK], second, made)
        for row in range(min(BLOCK, length - start)):
            for c in range(channels):
                out[start + row, c] = x[start + row, c] + made[row, c]
    return out


if __name__ == "__main__":
    main()
