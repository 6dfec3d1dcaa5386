"""All that a GPU has to say about the kernels, in parts of known length: parity, divisions, times, memory, counters.

    python benchmarks/gpu.py tests parity sweep times compiled counters --minutes 3.2 --out somewhere
    python benchmarks/gpu.py times stages profile --minutes 2 --sizes 16x10 4x3 64x3

Parts, in this order whatever is asked for:
parity      each op's fused form against its reference in float64, in float32, float16 and bfloat16: the worst element
            within twice the reference's own error. Compiles what follows needs, on all cores; with `tests`, tests/gpu
            runs beside.
sweep       the kernels by how they divide their work. What of blocks and of the last convolution is fastest is what the
            parts after it take.
times       V1, V2, V3 and the bundle's vocoder by batch and seconds: plain PyTorch in float32 (with TF32, as it comes)
            and bfloat16, channels innermost, the fused kernels, each with and without a CUDA graph. Medians of CUDA
            events after warming up; memory is the peak beyond weights and inputs.
compiled    torch.compile of --compile at --sizes, which compiles while parity is found, with and without a CUDA graph.
stages      each stage's residual blocks alone, beside the roofline of a stage that is one kernel.
profile     which kernels a fused vocoder's time goes into.
counters    of the main kernels of V2 and V1, by ncu.
autotuned   as compiled, with max-autotune; compiles at its turn, since it tries kernels on the GPU.

Every part runs in processes of its own, so that what fails takes no other with it. What is not reached within --minutes
is named. On a CPU there is nothing to run.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib.util
import itertools
import json
import logging
import math
import multiprocessing
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

import gpu_sweep
import voxclone
from environment import describe_environment, write_result
from gpu_parity import LENGTHS, names, parity
from gpu_processes import Emit, Processes, Row, Task
from kernels import VERSIONS, prepare, timed
from voxclone import hub
from voxclone.config import VocoderConfig
from voxclone.kernels.gpu import block, one_channel
from voxclone.models.vocoder.cost import multiply_adds

_file = Path(voxclone.__file__).parent / "synthesis" / "graphs.py"  # the package around it needs to read sound files
_spec = importlib.util.spec_from_file_location("graphs", _file)
assert _spec is not None and _spec.loader is not None
_spec.loader.exec_module(_graphs := importlib.util.module_from_spec(_spec))
capture_graph = _graphs.capture_graph
Call = Callable[[], Tensor]
PARTS = ("parity", "sweep", "times", "compiled", "stages", "profile", "counters", "autotuned")
PEAK_FLOPS, PEAK_BYTES = 790e12, 4.3e12  # of an H200 in bfloat16, as measured on such a chip
FORMS = {
    "eager float32": ("reference", torch.float32, False, False),  # mode, dtype, channels innermost, graph
    "eager bfloat16": ("reference", torch.bfloat16, False, False),
    "eager bfloat16, graph": ("reference", torch.bfloat16, False, True),
    "fused bfloat16": ("fused", torch.bfloat16, False, False),
    "fused bfloat16, graph": ("fused", torch.bfloat16, False, True),
    "auto bfloat16": ("auto", torch.bfloat16, False, False),
    "auto bfloat16, graph": ("auto", torch.bfloat16, False, True),
    "fused bfloat16, graph, usual divisions": ("fused", torch.bfloat16, False, True),  # for short inputs, too
    "fused without blocks": ("fused", torch.bfloat16, False, False),
    "channels-last bfloat16": ("fused", torch.bfloat16, True, False),
    "fused float32": ("fused", torch.float32, False, False),
    "fused float16": ("fused", torch.float16, False, False),
}
USUAL = {"block.FEW": 0, "convolution.FEW": 0}  # long inputs' divisions for all
AUTOTUNED = "max-autotune-no-cudagraphs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["parity", "times"], choices=("tests", *PARTS))
    parser.add_argument("--vocoders", nargs="+", default=["V1", "V2", "bundle", "V3"])
    parser.add_argument("--sizes", nargs="+", default=["16x10", "1x3"], help="batch x seconds, the first ones first")
    parser.add_argument("--compile", nargs="+", default=["V1", "V2"])
    parser.add_argument("--forms", nargs="+", type=int, default=list(range(len(FORMS))), help="by number, from 0")
    parser.add_argument("--kernels", nargs="+", default=[""], help="of the sweep: how their names begin")
    parser.add_argument("--lengths", nargs="+", type=int, default=list(LENGTHS), help="of parity")
    parser.add_argument("--ops", default="", help="of parity: a regular expression")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--processes", type=int, default=14, help="at once, where the GPU is not timed")
    parser.add_argument("--first", type=float, default=0.55, help="of the time: that parity may take")
    parser.add_argument("--quick-sweep", action="store_true", help="one division of each kernel and size")
    parser.add_argument("--out", type=Path, help="also write the rows there, as they come")
    parser.add_argument("--name", help="of a file in benchmarks/results to write")
    args = parser.parse_args()
    begun = time.monotonic()
    torch.set_num_threads(1)  # of each process
    logging.getLogger("voxclone").setLevel(logging.ERROR)  # that a kernel is compiled
    measurement = Measurement(args, begun + 60 * args.minutes)
    for part in [each for each in PARTS if each in args.parts]:
        getattr(measurement, part)()
        print(f"-- {part}: at {time.monotonic() - begun:.0f} s", flush=True)
    measurement.processes.end(measurement.processes.alive(), "no time was left")
    if args.name:
        print(write_result(args.name, {"minutes": args.minutes, "rows": measurement.rows}))


class Measurement:
    """The parts, one after another, and their rows."""

    def __init__(self, args: argparse.Namespace, end: float) -> None:
        self.args, self.end = args, end
        self.rows: list[Row] = []
        self.part = ""
        self.processes = Processes(self.record)
        self.turns: dict[str, Any] = {}
        self.faults: collections.Counter[str] = collections.Counter()
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
        if "compiled" in args.parts:
            fork = multiprocessing.get_context("fork")
            self.turns = {each: fork.Event() for each in args.compile}
            for vocoder, turn in self.turns.items():
                work = compiling(vocoder, None, args.sizes, turn)
                self.processes.start(Task(f"compiled {vocoder}", work, 60 * args.minutes))

    def record(self, row: Row) -> None:
        self.rows.append({"part": self.part, **row})
        if self.args.out:
            with (self.args.out / "gpu.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(self.rows[-1]) + "\n")
        if "failed" in row or "left_out" in row or "refused" in row or row.get("holds") is False:
            self.faults[row["task"]] += 1
            if self.faults[row["task"]] <= 2:  # the others are in the file
                print("!", " ".join(f"{key}={str(value)[-160:]}" for key, value in row.items()), flush=True)
        elif self.part not in ("parity", "sweep"):
            print(" ".join(f"{key}={value}" for key, value in row.items() if key != "task"), flush=True)

    def run(self, part: str, tasks: list[Task], at_once: int = 1, end: float | None = None) -> list[Row]:
        self.part, before = part, len(self.rows)
        self.processes.run(tasks, at_once, self.end if end is None else min(end, self.end))
        return self.rows[before:]

    def parity(self) -> None:
        tasks = [Task("environment", lambda emit: emit({"environment": describe_environment()}), 20)]
        if "tests" in self.args.parts:
            seconds = self.args.first * (self.end - time.monotonic()) - 4
            tasks += [Task("tests", testing(seconds), seconds + 2)]
        short = [torch.bfloat16, torch.float16]
        if {"times", "profile", "stages", "counters"} & set(self.args.parts):
            pairs = itertools.product(self.args.vocoders, (False, True))
            tasks += [Task(f"warm {each} {usual}", warming(each, self.args.forms, usual), 90) for each, usual in pairs]
        if "sweep" in self.args.parts:
            found = gpu_sweep.candidates(self.args.kernels, self.args.quick_sweep)
            tasks += [Task(f"check {i}", checking(found[i::12]), 50) for i in range(min(12, len(found)))]
        ops = [name for name in names() if re.search(self.args.ops, name)]
        tasks += [Task(name, checking_parity(name, self.args.lengths, short), 60) for name in ops]
        exact = [torch.float32]  # last, since it compiles longest; first what no run has reached
        ops.sort(key=lambda name: not name.startswith(("pulse_source", "conv_transpose1d")))
        tasks += [Task(f"{name} float32", checking_parity(name, self.args.lengths, exact), 60) for name in ops]
        latest = time.monotonic() + self.args.first * (self.end - time.monotonic())
        rows = self.run("parity", tasks, self.args.processes, latest)
        parities = [row for row in rows if "op" in row]
        by_op = {name: [row for row in parities if row["op"] == name] for name in ops}
        for name, found_rows in by_op.items():
            ratio = max((row["error"] / row["bound"] for row in found_rows if "error" in row), default=float("nan"))
            held = sum(row.get("holds", False) for row in found_rows)
            print(f"parity {name}: {held} of {len(found_rows)} hold, the worst error is {ratio:.2f} of its bound")

    def times(self) -> None:
        limit = 10 + 8 * len(self.args.sizes)
        tasks = [Task(each, timing(each, self.args.sizes, self.args.forms), limit) for each in self.args.vocoders]
        self.run("times", tasks)

    def compiled(self) -> None:
        self.part = "compiled"
        for vocoder, turn in self.turns.items():
            turn.set()
            latest = min(self.end, time.monotonic() + 30)
            while f"compiled {vocoder}" in self.processes.alive() and time.monotonic() < latest:
                self.processes.poll()
            self.processes.end({f"compiled {vocoder}"}, "no time was left")

    def autotuned(self) -> None:
        works = {each: compiling(each, AUTOTUNED, self.args.sizes, None) for each in self.args.compile}
        self.run("autotuned", [Task(f"autotuned {each}", work, 600) for each, work in works.items()])

    def stages(self) -> None:
        self.run("stages", [Task(f"stages {each}", staging(each), 15) for each in self.args.vocoders])

    def profile(self) -> None:
        vocoders = self.args.vocoders
        self.run("profile", [Task(f"profile {each}", profiling(each, self.args.sizes[0]), 15) for each in vocoders])

    def counters(self) -> None:
        self.run("counters", [Task("counters", counting, 40)])

    def sweep(self) -> None:
        bad = {key(row) for row in self.rows if "failed" in row and "division" in row}
        left = [
            each
            for each in gpu_sweep.candidates(self.args.kernels, self.args.quick_sweep)
            if key(each.row()) not in bad
        ]
        errors = {key(row): row["error"] for row in self.rows if "error" in row and "division" in row}
        while left and time.monotonic() < self.end:  # again after the one that ended the process
            done = {key(row) for row in self.run("sweep", [Task("sweep", sweeping(left), 90)]) if "division" in row}
            left = [each for each in left if key(each.row()) not in done][0 if done else 1 :]
        timed_rows = [row for row in self.rows if "ms" in row and "division" in row]
        right = [row for row in timed_rows if errors.get(key(row), math.inf) < 0.02]
        block.PARTS, one_channel.VALUES = gpu_sweep.fastest(right)  # of the processes that are forked from here on
        self.record({"task": "picked", "blocks": block.PARTS, "to one channel": one_channel.VALUES})
        print("picked", block.PARTS, one_channel.VALUES)
        for kernel, size in dict.fromkeys((row["kernel"], row["size"]) for row in timed_rows):
            alike = sorted((row for row in timed_rows if (row["kernel"], row["size"]) == (kernel, size)), key=_ms)
            print(f"{kernel}, {size}:", *(f"{_short(row)}{_wrong(errors.get(key(row)))}" for row in alike[:7]))


def _ms(row: Row) -> float:
    return float(row["ms"])


def _short(row: Row) -> str:
    return f"{','.join(map(str, row['division']))}={row['ms']:.3g}"


def _wrong(error: float | None) -> str:
    return "?" if error is None else "" if error < 0.02 else f"(WRONG {error})"


def key(row: Row) -> tuple[Any, ...]:
    return row["kernel"], row["size"], tuple(row["division"])


def each_of(rows: Callable[[], Iterator[Row]]) -> Callable[[Emit], None]:
    def work(emit: Emit) -> None:
        for row in rows():
            emit(row)

    return work


def checking_parity(name: str, lengths: list[int], dtypes: list[torch.dtype]) -> Callable[[Emit], None]:
    return each_of(lambda: parity(name, torch.device("cuda"), lengths, dtypes))


def checking(found: list[gpu_sweep.Candidate]) -> Callable[[Emit], None]:
    return lambda emit: until_broken(gpu_sweep.check, found, emit)


def sweeping(found: list[gpu_sweep.Candidate]) -> Callable[[Emit], None]:
    return lambda emit: until_broken(gpu_sweep.clock, found, emit)


def until_broken(what: Callable[[gpu_sweep.Candidate], Row], found: list[gpu_sweep.Candidate], emit: Emit) -> None:
    """Rows of candidates; after one that breaks the GPU's context nothing else can be asked of the process."""
    for each in found:
        row = what(each)
        emit(row)
        if re.search("CUDA error|AcceleratorError|gives error 7|Triton Error", row.get("failed", "")):
            return


