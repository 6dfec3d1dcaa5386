"""All that a GPU has to say about the kernels, in one run of less than ten minutes: parity, times, memory.

    python benchmarks/gpu.py

Parity first: each op's fused form on the GPU against its reference in float64, in float32, float16 and bfloat16, the
worst element within twice the reference's own error. Then V1, V2, V3 and the bundle's vocoder, by batch and seconds:
plain PyTorch in float32 and bfloat16, channels innermost, torch.compile (default, max-autotune), CUDA graphs, and the
fused kernels without and with graphs. Times are medians of CUDA events after warming up; memory is the peak beyond
weights and inputs. Then each stage of each vocoder by itself, with the ratio to its roofline. What is not reached
within --minutes is left out and named; --parts divides it into two runs. On a CPU, with --device cpu, it runs what
there is: a rehearsal, no result.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from environment import write_result
from gpu_parity import LENGTHS, parity
from kernels import VERSIONS, prepare, timed
from voxclone import hub
from voxclone.config import VocoderConfig
from voxclone.errors import KernelError
from voxclone.models.vocoder.cost import multiply_adds
from voxclone.synthesis.graphs import capture_graph

Call = Callable[[], Tensor]
Ways = Callable[[nn.Module, tuple[Tensor, Tensor]], Iterator[tuple[str, Call]]]
PEAK_FLOPS, PEAK_BYTES = 790e12, 4.3e12  # of an H200 in bfloat16, as measured on such a chip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--vocoders", nargs="+", default=["bundle", "V1", "V2", "V3"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 64, 16])
    parser.add_argument(
        "--seconds", nargs="+", type=float, default=[1, 3, 10], help="the last of both for torch.compile"
    )
    parser.add_argument("--lengths", nargs="+", type=int, default=list(LENGTHS), help="of parity")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--parts", nargs="+", default=["parity", "times"], choices=["parity", "times"])
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--no-result", action="store_true", help="write no result file")
    parser.add_argument("--name", default="gpu", help="of the file in benchmarks/results")
    args = parser.parse_args()
    device, end = torch.device(args.device), time.monotonic() + 60 * args.minutes
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device; --device cpu rehearses")
    numbers: dict[str, Any] = {"device": args.device, "minutes": args.minutes, "rounds": args.rounds, "left_out": []}
    numbers["parity"] = list(parity(device, args.lengths)) if "parity" in args.parts else []
    numbers["vocoders"], numbers["stages"] = [], []
    for name in args.vocoders if "times" in args.parts else []:
        numbers["stages"] += stages(name, device, args.rounds)
    sizes = sorted(itertools.product(args.batches, args.seconds), key=lambda size: size not in [(1, 3), (16, 10)])
    for (batch, seconds), name in itertools.product(sizes, args.vocoders):
        if "times" not in args.parts or time.monotonic() > end:
            numbers["left_out"].append([name, batch, seconds])
            continue
        numbers["vocoders"].append(whole(name, batch, seconds, device, args.rounds, forms))
    for name in ("V1", "V2", "bundle", "V3"):  # last, since compiling may take minutes
        if name not in args.vocoders or "times" not in args.parts or args.no_compile or time.monotonic() > end - 60:
            numbers["left_out"].append([name, "torch.compile"])
            continue
        numbers["vocoders"].append(whole(name, args.batches[-1], args.seconds[-1], device, args.rounds, compiled_forms))
    if not args.no_result:
        print(write_result(args.name, numbers))
    worst = [row for row in numbers["parity"] if row.get("error", 0) > row.get("bound", 0) or "refused" in row]
    print(f"{len(numbers['parity'])} parities, {len(worst)} broken", *worst, sep="\n")


def runner(vocoder: nn.Module, inputs: tuple[Tensor, Tensor]) -> Callable[..., Call]:
    """Makes calls of the vocoder, or of a module that stands for it, in a mode of the kernels' doors and a dtype."""

    def run(mode: str, dtype: torch.dtype, module: Callable[..., Any] = vocoder) -> Call:
        def call() -> Tensor:
            os.environ["VOXCLONE_KERNELS"] = mode
            vocoder.precision = dtype  # type: ignore[assignment]  # a plain attribute
            made: Tensor = module(*inputs)
            return made

        return call

    return run


def forms(vocoder: nn.Module, inputs: tuple[Tensor, Tensor]) -> Iterator[tuple[str, Call]]:
    """Each way to run the vocoder, made when it is asked for; the first is what the others are compared with."""
    run = runner(vocoder, inputs)
    yield "eager float32", run("reference", torch.float32)
    yield "eager bfloat16", run("reference", torch.bfloat16)
    yield "channels-last bfloat16", channels_last(run("fused", torch.bfloat16))
    yield "fused float32", run("fused", torch.float32)
    yield "fused bfloat16", run("fused", torch.bfloat16)
    if inputs[0].is_cuda:
        yield "eager bfloat16, graph", graph(run("reference", torch.bfloat16))
        yield "fused bfloat16, graph", graph(run("fused", torch.bfloat16))


