"""Throws damaged files and strange texts at everything in voxclone that reads what strangers send.

Each target has valid files; one is damaged (benchmarks/mutations.py), read as the public API does, and must end in a
result or in an error of voxclone's own, within seconds and in little memory. Anything else is a finding, and its
input is kept: other exceptions, a process that dies, more processor time or memory than allowed. A target's inputs are
read in a process of its own, which is started again after it died. Minutes are of the processor, so that they mean the
same on a busy machine, and add up over runs with the same folder, or over results: --take-over starts a folder with the
minutes of a result file. What was found in these is not known there any more.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import random
import resource
import time
import traceback
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import threats
from environment import git_commit, write_result
from fuzz_seeds import prepare
from fuzz_targets import TARGETS
from voxclone.errors import VoxcloneError
from voxclone.files import replace_file

SECONDS = 20.0  # of the processor, for one input
MEMORY = 256 << 20  # bytes above what was held before, and twice the input
HELD = 4 << 30  # bytes of data that the process can have at all, so that the machine outlives what it finds
MOST_FINDINGS = 20  # in a slice, after which it is over
DONE = "done.json"
SLICE = 60.0  # seconds of the processor, after which what was done is written down


def fuzz(
    name: str,
    seeds: Path,
    work: Path,
    seconds: float,
    seed: int,
    count: Synchronized[int],
    started: Synchronized[float],
) -> None:
    """Read damaged inputs until the time is over, in this process."""
    resource.setrlimit(resource.RLIMIT_DATA, (HELD, HELD))
    target = TARGETS[name]
    read = target.reader(seeds, work)
    draw = random.Random(seed)
    inputs = [(path.suffix, path.read_bytes()) for path in sorted((seeds / name).iterdir())]
    read(*inputs[0])  # imports and caches are no part of an input's memory
    begin = time.process_time()
    while time.process_time() - begin < seconds:
        suffix, content = draw.choice(inputs)
        others = [other for kind, other in inputs if kind == suffix]
        changed = draw.choice(target.damage)(content, draw, others, target.tokens)
        (work / "input").write_bytes(changed)
        (work / "suffix").write_text(suffix)
        before = _peak(reset=True)
        started.value = time.process_time()
        fault = _fault(read, suffix, changed)
        used = time.process_time() - started.value
        started.value = -1.0
        grown = _peak() - before
        count.value += 1
        if fault is None and grown > MEMORY + 2 * len(changed):
            fault = f"took {grown >> 20} MB for an input of {len(changed)} bytes"
        if fault is None and used > SECONDS:
            fault = f"took {used:.0f} s"
        if fault is not None:
            keep(work, fault)


def _fault(read: Callable[[str, bytes], object], suffix: str, content: bytes) -> str | None:
    try:
        read(suffix, content)
    except VoxcloneError:
        return None
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  # whatever it is, it is the finding
        return traceback.format_exc(limit=-6)
    return None


def _peak(reset: bool = False) -> int:
    """Bytes: the most that was held since the last reset, which returns what is held now."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmRSS:" if reset else "VmHWM:")[1].split()[0])


def keep(work: Path, fault: str) -> None:
    """Keep the current input with what went wrong; one of each place."""
    content = (work / "input").read_bytes()
    lines = fault.strip().splitlines()
    place = lines[-1].split(":")[0] + "".join(line for line in lines if " line " in line)
    stem = hashlib.sha256(place.encode()).hexdigest()[:12]
    folder = work / "findings"
    folder.mkdir(exist_ok=True)
    if not (folder / f"{stem}.txt").exists():
        (folder / f"{stem}.txt").write_text(fault)
        (folder / f"{stem}{(work / 'suffix').read_text()}.input").write_bytes(content)


