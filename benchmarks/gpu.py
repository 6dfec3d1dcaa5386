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
from kernels import VERSIONS, prepare, timed
from voxclone import hub
from voxclone.config import VocoderConfig
from voxclone.errors import KernelError
from voxclone.kernels.conv1d import conv1d, conv1d_reference
from voxclone.kernels.conv_transpose1d import conv_transpose1d, conv_transpose1d_reference
from voxclone.kernels.istft_head import istft_head, istft_head_reference
from voxclone.kernels.multi_receptive_field import ResidualBlock, multi_receptive_field, multi_receptive_field_reference
from voxclone.kernels.pulse_source import pulse_source, pulse_source_reference
from voxclone.kernels.snake import anti_aliased_snake, anti_aliased_snake_reference
from voxclone.layers.snake import half_band_filter
from voxclone.models.vocoder.cost import multiply_adds
from voxclone.synthesis.graphs import capture_graph

LENGTHS = (1, 2, 6, 511, 512, 513, 4097)
SLOPE = 0.1
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


def cases(length: int, dtype: torch.dtype) -> Iterator[tuple[str, Callable[..., Tensor], Callable[..., Tensor], Any]]:
    """Name, door, reference and arguments of each op; tensors are converted to a dtype and device by whoever calls."""

    def weight(*shape: int) -> Tensor:
        made: Tensor = torch.randn(*shape) / (shape[1] * shape[2]) ** 0.5
        return made

    for channels in (20, 80):
        given = [torch.randn(2, channels, length), weight(130, channels, 7), torch.randn(130)]
        yield f"conv1d {channels}", conv1d_door, conv1d_reference, [*given, 9, 3, SLOPE, True]
    for channels in (32, 256):
        given = [torch.randn(2, channels, length), weight(channels, channels // 2, 16), torch.randn(channels // 2)]
        yield f"conv_transpose1d {channels}", conv_transpose1d_door, conv_transpose1d_reference, [*given, 8, 4, SLOPE]
    for channels, paired in ((8, True), (32, True), (64, True), (64, False), (120, False), (256, False)):
        taps, dilations = ((3, 7, 11), (1, 1, 3, 1, 5, 1)) if paired else ((3, 5, 7), (2, 6))
        sizes = [len(dilations)] * 3
        weights = [weight(channels, channels, each) for each in taps for _ in dilations]
        biases = [torch.randn(channels) for _ in weights]
        arguments = [torch.randn(2, channels, length), weights, biases, list(dilations) * 3, sizes, 1 + paired, SLOPE]
        name = f"multi_receptive_field {channels}{' in pairs' if paired else ''}"
        yield name, multi_receptive_field_door, multi_receptive_field_reference, arguments
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


@torch.inference_mode()
def parity(device: torch.device, lengths: list[int]) -> Iterator[dict[str, Any]]:
    """A row for each op, dtype and length: the worst element's error and the bound; or why the op refused."""
    dtypes = (torch.float32, torch.bfloat16) if device.type == "cpu" else (torch.float32, torch.float16, torch.bfloat16)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # the reference's own rounding
    for dtype, length in itertools.product(dtypes, lengths):
        torch.manual_seed(length)
        for name, door, reference, given in cases(length, dtype):
            row: dict[str, Any] = {"op": name, "dtype": str(dtype), "length": length}
            given = converted(given, lambda each, dtype=dtype: each.to(dtype))
            exact = reference(*converted(given, lambda each: each.double()))
            there = converted(given, lambda each: each.to(device))
            if name.startswith("istft_head"):  # its carrier and window are float32 in whatever dtype
                there[3:5] = [each.float() for each in there[3:5]]
            plain = reference(*there)
            os.environ["VOXCLONE_KERNELS"] = "fused"
            try:
                made = door(*there)
            except (KernelError, RuntimeError) as error:
                row["refused"] = f"{type(error).__name__}: {error}"
            else:
                bound = 2 * (plain.cpu().double() - exact).abs().max() + torch.finfo(dtype).eps * exact.abs().max()
                row |= {"error": float((made.cpu().double() - exact).abs().max()), "bound": float(bound)}
            os.environ.pop("VOXCLONE_KERNELS")
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            yield row


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
