"""Parts of a measurement on a GPU, each in a process of its own: what fails or hangs takes no other with it."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]
Emit = Callable[[Row], None]


class Task(NamedTuple):
    """What one process does: its rows are handed to `emit` as they are made.

    Attributes:
        name: Said in the row of a failure.
        work: What it does.
        limit: Seconds after which it is ended.
    """

    name: str
    work: Callable[[Emit], None]
    limit: float


class FileTurn:
    """The GPU's turns, which a file begins that someone else makes: a process's turn lasts until the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def wait(self) -> None:
        while not self._path.exists():
            time.sleep(0.05)
        self._held = self._path.open("rb")
        fcntl.flock(self._held, fcntl.LOCK_EX)


class Processes:
    """Forks of this process, which must not have touched the GPU or computed.

    Args:
        record: Is given every row of every task.
    """

    def __init__(self, record: Callable[[Row], None]) -> None:
        self._record = record
        self._running = list[tuple[Any, Task, float, Path]]()
        self._folder = tempfile.TemporaryDirectory()
        self._begun = 0

    def start(self, task: Task) -> None:
        path = Path(self._folder.name, f"{self._begun}.jsonl")
        self._begun += 1
        process = multiprocessing.get_context("fork").Process(target=_child, args=(task, path))
        process.start()
        self._running.append((process, task, time.monotonic() + task.limit, path))

    def run(self, tasks: list[Task], at_once: int, end: float) -> None:
        """All of these and nothing else, some at once, in their order, until `end` of `time.monotonic()`."""
        waiting, names = list(tasks), {task.name for task in tasks}
        while time.monotonic() < end and (waiting or names & self.alive()):
            while waiting and len(names & self.alive()) < at_once:
                self.start(waiting.pop(0))
            self.poll()
        self.end(names, "no time was left")
        for task in waiting:
            self._record({"task": task.name, "left_out": "no time was left"})

    def alive(self) -> set[str]:
        """The names of the tasks that run."""
        return {task.name for _, task, _, _ in self._running}

    def poll(self) -> None:
        """Wait a moment, and see to those that have ended or should have."""
        time.sleep(0.02)
        for process, task, latest, path in list(self._running):
            if not process.is_alive():
                self._close(
                    process, task, path, f"its process ended with {process.exitcode}" if process.exitcode else ""
                )
            elif time.monotonic() > latest:
                os.kill(process.pid, signal.SIGKILL)
                self._close(process, task, path, "it took longer than its limit")

    def end(self, names: set[str], why: str) -> None:
        """End those that run of some tasks."""
        for process, task, _, path in list(self._running):
            if task.name in names:
                os.kill(process.pid, signal.SIGKILL)
                self._close(process, task, path, why)

    def _close(self, process: Any, task: Task, path: Path, failed: str) -> None:
        process.join()
        self._running = [each for each in self._running if each[0] is not process]
        for row in _rows(task, path):
            self._record(row)
        if failed:
            self._record({"task": task.name, "failed": failed})


def _rows(task: Task, path: Path) -> Iterator[Row]:
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            yield {"task": task.name, **json.loads(line)}
        except ValueError:  # the line that it was ended in
            yield {"task": task.name, "failed": "its last row is cut off"}


def _child(task: Task, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:

        def emit(row: Row) -> None:
            file.write(json.dumps(row) + "\n")
            file.flush()

        try:
            task.work(emit)
        except BaseException:  # noqa: BLE001  # whatever it is belongs into the table
            emit({"failed": traceback.format_exc()[-1500:]})
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a GPU that has failed may not let the process end otherwise