def run(name: str, seeds: Path, work: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Fuzz a target for about so many seconds of the processor, and start again where the process dies or hangs."""
    context = multiprocessing.get_context("fork")  # what is imported is imported once
    work.mkdir(parents=True, exist_ok=True)
    count, started = context.Value("q", 0), context.Value("d", -1.0)
    spent, restarts, begin = 0.0, 0, time.monotonic()
    while (left := seconds - spent) > 1 and restarts < MOST_FINDINGS:
        process = context.Process(target=fuzz, args=(name, seeds, work, left, seed + restarts, count, started))
        process.start()
        used = 0.0
        while process.is_alive():
            process.join(0.5)
            used = _processor_seconds(process.pid) or used
            since = started.value  # read once: the input may end meanwhile
            if process.is_alive() and since >= 0 and used - since > 3 * SECONDS:
                keep(work, f"hangs: more than {3 * SECONDS:.0f} s of the processor")
                process.kill()
        spent += max(1.0, used)
        if process.exitcode:
            restarts += 1
            if process.exitcode != -9 or not list((work / "findings").glob("*")):
                keep(work, f"the process ended with {process.exitcode}")
        started.value = -1.0
    wall = time.monotonic() - begin
    return {"inputs": count.value, "processor_seconds": spent, "wall_seconds": wall, "restarts": restarts, "slices": 1}


def fuzz_on(names: list[str], folder: Path, minutes: float) -> None:
    """Fuzz the target that had least, slice by slice, until each had its minutes; goes on where it was stopped.

    Several processes may share the folder, if no target is of two.
    """
    seeds = prepare(folder / "seeds", TARGETS)
    commit = git_commit()
    while True:
        done = _done(folder)
        spent = {name: done.get(name, {}).get("processor_seconds", 0.0) for name in names}
        name = min(names, key=lambda each: spent[each])
        if spent[name] >= 60 * minutes:
            return
        known = done.get(name, {})
        slices = known.get("slices", 0)
        seed = int.from_bytes(hashlib.sha256(f"{name} {slices}".encode()).digest()[:6])
        new = run(name, seeds, folder / name, min(SLICE, 60 * minutes - spent[name] + 1), seed)
        total = {key: known.get(key, 0) + value for key, value in new.items()}
        total["commits"] = list(dict.fromkeys([*known.get("commits", []), commit]))
        replace_file(folder / name / DONE, json.dumps(total, indent=1).encode())
        print(name, json.dumps(total), flush=True)


def take_over(folder: Path, result: Path) -> None:
    """Let a folder begin with what an earlier one came to, of targets that still read what they read then."""
    for name, known in json.loads(result.read_text(encoding="utf8"))["targets"].items():
        if name not in TARGETS or known["what"] != TARGETS[name].what or (folder / name / DONE).exists():
            continue
        total = {
            "inputs": known["inputs"],
            "processor_seconds": 60 * known["processor_minutes"],
            "wall_seconds": 60 * known["wall_minutes"],
            "restarts": known["restarts"],
            "slices": math.ceil(known["processor_minutes"]),  # what comes next draws other damage
            "commits": known["commits"],
        }
        (folder / name).mkdir(parents=True, exist_ok=True)
        replace_file(folder / name / DONE, json.dumps(total, indent=1).encode())


def _done(folder: Path) -> dict[str, Any]:
    return {name: json.loads(path.read_text()) for name in TARGETS if (path := folder / name / DONE).exists()}


def report(folder: Path) -> Path:
    """Write what was run, what was found, and what of that still goes wrong."""
    context = multiprocessing.get_context("fork")
    results = {}
    for name, numbers in _done(folder).items():
        faults = sorted((folder / name / "findings").glob("*.txt"))
        still = []
        for path in faults:
            process = context.Process(target=_again, args=(name, folder, path.stem))
            process.start()
            process.join(3 * SECONDS)
            if process.exitcode != 0:
                still.append(path.stem)
            process.kill()
        results[name] = {
            "what": TARGETS[name].what,
            "inputs": numbers["inputs"],
            "processor_minutes": round(numbers["processor_seconds"] / 60, 2),
            "wall_minutes": round(numbers["wall_seconds"] / 60, 2),
            "restarts": numbers["restarts"],
            "commits": numbers["commits"],
            "findings": {path.stem: path.read_text().strip().splitlines()[-1][:300] for path in faults},
            "findings_that_still_fail": still,
        }
    limits = {"processor_seconds": SECONDS, "memory_mb_beside_twice_the_input": MEMORY >> 20}
    written = write_result("fuzz", {"limits_for_one_input": limits, "targets": results})
    threats.main()
    return written


def _again(name: str, folder: Path, stem: str) -> None:
    """Read a finding's input once more; exit with 1 where it is still one."""
    path = next((folder / name / "findings").glob(f"{stem}*.input"))
    read = TARGETS[name].reader(folder / "seeds", folder / name)
    suffix = path.name.removeprefix(stem).removesuffix(".input")
    before = _peak(reset=True)
    fault = _fault(read, suffix, path.read_bytes())
    os._exit(int(fault is not None or _peak() - before > MEMORY + 2 * path.stat().st_size))


def _processor_seconds(pid: int | None) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs="+", choices=sorted(TARGETS), default=list(TARGETS))
    parser.add_argument("--minutes", type=float, default=10.0, help="of the processor, for each target in all")
    parser.add_argument("--work", type=Path, required=True, help="valid inputs, findings, and what was done already")
    parser.add_argument("--take-over", type=Path, metavar="RESULT", help="result file whose minutes count, too")
    parser.add_argument("--report", action="store_true", help="write results/fuzz.json of what was run there")
    args = parser.parse_args()
    if args.take_over:
        take_over(args.work, args.take_over)
    if args.report:
        print(report(args.work))
    else:
        fuzz_on(args.targets, args.work, args.minutes)


if __name__ == "__main__":
    main()