def testing(seconds: float) -> Callable[[Emit], None]:
    """What tests/gpu says."""

    def work(emit: Emit) -> None:
        command = [sys.executable, "-m", "pytest", "tests/gpu", "-q", "-n", "6", "-p", "no:cacheprovider"]
        with subprocess.Popen(command, cwd=Path(__file__).parents[1], text=True, stdout=-1, stderr=-1) as running:
            try:
                said, errors = running.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                running.kill()
                said, errors = running.communicate()
        failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR", "E  "))]
        emit({"tests": said.strip().splitlines()[-2:], "failures": failed[:40], "errors": errors[-500:]})

    return work


def warming(vocoder: str, wanted: list[int], usual: bool) -> Callable[[Emit], None]:
    """Compile what a vocoder's fused forms need, so that it is in the folders of what was compiled.

    `usual` is how long inputs are divided, of which a short one would need nothing.
    """

    @torch.inference_mode()
    def work(emit: Emit) -> None:
        begun = time.monotonic()
        given = prepared(vocoder, 0.5, 1)
        for each in (list(FORMS)[number] for number in wanted):
            if not each.startswith("eager") and "graph" not in each:
                call = form(each, *given)
                (patched(call, USUAL) if usual else call)()
        torch.cuda.synchronize()
        emit({"warm": vocoder, "seconds": round(time.monotonic() - begun, 1)})

    return work


