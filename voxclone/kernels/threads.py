"""How many threads are worth having on a CPU."""

from __future__ import annotations

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
TOPOLOGY = Path("/sys/devices/system/cpu")


def usable_cores(quota: Path = QUOTA, topology: Path = TOPOLOGY) -> int:
    """Physical cores that this process may use: of its CPU affinity, and no more than its container's quota.

    PyTorch's own default knows the physical cores but not the quota; more threads than cores make every one wait for
    the slowest. Two hardware threads of a core share its multipliers, so that they count as one.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = len({_siblings(topology, cpu) for cpu in allowed})
    return max(1, min(cores, _quota(quota)))


def _siblings(topology: Path, cpu: int) -> str:
    """What names the core of a hardware thread; the thread itself where the system does not say."""
    listed = topology / f"cpu{cpu}" / "topology" / "thread_siblings_list"
    return listed.read_text(encoding="ascii").strip() if listed.is_file() else str(cpu)


def _quota(file: Path) -> int:
    """Whole cores that the control group allows, rounded up."""
    words = file.read_text(encoding="ascii").split() if file.is_file() else ["max"]
    return 1 << 30 if words[0] == "max" else math.ceil(int(words[0]) / int(words[1]))
