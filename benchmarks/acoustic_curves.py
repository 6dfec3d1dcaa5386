"""Quality of the acoustic model against training compute, from the run folders of recipes/acoustic.

Each run's losses on held-out speakers and on what it trained on, over the minutes of its core: where the held-out loss
stands still or rises while the other falls, more compute gives nothing, and more speech would.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from environment import RESULTS, write_result

MEASURES = {
    "mel": "distance of the mel, nats",
    "duration": "durations, |log frames|",
    "pitch": "pitch of sounds",
    "global_variance": "variance of made mels by natural ones",
}
MEL_SPREAD = 2.5  # nats, by which the mel's loss is divided


def curves(run: Path) -> dict[str, Any]:
    """Measures by minutes of training, held out and trained on."""
    with (run / "log.tsv").open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    steps, minutes = ([float(row[name]) for row in rows] for name in ("step", "minutes"))
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    found: dict[str, Any] = {"updates": int(steps[-1]), "minutes": round(minutes[-1], 2)}
    for name in MEASURES:
        unit = MEL_SPREAD if name == "mel" else 1.0
        trained = next((key for key in (name, f"generator/{name}") if key in rows[0]), None)
        if trained:
            values = [round(float(row[trained]) * unit, 4) for row in rows]
            found[f"{name}_trained"] = list(zip([round(each, 2) for each in minutes], values, strict=True))
        if f"valid_{name}" in events.Tags()["scalars"]:
            points = [(each.step, each.value * unit) for each in events.Scalars(f"valid_{name}")]
            found[name] = [
                (round(float(np.interp(step, steps, minutes)), 2), round(value, 4)) for step, value in points
            ]
    return found


def draw(runs: dict[str, dict[str, Any]], path: Path) -> None:
    figure = Figure(figsize=(13, 8), layout="constrained")
    for axes, (name, label) in zip(figure.subplots(2, 2).flat, MEASURES.items(), strict=True):
        for number, (run, found) in enumerate(runs.items()):
            colour = f"C{number}"
            if found.get(name):
                axes.plot(*zip(*found[name], strict=True), "o-", color=colour, label=f"{run}, held out")
            if found.get(f"{name}_trained"):
                axes.plot(*zip(*found[f"{name}_trained"], strict=True), ":", color=colour, label=f"{run}, trained on")
        axes.set(title=label, xlabel="minutes of one core")
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="LABEL=FOLDER")
    args = parser.parse_args()
    runs = {label: curves(Path(folder)) for label, folder in (each.split("=", 1) for each in args.runs)}
    draw(runs, RESULTS / "acoustic-curves.png")
    print(write_result("acoustic-curves", {"runs": runs}))


if __name__ == "__main__":
    main()