def timing(vocoder: str, sizes: list[str], wanted: list[int]) -> Callable[[Emit], None]:
    def work(emit: Emit) -> None:
        for size in sizes:
            batch, seconds = sized(size)
            for row in whole(vocoder, batch, seconds, [list(FORMS)[number] for number in wanted]):
                emit({"vocoder": vocoder, "size": size, **row})

    return work


def staging(vocoder: str) -> Callable[[Emit], None]:
    return each_of(lambda: stages(vocoder))


def sized(size: str) -> tuple[int, float]:
    batch, seconds = size.split("x")
    return int(batch), float(seconds)


@torch.inference_mode(False)
@torch.no_grad()
def prepared(name: str, seconds: float, batch: int) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A vocoder on the GPU and its inputs; its weights know whether they were written to, to be packed once."""
    return prepare(name, None, seconds, batch, torch.device("cuda"))


def form(name: str, vocoder: nn.Module, inputs: tuple[Tensor, Tensor]) -> Call:
    mode, dtype, innermost, captured = FORMS[name]
    made = run(vocoder, vocoder, inputs, mode, dtype)
    if innermost:
        made = channels_last(made)
    if "without" in name:
        made = patched(made, {"block.serves": lambda device: False})
    if "usual" in name:
        made = patched(made, USUAL)
    return capture_graph(made, ()) if captured else made


def patched(call: Call, changed: dict[str, Any]) -> Call:
    """The same with names in `voxclone.kernels.gpu` that stand for something else."""

    def work() -> Tensor:
        with contextlib.ExitStack() as stack:
            for name, value in changed.items():
                stack.enter_context(mock.patch(f"voxclone.kernels.gpu.{name}", value))
            return call()

    return work


def run(vocoder: nn.Module, module: nn.Module, inputs: tuple[Tensor, Tensor], mode: str, dtype: torch.dtype) -> Call:
    """A call of a module that is the vocoder or stands for it, in a mode of the kernels' doors and a dtype."""

    def call() -> Tensor:
        os.environ["VOXCLONE_KERNELS"] = mode
        vocoder.precision = dtype  # type: ignore[assignment]  # a plain attribute
        made: Tensor = module(*inputs)
        return made

    return call