def compiled_forms(vocoder: nn.Module, inputs: tuple[Tensor, Tensor]) -> Iterator[tuple[str, Call]]:
    """As `forms`, by torch.compile."""
    run = runner(vocoder, inputs)
    yield "eager float32", run("reference", torch.float32)
    yield "compiled bfloat16", run("reference", torch.bfloat16, torch.compile(vocoder))
    tuned = run("reference", torch.bfloat16, torch.compile(vocoder, mode="max-autotune-no-cudagraphs"))
    yield "compiled max-autotune bfloat16", tuned
    if inputs[0].is_cuda:
        yield "compiled max-autotune bfloat16, graph", graph(tuned)


def channels_last(call: Call) -> Call:
    """The same by the ops' forms for a CPU: plain PyTorch, channels innermost."""

    def patched() -> Tensor:
        with contextlib.ExitStack() as stack:
            for op in ("conv1d", "conv_transpose1d", "multi_receptive_field", "istft_head", "pulse_source"):
                stack.enter_context(mock.patch(f"voxclone.kernels.{op}.runs_directly", return_value=True))
            return call()

    return patched


def graph(call: Call) -> Call:
    """It, captured when it is first called."""
    found: list[Call] = []

    def replay() -> Tensor:
        if not found:
            found.append(capture_graph(call, ()))
        return found[0]()

    return replay


@torch.inference_mode()
def whole(name: str, batch: int, seconds: float, device: torch.device, rounds: int, ways: Ways) -> dict[str, Any]:
    """Milliseconds, memory and error of each form of a vocoder, and what its arithmetic alone would take."""
    vocoder, inputs = prepare(name, None, seconds, batch, device)
    row: dict[str, Any] = {"vocoder": name, "batch": batch, "seconds": seconds, "forms": {}}
    row["arithmetic_floor_ms"] = round(2e3 * multiply_adds(config_of(name)) * seconds * batch / PEAK_FLOPS, 4)
    expected: Tensor | None = None
    for form, call in ways(vocoder, inputs):
        try:
            made = call().float()
            expected = made.clone() if expected is None else expected
            error = float((made - expected).norm() / expected.norm())
            measured: dict[str, Any] = {**clock(call, device, rounds), "error": float(f"{error:.1e}")}
        except (KernelError, RuntimeError) as refused:  # a form that this machine lacks is a row of the table too
            measured = {"refused": f"{type(refused).__name__}: {str(refused)[:300]}"}
        row["forms"][form] = measured
        print(name, batch, seconds, form, measured, flush=True)
    os.environ.pop("VOXCLONE_KERNELS", None)
    return row


def clock(call: Call, device: torch.device, rounds: int) -> dict[str, float]:
    """Median milliseconds after warming up, and the peak of memory beyond what was there before."""
    for _ in range(3):
        call()
    numbers = {}
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        numbers["peak_mib"] = round((torch.cuda.max_memory_allocated() - before) / 2**20, 1)
    times = [timed(call, device.type)[0] for _ in range(rounds)]
    return {"ms": round(1e3 * statistics.median(times), 4), **numbers}


def config_of(name: str) -> VocoderConfig:
    return VERSIONS[name] if name in VERSIONS else hub.read_config(hub.resolve(None)).vocoder


@torch.inference_mode()
def stages(
    name: str, device: torch.device, rounds: int, batch: int = 16, seconds: float = 3.0
) -> Iterator[dict[str, Any]]:
    """Each stage's residual blocks in bfloat16, eager and fused, beside the roofline of a stage that is one kernel."""
    config = config_of(name)
    (vocoder, _), channels = prepare(name, None, 1.0, 1, device), config.upsample_initial_channel
    length = round(seconds * config.sample_rate / config.hop_length)
    per_residual = 2 if config.resblock == "1" else 1
    shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    taps = sum(kernel * len(dilations) * per_residual for kernel, dilations in shapes)
    for rate, fusion in zip(config.upsample_rates, vocoder.fusions, strict=True):  # type: ignore[arg-type]
        length, channels = length * rate, channels // 2
        x = torch.randn(batch, channels, length, device=device, dtype=torch.bfloat16)
        arithmetic = 2e3 * batch * length * channels**2 * taps / PEAK_FLOPS
        traffic = 2e3 * x.numel() * x.element_size() / PEAK_BYTES
        row: dict[str, Any] = {"vocoder": name, "channels": channels, "length": length, "batch": batch}
        row |= {"arithmetic_ms": round(arithmetic, 5), "traffic_ms": round(traffic, 5)}
        for mode in ("reference", "fused"):
            os.environ["VOXCLONE_KERNELS"] = mode
            try:
                row[f"{mode}_ms"] = clock(lambda: fusion(x), device, rounds)["ms"]  # noqa: B023  # called at once
            except (KernelError, RuntimeError) as refused:
                row[f"{mode}_refused"] = f"{type(refused).__name__}: {str(refused)[:300]}"
            else:
                row[f"{mode}_of_roofline"] = round(max(arithmetic, traffic) / row[f"{mode}_ms"], 4)
        os.environ.pop("VOXCLONE_KERNELS")
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        yield row


if __name__ == "__main__":
    main()
