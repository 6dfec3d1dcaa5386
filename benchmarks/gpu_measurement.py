"""The parts of benchmarks/gpu.py: what each has its processes do, and what of their rows it prints and picks."""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import math
import multiprocessing
import re
import time
from collections.abc import Callable
from typing import Any

import torch

import gpu_latency
import gpu_sweep
from environment import describe_environment
from gpu_parity import names
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

AUTOTUNED = "max-autotune-no-cudagraphs"


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