def channels_last(call: Call) -> Call:
    """The same by the ops' forms for a CPU: plain PyTorch, channels innermost."""

    def patched() -> Tensor:
        with contextlib.ExitStack() as stack:
            for op in ("conv1d", "conv_transpose1d", "multi_receptive_field", "istft_head", "pulse_source"):
                stack.enter_context(mock.patch(f"voxclone.kernels.{op}.runs_directly", return_value=True))
            return call()

    return patched


@torch.inference_mode()
def whole(name: str, batch: int, seconds: float, wanted: list[str]) -> Iterator[Row]:
    """Milliseconds, memory and error of each form of a vocoder, after what its arithmetic alone would take."""
    vocoder, inputs = prepared(name, seconds, batch)
    floor = 2e3 * multiply_adds(config_of(name)) * seconds * batch / PEAK_FLOPS
    yield {"form": "arithmetic floor", "ms": round(floor, 4)}
    expected: Tensor | None = None
    for each in wanted:
        try:
            call = form(each, vocoder, inputs)
            made = call().float()
            expected = made.clone() if expected is None else expected
            error = float((made - expected).norm() / expected.norm())
            del made
            yield {"form": each, **clock(call), "error": float(f"{error:.1e}")}
        except Exception as refused:  # noqa: BLE001  # a form that this machine lacks is a row of the table too
            yield {"form": each, "refused": f"{type(refused).__name__}: {str(refused)[-400:]}"}
        call = None  # type: ignore[assignment]  # its graph's memory is not the next one's


