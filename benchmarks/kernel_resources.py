"""What the GPU kernels need: compiled ahead of time for sm_80, sm_90 and sm_100, with no GPU at hand.

    python benchmarks/kernel_resources.py

For each kernel, shape and architecture: registers of a thread, bytes on the stack, which are spilled registers, bytes
of shared memory, and whether tensor-core instructions are in the code. Fails where a bound is broken: a spill, more
shared memory than a multiprocessor has, or no tensor-core instruction. Also how many operations the bundled vocoder
asks a GPU for in plain PyTorch.
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from environment import write_result
from launches import operations
from voxclone.kernels.gpu import nvrtc, stage
from voxclone.kernels.gpu.convolution import conv1d_kernel, tile_for
from voxclone.kernels.gpu.fourier import OVERLAP, SPECTRUM, overlap_kernel, spectrum_kernel
from voxclone.kernels.gpu.pulses import FRAMES, SAMPLES, frames_kernel, samples_kernel
from voxclone.kernels.gpu.residual import chain_kernel, chain_tile
from voxclone.kernels.gpu.snake import EDGE, TIMES, snake_kernel

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
SHARED_BYTES = {80: 163 * 1024, 90: 227 * 1024, 100: 227 * 1024}  # that one program may have
REGISTERS = 65536  # of a multiprocessor
STACK_BYTES = {
    "turned spectrum": 32,
    "source: samples": 32,
    "snake": 32,
}  # where sine and cosine reduce huge angles; else none
SLOPE = 0.1

Shape = tuple[str, Any, dict[str, Any], int, int]  # name, kernel, constants, warps, stages


def convolution(channels_in: int, channels_out: int, taps: int, tanh: bool = False) -> Shape:
    tile = tile_for(channels_in, channels_out)
    constants = {
        "TAPS": taps,
        "CHANNELS_IN": channels_in,
        "CHANNELS_OUT": channels_out,
        "SLOPE": SLOPE,
        "TANH": tanh,
        "HAS_BIAS": True,
        "HAS_RESIDUAL": not tanh,
        "HAS_TOTAL": False,
        "ROWS": tile.rows,
        "COLUMNS": tile.columns,
        "DEPTH": tile.depth,
    }
    name = f"convolution {channels_in} to {channels_out}, {taps} taps{', tanh' if tanh else ''}"
    return name, conv1d_kernel, constants, tile.warps, tile.stages


def residual(channels: int, taps: int, dilations: tuple[int, ...], per_residual: int) -> Shape:
    tile = chain_tile(channels)
    constants = {
        "DILATIONS": (*dilations, *[0] * (6 - len(dilations))),
        "COUNT": len(dilations),
        "PER_RESIDUAL": per_residual,
        "TAPS": taps,
        "CHANNELS": channels,
        "BLOCK": max(16, triton.next_power_of_2(channels)),
        "HALO": sum(dilations) * (taps // 2),
        "TIMES": tile.times,
        "ROWS": tile.rows,
        "SLOPE": SLOPE,
        "HAS_TOTAL": True,
    }
    name = f"{len(dilations)} residual convolutions of {channels} channels, {taps} taps"
    return name, chain_kernel, constants, tile.warps, tile.stages


def head(channels: int, n_fft: int, hop: int) -> list[Shape]:
    """The two kernels of an inverse-STFT head with a convolution of 7 taps."""
    bins = n_fft // 2 + 1
    spectrum = {
        "TAPS": 7,
        "CHANNELS": channels,
        "BINS": bins,
        "N_FFT": n_fft,
        "SLOPE": SLOPE,
        "MOST": 5.0,
        "TINY": 1e-3,
    }
    spectrum |= {"ROWS": SPECTRUM.rows, "COLUMNS": SPECTRUM.columns, "DEPTH": SPECTRUM.depth}
    frames = n_fft // hop + 1
    overlap = {"FRAMES": frames, "VALUES": 2 * bins, "N_FFT": n_fft, "TINY": 1e-3}
    overlap |= {"ROWS": OVERLAP.rows, "COLUMNS": hop, "DEPTH": OVERLAP.depth}
    return [
        (
            f"turned spectrum of {channels} channels, {n_fft}",
            spectrum_kernel,
            spectrum,
            SPECTRUM.warps,
            SPECTRUM.stages,
        ),
        (f"overlap-add of {n_fft} by {hop}", overlap_kernel, overlap, OVERLAP.warps, OVERLAP.stages),
    ]


WITHOUT_PRODUCTS = ("source: frames", "source: samples", "overlap-add", "snake")  # of tensor cores: float32 throughout
V1_BLOCK = (1, 1, 3, 1, 5, 1)
SHAPES = [
    convolution(80, 512, 7),
    convolution(512, 2048, 3),  # the first upsampling of V1: 8 phases of 256 channels
    convolution(256, 256, 11),
    convolution(128, 128, 11),
    convolution(32, 1, 7, tanh=True),
    residual(128, 11, (5, 1), 2),
    residual(64, 11, V1_BLOCK, 2),
    residual(32, 11, V1_BLOCK, 2),
    residual(16, 7, V1_BLOCK, 2),
    residual(8, 3, V1_BLOCK, 2),
    residual(128, 7, (3, 12), 1),
    residual(120, 7, (3, 12), 1),  # the bundled vocoder's, and what follows
    *head(120, 128, 32),
    ("source: frames", frames_kernel, {"FRAMES": FRAMES}, 4, 1),
    ("source: samples", samples_kernel, {"FADE": 8, "SAMPLES": SAMPLES}, 4, 1),
    ("snake", snake_kernel, {"TIMES": TIMES, "EDGE": EDGE, "BLOCK": 512, "TINY": 1e-9}, 4, 1),
]


def stages() -> Iterator[tuple[str, stage.Shape]]:
    """V1 and V2 (their residual blocks are alike) and V3, as far as the CUDA C++ kernel serves."""
    for channels in (64, 32, 16, 8):
        yield f"V1 and V2, {channels} channels", stage.Shape(channels, (3, 7, 11), (V1_BLOCK,) * 3, 2, SLOPE, True)
    for channels in (64, 32):
        dilations = ((1, 2), (2, 6), (3, 12))
        yield f"V3, {channels} channels", stage.Shape(channels, (3, 5, 7), dilations, 1, SLOPE, True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", type=int, default=list(SHARED_BYTES))
    parser.add_argument("--dtypes", nargs="+", default=["bf16", "fp16"])
    parser.add_argument("--shapes", nargs="+", default=[""], help="compile those only whose name holds one of these")
    parser.add_argument("--no-result", action="store_true", help="write no result file")
    args = parser.parse_args()
    shapes = [shape for shape in SHAPES if any(part in shape[0] for part in args.shapes)]
    rows = list(compiled(shapes, args.architectures, args.dtypes))
    rows += compiled_stages(args.shapes, args.architectures, args.dtypes)
    broken = [f"{row['kernel']}, sm_{row['sm']}, {row['dtype']}: {why}" for row in rows for why in faults(row)]
    if not args.no_result:
        counts = operations()
        print(
            write_result(
                "kernel-resources",
                {"triton": triton.__version__, "operations": counts, "kernels": rows, "broken": broken},
            )
        )
    if broken:
        sys.exit("\n".join(broken))


def compiled(shapes: list[Shape], architectures: list[int], dtypes: list[str]) -> Iterator[dict[str, Any]]:
    """One row of resources for each kernel, architecture and dtype, printed as it is made."""
    for (name, kernel, constants, warps, stages), sm, dtype in itertools.product(shapes, architectures, dtypes):
        source = ASTSource(kernel, _signature(kernel, constants, dtype), constants, _aligned(kernel))
        options = {"num_warps": warps, "num_stages": stages}
        made = triton.compile(source, target=GPUTarget("cuda", sm, 32), options=options)
        row: dict[str, Any] = {
            "kernel": name,
            "sm": sm,
            "dtype": dtype,
            "warps": warps,
            "shared_bytes": made.metadata.shared,
        }
        row |= _usage(made.asm["cubin"])
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        yield row


def compiled_stages(names: list[str], architectures: list[int], dtypes: list[str]) -> Iterator[dict[str, Any]]:
    """As `compiled`, of the CUDA C++ kernel; it has no form in float32."""
    named = [(f"stage in CUDA C++, {what}", shape) for what, shape in stages()]
    wanted = [(name, shape) for name, shape in named if any(part in name for part in names)]
    for (name, shape), sm, dtype in itertools.product(wanted, architectures, dtypes):
        if dtype == "fp32":
            continue
        shape = replace(shape, bfloat16=dtype == "bf16")
        code = nvrtc.Compiler().compile(stage.source(), shape.options(), sm)
        row: dict[str, Any] = {"kernel": name, "sm": sm, "dtype": dtype, "warps": shape.tile[1]}
        row |= {"shared_bytes": shape.shared_bytes} | _usage(code)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        yield row


def faults(row: dict[str, Any]) -> Iterator[str]:
    """Which bounds are broken."""
    if row["shared_bytes"] > SHARED_BYTES[row["sm"]]:
        yield f"{row['shared_bytes']} bytes of shared memory; there are {SHARED_BYTES[row['sm']]}"
    allowed = next((size for name, size in STACK_BYTES.items() if row["kernel"].startswith(name)), 0)
    if row["registers"] * 32 * row["warps"] > REGISTERS:
        yield f"{row['registers']} registers in {row['warps']} warps; there are {REGISTERS} on a multiprocessor"
    if row["stack_bytes"] > allowed:
        yield f"{row['stack_bytes']} bytes on the stack: registers are spilled"
    if (
        row["dtype"] != "fp32"
        and not row["tensor_core_instructions"]
        and not row["kernel"].startswith(WITHOUT_PRODUCTS)
    ):
        yield "no tensor-core instruction"


POINTERS: dict[str, str | None] = {
    "weight": None,
    "weights": None,
    "x": None,
    "bias": None,
    "biases": None,
    "residual": None,
    "out": None,
}
POINTERS |= {"scratch": None, "f0": "fp32", "filled": "fp32", "turns": "fp64", "phase": "fp64", "noise": "fp32"}
FLOAT32 = ("carrier", "basis", "spectrum", "window", "alpha", "beta", "low_pass")
POINTERS |= dict.fromkeys(FLOAT32, "fp32")  # None is the dtype that is compiled for


def _signature(kernel: Any, constants: dict[str, Any], dtype: str) -> dict[str, str]:
    kinds = {name: f"*{kind or dtype}" for name, kind in POINTERS.items()}
    if kernel is snake_kernel:
        kinds |= {"scratch": "*fp32"}
    kinds |= {"scale": "fp32", "hidden": "fp32"}
    if kernel not in (conv1d_kernel, chain_kernel, snake_kernel):
        kinds |= {"out": "*fp32", "bias": "*fp32"}
    return {name: "constexpr" if name in constants else kinds.get(name, "i32") for name in kernel.arg_names}


def _aligned(kernel: Any) -> dict[tuple[int, ...], list[list[Any]]]:
    """Pointers are multiples of 16 bytes, as torch's are: else loads are of single values, and registers spill."""
    return {(i,): [["tt.divisibility", 16]] for i, name in enumerate(kernel.arg_names) if name in POINTERS}


def _usage(cubin: bytes) -> dict[str, int]:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        usage = _run("cuobjdump", "--dump-resource-usage", file.name)
        assembly = _run("nvdisasm", file.name)
    return {
        "registers": int(re.findall(r"REG:(\d+)", usage)[0]),
        "stack_bytes": int(re.findall(r"STACK:(\d+)", usage)[0]),
        "tensor_core_instructions": len(re.findall(r"\b(?:HMMA|HGMMA|UTCHMMA|UTCQMMA|OMMA)\b", assembly)),
    }


def _run(tool: str, *arguments: str) -> str:
    return subprocess.run([str(TOOLS / tool), *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
