"""Throws damaged files and strange texts at everything in voxclone that reads what strangers send.

Each target has valid files; one is damaged (benchmarks/mutations.py), read as the public API does, and must end in a
result or in an error of voxclone's own, within seconds and in little memory. Anything else is a finding, and its
input is kept: other exceptions, a process that dies, more processor time or memory than allowed. A target's inputs are
read in a process of its own, which is started again after it died. Minutes are of the processor, so that they mean the
same on a busy machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import time
import traceback
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from environment import write_result
from fuzz_seeds import prepare
from fuzz_targets import TARGETS
from voxclone.errors import VoxcloneError

SECONDS = 20.0  # of the processor, for one input
MEMORY = 256 << 20  # bytes above what was held before, and twice the input
MOST_FINDINGS = 20  # after which a target is given up


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


def run(name: str, seeds: Path, work: Path, minutes: float, seed: int) -> dict[str, Any]:
    """Fuzz a target, and start again where the process dies or hangs."""
    context = multiprocessing.get_context("fork")  # what is imported is imported once
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    count, started = context.Value("q", 0), context.Value("d", -1.0)
    spent, restarts = 0.0, 0
    while (left := 60 * minutes - spent) > 1:
        process = context.Process(target=fuzz, args=(name, seeds, work, left, seed + restarts, count, started))
        process.start()
        used = 0.0
        while process.is_alive():
            process.join(1)
            used = _processor_seconds(process.pid) or used
            if process.is_alive() and started.value >= 0 and used - started.value > 3 * SECONDS:
                keep(work, f"hangs: more than {3 * SECONDS:.0f} s of the processor")
                process.kill()
        spent += max(1.0, used)
        if process.exitcode:
            restarts += 1
            if process.exitcode != -9 or not list((work / "findings").glob("*")):
                keep(work, f"the process ended with {process.exitcode}")
            if restarts >= MOST_FINDINGS:
                break
        started.value = -1.0
    faults = sorted((work / "findings").glob("*.txt")) if (work / "findings").exists() else []
    return {
        "inputs": count.value,
        "processor_minutes": round(spent / 60, 2),
        "restarts": restarts,
        "findings": [path.read_text().strip().splitlines()[-1][:300] for path in faults],
    }


def _processor_seconds(pid: int | None) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs="+", choices=sorted(TARGETS), default=list(TARGETS))
    parser.add_argument("--minutes", type=float, default=10.0, help="of the processor, for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True, help="where valid inputs and findings are kept")
    parser.add_argument(
        "--report", action="store_true", help="write benchmarks/results/fuzz.json from what was run there"
    )
    args = parser.parse_args()

    done = args.work / "done.json"
    if not args.report:
        seeds = prepare(args.work / "seeds", TARGETS)
        for name in args.targets:
            numbers = run(name, seeds, args.work / name, args.minutes, args.seed)
            print(name, json.dumps(numbers), flush=True)
            known = json.loads(done.read_text()) if done.exists() else {}
            done.write_text(json.dumps(known | {name: numbers}))
        return
    limits = {"processor_seconds": SECONDS, "memory_mb_beside_twice_the_input": MEMORY >> 20}
    about = {name: TARGETS[name].what for name in TARGETS}
    results = {name: {"what": about[name], **numbers} for name, numbers in json.loads(done.read_text()).items()}
    print(write_result("fuzz", {"limits_for_one_input": limits, "targets": results}))


if __name__ == "__main__":
    main()