def clock(call: Call, seconds: float = 0.25) -> dict[str, float]:
    """Median milliseconds after warming up, and the peak of memory beyond what was there before."""
    for _ in range(2):
        call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before, begun = torch.cuda.memory_allocated(), time.monotonic()
    call()
    torch.cuda.synchronize()
    once, peak = time.monotonic() - begun, (torch.cuda.max_memory_allocated() - before) / 2**20
    times = [timed(call, "cuda")[0] for _ in range(min(100, max(5, int(seconds / once))))]
    return {"ms": round(1e3 * statistics.median(times), 4), "peak_mib": round(peak, 1)}


def compiling(name: str, mode: str | None, sizes: list[str], turn: Any) -> Callable[[Emit], None]:
    """Compiles and measures each size; where there is a turn to wait for, compiles all before it."""
    kind = "compiled" if mode is None else "compiled max-autotune"

    def compiled(size: str) -> tuple[Call, Row]:
        batch, seconds = sized(size)
        vocoder, inputs = prepared(name, seconds, batch)
        begun = time.monotonic()
        module = torch.compile(vocoder, mode=mode, dynamic=False)
        call = run(vocoder, module, inputs, "reference", torch.bfloat16)  # type: ignore[arg-type]  # it is a module
        call()
        torch.cuda.synchronize()
        return call, {"vocoder": name, "size": size, "compile_seconds": round(time.monotonic() - begun, 1)}

    @torch.inference_mode()
    def work(emit: Emit) -> None:
        made = [compiled(size) for size in sizes] if turn is not None else map(compiled, sizes)
        if turn is not None:
            turn.wait()
        for call, row in made:
            emit({**row, "form": f"{kind} bfloat16", **clock(call)})
            emit({**row, "form": f"{kind} bfloat16, graph", **clock(capture_graph(call, ()))})

    return work


def config_of(name: str) -> VocoderConfig:
    return VERSIONS[name] if name in VERSIONS else hub.read_config(hub.resolve(None)).vocoder


