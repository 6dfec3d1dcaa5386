"""All that a GPU has to say about the kernels, in parts of known length: parity, divisions, times, memory, counters.

    python benchmarks/gpu.py tests parity sweep times compiled counters --minutes 3.2 --out somewhere
    python benchmarks/gpu.py times stages profile --minutes 2 --sizes 16x10 4x3 64x3
    python benchmarks/gpu.py parity latency times --minutes 3 --ops '^$' --forms 3 4 7 12 --sizes 1x3 1x1 1x5
    python benchmarks/gpu.py autotuned --turn idle --minutes 9 --out somewhere &   # touch idle: then it times

Parts, in this order whatever is asked for:
parity      each op's fused form against its reference in float64, in float32, float16 and bfloat16: the worst element
            within twice the reference's own error. Compiles what follows needs, on all cores; with `tests`, tests/gpu
            runs beside.
sweep       the kernels by how they divide their work. What of blocks and of the last convolution is fastest is what the
            parts after it take.
latency     each stage of V1 and V2 for 1 x 3 s, in graphs, by plans: divisions and tiles, whole blocks or single
            additions, in turn or side by side. The parts after it take the fastest.
times       V1, V2, V3 and the bundle's vocoder by batch and seconds: plain PyTorch in float32 (with TF32, as it comes)
            and bfloat16, channels innermost, the fused kernels, each with and without a CUDA graph. Medians of CUDA
            events after warming up; memory is the peak beyond weights and inputs.
compiled    torch.compile of --compile at --sizes, which compiles while parity is found, with and without a CUDA graph.
stages      each stage's residual blocks alone, beside the roofline of a stage that is one kernel.
profile     which kernels a fused vocoder's time goes into.
counters    of the main kernels of V2 and V1, by ncu.
autotuned   as compiled, with max-autotune; compiles at its turn, since it tries kernels on the GPU, or, with --turn,
            beside what else the machine does, and is timed when that file is there.

Every part runs in processes of its own, so that what fails takes no other with it. What is not reached within --minutes
is named. On a CPU there is nothing to run.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import logging
import math
import multiprocessing
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import gpu_latency
import gpu_sweep
from environment import describe_environment, write_result
from gpu_forms import FORMS
from gpu_parity import LENGTHS, names
from gpu_processes import Emit, FileTurn, Processes, Row, Task
from gpu_work import (
    checking,
    checking_parity,
    checking_plans,
    compiling,
    counting,
    profiling,
    staging,
    sweeping,
    testing,
    timing,
    timing_plans,
    warming,
)
from voxclone.kernels.gpu import block, one_channel

PARTS = ("parity", "sweep", "latency", "times", "compiled", "stages", "profile", "counters", "autotuned")
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
    parser.add_argument("--seconds", type=float, default=0.25, help="of times: for each form, at least three calls")
    parser.add_argument("--picked", type=Path, help="gpu.jsonl of an earlier run, of whose latency the plans are taken")
    parser.add_argument("--turn", type=Path, help="of autotuned: the file that says that the GPU is idle")
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
    if args.picked:
        gpu_latency.take(gpu_latency.picked_in(args.picked))
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
        elif self.part not in ("parity", "sweep", "latency"):
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
        if "latency" in self.args.parts:
            plans = gpu_latency.plans(self.args.vocoders)
            tasks += [Task(f"check plans {i}", checking_plans(plans[i::12]), 60) for i in range(min(12, len(plans)))]
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
        limit, given = 10 + 8 * len(self.args.sizes), (self.args.sizes, self.args.forms, self.args.seconds)
        tasks = [Task(each, timing(each, *given), limit) for each in self.args.vocoders]
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
        turn = FileTurn(self.args.turn) if self.args.turn else None
        works = {each: compiling(each, AUTOTUNED, self.args.sizes, turn) for each in self.args.compile}
        tasks = [Task(f"autotuned {each}", work, 60 * self.args.minutes) for each, work in works.items()]
        self.run("autotuned", tasks, len(tasks) if turn else 1)

    def stages(self) -> None:
        self.run("stages", [Task(f"stages {each}", staging(each), 15) for each in self.args.vocoders])

    def profile(self) -> None:
        vocoders = self.args.vocoders
        self.run("profile", [Task(f"profile {each}", profiling(each, self.args.sizes[0]), 15) for each in vocoders])

    def counters(self) -> None:
        self.run("counters", [Task("counters", counting, 40)])

    def sweep(self) -> None:
        self.one_by_one("sweep", sweeping, gpu_sweep.candidates(self.args.kernels, self.args.quick_sweep))
        errors = {key(row): row["error"] for row in self.rows if "error" in row and "division" in row}
        timed_rows = [row for row in self.rows if "ms" in row and "division" in row]
        right = [row for row in timed_rows if errors.get(key(row), math.inf) < 0.02]
        block.PARTS, one_channel.VALUES = gpu_sweep.fastest(right)  # of the processes that are forked from here on
        self.record({"task": "picked", "blocks": block.PARTS, "to one channel": one_channel.VALUES})
        print("picked", block.PARTS, one_channel.VALUES)
        for kernel, size in dict.fromkeys((row["kernel"], row["size"]) for row in timed_rows):
            alike = sorted((row for row in timed_rows if (row["kernel"], row["size"]) == (kernel, size)), key=_ms)
            print(f"{kernel}, {size}:", *(f"{_short(row)}{_wrong(errors.get(key(row)))}" for row in alike[:7]))

    def latency(self) -> None:
        rows = self.one_by_one("latency", timing_plans, gpu_latency.plans(self.args.vocoders))
        found = gpu_latency.fastest(rows)
        gpu_latency.take(found)
        self.record({"task": "picked", **gpu_latency.picked()})
        print("picked", *(f"\n    {channels}: {small}" for channels, small in found.items()))
        timed_rows = sorted((row for row in rows if "ms" in row), key=_ms)
        for stage in dict.fromkeys((row["vocoder"], row["channels"]) for row in timed_rows):
            alike = [row for row in timed_rows if (row["vocoder"], row["channels"]) == stage]
            print(*stage, *(f"{_way(row)}{_short(row)}{'' if gpu_latency.right(row) else '(WRONG)'}" for row in alike))

    def one_by_one(self, part: str, work: Callable[[list[Any]], Callable[[Emit], None]], found: list[Any]) -> list[Row]:
        """Candidates or plans but for those whose check failed; again after the one that ended the process."""
        bad = {key(row) for row in self.rows if "failed" in row and "division" in row}
        left, before = [each for each in found if key(each.row()) not in bad], len(self.rows)
        while left and time.monotonic() < self.end:
            done = {key(row) for row in self.run(part, [Task(part, work(left), 90)]) if "division" in row}
            left = [each for each in left if key(each.row()) not in done][0 if done else 1 :]
        return self.rows[before:]


def _ms(row: Row) -> float:
    return float(row["ms"])


def _short(row: Row) -> str:
    return f"{','.join(map(str, row['division']))}={row['ms']:.3g}"


def _wrong(error: float | None) -> str:
    return "?" if error is None else "" if error < 0.02 else f"(WRONG {error})"


def _way(row: Row) -> str:
    return f"{'whole ' if row['whole'] else ''}{'at once ' if row['at_once'] else ''}"


def key(row: Row) -> str:
    """Of a row of a candidate or a plan."""
    names = "kernel", "size", "vocoder", "channels", "division", "whole", "at_once"
    return str([row.get(name) for name in names])


if __name__ == "__main__":
    main()
