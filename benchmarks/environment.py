"""What a measurement ran on: hardware, versions, commit, command. Every result file carries it."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import voxclone

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def describe_environment() -> dict[str, Any]:
    """The hardware, versions, commit, command and time of this process, as JSON values."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "command": _command(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),  # of the last minute: other work on the machine shows here
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "voxclone": voxclone.__version__,
    }


def write_result(name: str, numbers: dict[str, Any]) -> Path:
    """Write benchmarks/results/<name>.json: the environment, then the numbers; return its path."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    result = {"environment": describe_environment(), **numbers}
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def git_commit() -> str:
    """The commit checked out, with "-dirty" where package or benchmarks differ from it; "unknown" without git."""
    try:
        commit = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain", "--", "voxclone", "pretrained", "benchmarks/*.py")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}-dirty" if changes else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _command() -> str:
    script = Path(sys.argv[0]).resolve()
    name = script.relative_to(ROOT).as_posix() if script.is_relative_to(ROOT) else script.name
    given = [os.path.relpath(each, ROOT) if os.path.isabs(each) else each for each in sys.argv[1:]]  # no machine's own
    return shlex.join(["python", name, *given])


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