@torch.inference_mode()
def stages(name: str, batch: int = 16, seconds: float = 10.0) -> Iterator[Row]:
    """Each stage's residual blocks in bfloat16, eager and fused, beside the roofline of a stage that is one kernel."""
    config = config_of(name)
    (vocoder, _), channels = prepared(name, 1.0, 1), config.upsample_initial_channel
    length = round(seconds * config.sample_rate / config.hop_length)
    per_residual = 2 if config.resblock == "1" else 1
    shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    taps = sum(kernel * len(dilations) * per_residual for kernel, dilations in shapes)
    for rate, fusion in zip(config.upsample_rates, vocoder.fusions, strict=True):  # type: ignore[arg-type]
        length, channels = length * rate, channels // 2
        x = torch.randn(batch, channels, length, device="cuda", dtype=torch.bfloat16)
        arithmetic = 2e3 * batch * length * channels**2 * taps / PEAK_FLOPS
        traffic = 2e3 * x.numel() * x.element_size() / PEAK_BYTES
        row: Row = {"vocoder": name, "channels": channels, "length": length, "batch": batch}
        row |= {"arithmetic_ms": round(arithmetic, 4), "traffic_ms": round(traffic, 4)}
        for mode in ("reference", "fused"):
            os.environ["VOXCLONE_KERNELS"] = mode
            try:
                row[f"{mode}_ms"] = clock(lambda: fusion(x))["ms"]  # noqa: B023  # called at once
            except Exception as refused:  # noqa: BLE001  # a stage that fails is a row of the table too
                row[f"{mode}_refused"] = f"{type(refused).__name__}: {str(refused)[-300:]}"
            else:
                row[f"{mode}_of_roofline"] = round(max(arithmetic, traffic) / row[f"{mode}_ms"], 3)
        yield row


def profiling(name: str, size: str) -> Callable[[Emit], None]:
    """Milliseconds of each kernel of a fused vocoder."""

    @torch.inference_mode()
    def work(emit: Emit) -> None:
        batch, seconds = sized(size)
        vocoder, inputs = prepared(name, seconds, batch)
        call = form("fused bfloat16", vocoder, inputs)
        for _ in range(3):
            call()
        torch.cuda.synchronize()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
            call()
            torch.cuda.synchronize()
        found = sorted(profiler.key_averages(), key=lambda event: -event.device_time_total)
        for event in found[:8]:
            row: Row = {"vocoder": name, "kernel": event.key[:60], "calls": event.count}
            emit({**row, "ms": event.device_time_total / 1e3})

    return work


COUNTERS = {
    "gpu__time_duration.sum": "nanoseconds",
    "sm__throughput.avg.pct_of_peak_sustained_elapsed": "multiprocessor_percent",
    "sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_active": "tensor_percent",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": "dram_percent",
    "lts__t_sectors.avg.pct_of_peak_sustained_elapsed": "l2_percent",
    "l1tex__data_bank_conflicts_pipe_lsu.sum": "bank_conflicts",
    "sm__warps_active.avg.pct_of_peak_sustained_active": "occupancy_percent",
}
COUNTED = (
    "import torch, sys; sys.path.insert(0, 'benchmarks'); from gpu import form, prepared; "
    "torch.set_grad_enabled(False);"
    "[form('fused bfloat16', *prepared(each, 10.0, 16))() for each in ('V2', 'V1')]; torch.cuda.synchronize()"
)


def counting(emit: Emit) -> None:
    """What ncu says of each kernel's launches in V2, and of the first ones in V1."""
    tool = shutil.which("ncu") or "/usr/local/cuda/bin/ncu"
    command = [tool, "--clock-control", "none", "--csv", "--metrics", ",".join(COUNTERS), "--print-units", "base"]
    command += ["-k", "regex:conv1d_kernel|one_channel|residual_block", "--launch-count", "60"]
    done = subprocess.run([*command, sys.executable, "-c", COUNTED], capture_output=True, text=True, timeout=38)
    found: dict[str, Row] = {}
    for line in done.stdout.splitlines():
        cells = re.findall(r'"([^"]*)"', line)
        metric = next((each for each in COUNTERS if each in cells), None)
        if metric is not None:
            launch = found.setdefault(cells[0], {"kernel": cells[4][:40], "grid": cells[8] if len(cells) > 8 else ""})
            launch[COUNTERS[metric]] = cells[-1]
    for launch in found.values():
        emit(launch)
    if not found:
        emit({"failed": (done.stdout + done.stderr)[-800:]})


if __name__ == "__main__":
    main()
