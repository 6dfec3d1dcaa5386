"""What the GPU kernels need: compiled ahead of time for sm_80, sm_90 and sm_100, with no GPU at hand.

    python benchmarks/kernel_resources.py

For each kernel, shape and architecture: registers of a thread, bytes on the stack, which are spilled registers, bytes
of shared memory, tensor-core instructions in the code, and waits for them. Fails where a bound is broken: a spill, more
shared memory than a multiprocessor has, no tensor-core instruction, or in `block.cu` a wait for each. The bounds are of
Triton 3.6, which an H200 ran; with 3.7.1 five kernels for sm_100 spill more, and it fails (docs/kernels.md, Resources).
Also how many operations the bundled vocoder asks a GPU for in plain PyTorch.
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

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from environment import write_result
from launches import operations
from voxclone.kernels.gpu import block, nvrtc, residual
from voxclone.kernels.gpu.convolution import conv1d_kernel, tile_for
from voxclone.kernels.gpu.fourier import OVERLAP, SPECTRUM, overlap_kernel, spectrum_kernel
from voxclone.kernels.gpu.one_channel import VALUES, one_channel_kernel
from voxclone.kernels.gpu.pulses import FRAMES, SAMPLES, frames_kernel, samples_kernel
from voxclone.kernels.gpu.snake import EDGE, TIMES, snake_kernel

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
SHARED_BYTES = {80: 163 * 1024, 90: 227 * 1024, 100: 227 * 1024}  # that one program may have
REGISTERS = 65536  # of a multiprocessor
WAITS = 4  # in the code of `block.cu`: of two convolutions, before a piece of weights and at the end
STACK_BYTES = {"source: samples": 32, "snake": 40}  # where sine and cosine reduce huge angles
# Divided as an H200 measured them fastest; the second of the last convolution is Triton 3.7's on sm_100; then the head.
STACK_BYTES |= {"convolution 256 to 256": 48, "convolution 32 to 32": 8}
STACK_BYTES |= {"to one channel from 8": 24, "to one channel from 32": 72}
STACK_BYTES |= {"turned spectrum": 1056, "overlap-add": 32}
SLOPE = 0.1
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}

Row = dict[str, Any]
Shape = tuple[str, Any, dict[str, Any], int, int]  # name, kernel, constants, warps, stages


def convolution(channels_in: int, channels_out: int, taps: int, dtype: str, rows: int = 10**6) -> Shape:
    tile = tile_for(channels_in, channels_out, DTYPES[dtype], rows)
    if rows < 10**6 and channels_in in residual.SMALL and dtype != "fp32":
        tile = residual.SMALL[channels_in].tile or tile
    constants = {
        "TAPS": taps,
        "CHANNELS_IN": channels_in,
        "CHANNELS_OUT": channels_out,
        "SLOPE": SLOPE,
        "TANH": False,
        "HAS_BIAS": True,
        "HAS_RESIDUAL": channels_in == channels_out,
        "HAS_TOTAL": False,
        "ROWS": tile.rows,
        "COLUMNS": tile.columns,
        "DEPTH": tile.depth,
    }
    name = f"convolution {channels_in} to {channels_out}, {taps} taps{', few' if rows < 10**6 else ''}"
    return name, conv1d_kernel, constants, tile.warps, tile.stages


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


WITHOUT_PRODUCTS = ("to one channel", "source:", "overlap-add", "snake")  # of tensor cores: float32 throughout
V1_BLOCK = (1, 1, 3, 1, 5, 1)


def shapes(dtype: str) -> Iterator[Shape]:
    """The Triton kernels as the generators call them."""
    yield convolution(80, 240, 7, dtype)  # the bundled vocoder's first, in the mel's own dtype
    yield convolution(80, 512, 7, dtype)
    yield convolution(256, 256, 11, dtype, 2000)  # of one short utterance
    yield convolution(512, 2048, 3, dtype)  # the first upsampling of V1: 8 phases of 256 channels
    for channels, taps in ((256, 11), (128, 11), (64, 11), (32, 7), (8, 3)):
        yield convolution(channels, channels, taps, dtype)
    for channels in (32, 8):
        sums = {"TAPS": 7, "CHANNELS": channels, "SLOPE": SLOPE, "TANH": True, "HAS_BIAS": True}
        sums |= {"ROWS": VALUES // channels, "DEPTH": channels}
        yield f"to one channel from {channels}", one_channel_kernel, sums, 4, 3
    if dtype != "fp32":  # of which no vocoder asks for a fused head
        yield from head(120, 128, 32)
    yield "source: frames", frames_kernel, {"FRAMES": FRAMES}, 4, 1
    yield "source: samples", samples_kernel, {"FADE": 8, "SAMPLES": SAMPLES}, 4, 1
    yield "snake", snake_kernel, {"TIMES": TIMES, "EDGE": EDGE, "BLOCK": 512, "TINY": 1e-9}, 4, 1


def blocks(dtype: str) -> Iterator[tuple[str, block.Shape]]:
    """The CUDA C++ kernel for V1 and V2, whose residual blocks are alike, for V3 and for the bundled vocoder."""
    if dtype == "fp32":
        return
    for channels, taps, dilations, together in (
        (128, 11, (5, 1), 2),
        *[(channels, 11, V1_BLOCK, 2) for channels in (64, 32, 16, 8)],
        *[(channels, 7, (3, 12), 1) for channels in (128, 120, 64, 32)],
    ):
        shape = block.Shape(channels, taps, dilations, together, SLOPE, dtype == "bf16")
        yield f"block in CUDA C++, {channels} channels, {'pairs' if together == 2 else 'single'}", shape


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", type=int, default=list(SHARED_BYTES))
    parser.add_argument("--dtypes", nargs="+", default=list(DTYPES), choices=DTYPES)
    parser.add_argument("--shapes", nargs="+", default=[""], help="compile those only whose name holds one of these")
    parser.add_argument("--no-result", action="store_true", help="write no result file")
    args = parser.parse_args()
    rows: list[Row] = []
    for dtype in args.dtypes:
        rows += compiled(dtype, args.architectures, args.shapes)
        rows += compiled_blocks(dtype, args.architectures, args.shapes)
    broken = [f"{row['kernel']}, sm_{row['sm']}, {row['dtype']}: {why}" for row in rows for why in faults(row)]
    if not args.no_result:
        numbers = {"triton": triton.__version__, "operations": operations(), "kernels": rows, "broken": broken}
        print(write_result("kernel-resources", numbers))
    if broken:
        sys.exit("\n".join(broken))


def compiled(dtype: str, architectures: list[int], wanted: list[str]) -> Iterator[Row]:
    """One row of resources for each Triton kernel and architecture, printed as it is made."""
    found = [shape for shape in shapes(dtype) if any(part in shape[0] for part in wanted)]
    for (name, kernel, constants, warps, stages), sm in itertools.product(found, architectures):
        source = ASTSource(kernel, _signature(kernel, constants, dtype), constants, _aligned(kernel))
        options = {"num_warps": warps, "num_stages": stages}
        made = triton.compile(source, target=GPUTarget("cuda", sm, 32), options=options)
        row: Row = {"kernel": name, "sm": sm, "dtype": dtype, "warps": warps, "shared_bytes": made.metadata.shared}
        yield _printed(row | _usage(made.asm["cubin"]))


def compiled_blocks(dtype: str, architectures: list[int], wanted: list[str]) -> Iterator[Row]:
    """As `compiled`, of the CUDA C++ kernel, which is for Hopper alone and has no form in float32."""
    for name, shape in blocks(dtype):
        if 90 in architectures and any(part in name for part in wanted):
            for few in (False, True):
                made = _small(shape) if few else shape
                code = nvrtc.Compiler().compile(block.source(made.width), made.options(), "90a")
                row: Row = {"kernel": f"{name}{', few' if few else ''}", "sm": 90, "dtype": dtype}
                row |= {"warps": 4 * made.divided[0], "shared_bytes": made.shared_bytes}
                yield _printed(row | _usage(code))


def _small(shape: block.Shape) -> block.Shape:
    """What a launch of a short input is: a block, or what is added at once."""
    whole = shape.channels <= block.WHOLE_BLOCKS and block.SMALL[shape.width].whole
    return block.for_latency(shape if whole else replace(shape, dilations=shape.dilations[-shape.per_residual :]))


def _printed(row: Row) -> Row:
    print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return row


def faults(row: Row) -> Iterator[str]:
    """Which bounds are broken."""
    if row["shared_bytes"] > SHARED_BYTES[row["sm"]]:
        yield f"{row['shared_bytes']} bytes of shared memory; there are {SHARED_BYTES[row['sm']]}"
    allowed = next((size for name, size in STACK_BYTES.items() if row["kernel"].startswith(name)), 0)
    if row["registers"] * 32 * row["warps"] > REGISTERS:
        yield f"{row['registers']} registers in {row['warps']} warps; there are {REGISTERS} on a multiprocessor"
    if row["stack_bytes"] > allowed:
        yield f"{row['stack_bytes']} bytes on the stack: registers are spilled"
    products = row["dtype"] != "fp32" and not row["kernel"].startswith(WITHOUT_PRODUCTS)
    if products and not row["tensor_core_instructions"]:
        yield "no tensor-core instruction"
    if row["kernel"].startswith("block") and row["waits_for_products"] > WAITS:
        yield f"{row['waits_for_products']} waits for products: the compiler has one wait for another"


POINTERS: dict[str, str | None] = dict.fromkeys(("weight", "x", "bias", "residual", "out"))
POINTERS |= {"scratch": "fp32", "f0": "fp32", "filled": "fp32", "turns": "fp64", "phase": "fp64", "noise": "fp32"}
FLOAT32 = ("carrier", "basis", "spectrum", "window", "alpha", "beta", "low_pass")
POINTERS |= dict.fromkeys(FLOAT32, "fp32")  # None is the dtype that is compiled for


def _signature(kernel: Any, constants: dict[str, Any], dtype: str) -> dict[str, str]:
    kinds = {name: f"*{kind or dtype}" for name, kind in POINTERS.items()}
    kinds |= {"scale": "fp32", "hidden": "fp32"}
    if kernel not in (conv1d_kernel, snake_kernel):
        kinds |= {"out": "*fp32", "bias": "*fp32"}
    if kernel is one_channel_kernel:
        kinds["weight"] = "*fp32"
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
        "waits_for_products": len(re.findall(r"\bWARPGROUP\.DEPBAR\b", assembly)),
    }


def _run(tool: str, *arguments: str) -> str:
    return subprocess.run([str(TOOLS / tool), *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
