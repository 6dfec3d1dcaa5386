"""What the processes of benchmarks/gpu.py do: each function gives the work of one task, which emits its rows."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import gpu_latency
import gpu_sweep
from gpu_forms import FORMS, USUAL, Call, capture_graph, clock, form, patched, prepared, run, sized, stages, whole
from gpu_parity import parity
from gpu_processes import Emit, FileTurn, Row


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


def checking_plans(found: list[gpu_latency.Plan]) -> Callable[[Emit], None]:
    return lambda emit: until_broken(gpu_latency.check, found, emit)


def timing_plans(found: list[gpu_latency.Plan]) -> Callable[[Emit], None]:
    def work(emit: Emit) -> None:
        gc.freeze()  # each capture collects garbage: not among all that was imported
        until_broken(gpu_latency.clock, found, emit)

    return work


def until_broken(what: Callable[[Any], Row], found: Sequence[Any], emit: Emit) -> None:
    """Rows of candidates or plans; after one that breaks the GPU's context nothing else can be asked of the process."""
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


def timing(name: str, sizes: list[str], wanted: list[int], clocked: float) -> Callable[[Emit], None]:
    """`clocked` seconds for each form."""

    def work(emit: Emit) -> None:
        vocoder, _ = prepared(name, 1.0, 1)
        for size in sizes:
            batch, seconds = sized(size)
            for row in whole(name, vocoder, batch, seconds, [list(FORMS)[number] for number in wanted], clocked):
                emit({"vocoder": name, "size": size, **row})

    return work


def staging(vocoder: str) -> Callable[[Emit], None]:
    return each_of(lambda: stages(vocoder))


def compiling(name: str, mode: str | None, sizes: list[str], turn: Any) -> Callable[[Emit], None]:
    """Compiles and measures each size; where there is a turn to wait for, compiles all before it.

    Where that is a file's, others are at work meanwhile, and compiling gives way to them.
    """
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
        if isinstance(turn, FileTurn):
            os.nice(10)
        made = [compiled(size) for size in sizes] if turn is not None else map(compiled, sizes)
        if turn is not None:
            turn.wait()
        for call, row in made:
            emit({**row, "form": f"{kind} bfloat16", **clock(call)})
            emit({**row, "form": f"{kind} bfloat16, graph", **clock(capture_graph(call, ()))})

    return work


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
    "import torch, sys; sys.path.insert(0, 'benchmarks'); from gpu_forms import form, prepared; "
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
