"""What a run leaves to look at: log.tsv, TensorBoard, plots/*.png and samples/*.wav."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from voxclone.audio.io import write_audio

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Report:
    """Writes scalars, figures and audio of one run; entries of steps that a resumed run does again are dropped.

    Args:
        folder: The run's folder.
        step: Updates done so far; set anew by the trainer before it reports.
        enabled: False in all but the main process: nothing is written.
    """

    def __init__(self, folder: Path, step: int, *, enabled: bool = True) -> None:
        self.folder = folder
        self.step = step
        self._writer = None
        self._log = folder / "log.tsv"
        if enabled:
            from torch.utils.tensorboard import SummaryWriter

            folder.mkdir(parents=True, exist_ok=True)
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
            if self._log.exists():
                os.truncate(self._log, self._log.read_bytes().rfind(b"\n") + 1)  # a kill may have cut the last line
            rows = self._rows()
            kept = [row for row in rows if int(row["step"]) <= step]
            if len(kept) < len(rows):
                self._rewrite(kept, list(rows[0]))

    def scalar(self, name: str, value: float) -> None:
        """A point of the curve `name` at the present step."""
        if self._writer is not None:
            self._writer.add_scalar(name, value, self.step)

    def figure(self, name: str, figure: Figure) -> None:
        """Into TensorBoard and plots/<name>-<step>.png."""
        if self._writer is not None:
            path = self._path("plots", name, "png")
            figure.savefig(path, dpi=100)
            self._writer.add_figure(name, figure, self.step)

    def audio(self, name: str, samples: np.ndarray, sample_rate: int) -> None:
        """Into TensorBoard and samples/<name>-<step>.wav; (S,) float in [-1, 1], clipped beyond."""
        if self._writer is not None:
            samples = np.clip(samples, -1.0, 1.0)
            write_audio(self._path("samples", name, "wav"), samples, sample_rate)
            self._writer.add_audio(name, samples[None], self.step, sample_rate)

    def row(self, values: dict[str, float]) -> None:
        """A line of log.tsv, begun by the step; a value of a new name adds a column, empty in the lines above."""
        if self._writer is None:
            return
        with self._log.open(newline="") if self._log.exists() else open(os.devnull) as file:
            columns = next(csv.reader(file, delimiter="\t"), [])
        entry = {"step": str(self.step), **{name: f"{value:.6g}" for name, value in values.items()}}
        if set(entry) <= set(columns):
            with self._log.open("a", newline="") as file:
                csv.DictWriter(file, columns, restval="", delimiter="\t", lineterminator="\n").writerow(entry)
        else:
            columns += [name for name in entry if name not in columns]
            self._rewrite([*self._rows(), entry], columns)

    def close(self) -> None:
        """Flush what TensorBoard still holds."""
        if self._writer is not None:
            self._writer.close()

    def _path(self, kind: str, name: str, suffix: str) -> Path:
        path = self.folder / kind / f"{name}-{self.step}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _rows(self) -> list[dict[str, str]]:
        """The lines of log.tsv."""
        if not self._log.exists():
            return []
        with self._log.open(newline="") as file:
            return [row for row in csv.DictReader(file, delimiter="\t", restval="") if (row["step"] or "").isdigit()]

    def _rewrite(self, rows: list[dict[str, str]], columns: list[str]) -> None:
        partial = self._log.with_suffix(".partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="", delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(partial, self._log)


class LogWindow:
    """Means over the steps since the last line of the log."""

    def __init__(self) -> None:
        self.started = monotonic()
        self.steps, self.skipped, self.data_seconds = 0, 0, 0.0
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, losses: dict[str, Tensor], prefix: str) -> None:
        """Take in one update's losses (0-dim), which stay on their device; the prefix goes before their names."""
        for name, value in losses.items():
            key = prefix + name
            self.sums[key] = self.sums.get(key, 0) + value.detach().float()
            self.counts[key] = self.counts.get(key, 0) + 1

    def means(self) -> dict[str, float]:
        """Each loss's mean, updates a second, the share of time spent waiting for data, and updates left out."""
        seconds = max(monotonic() - self.started, 1e-9)
        return {
            "steps_per_second": self.steps / seconds,
            "data_seconds_fraction": self.data_seconds / seconds,
            "skipped": float(self.skipped),
            **{name: float(total) / self.counts[name] for name, total in self.sums.items()},
        }
