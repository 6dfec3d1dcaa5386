"""The curves of a vocoder comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

MEASURES = {
    "multi_resolution_stft": "multi-resolution STFT loss",
    "mel_l1": "mel distance, nats",
    "pesq_wb": "PESQ-WB",
}


def draw_page(result: dict[str, Any], path: Path) -> None:
    """Each measure against processor seconds of training; generators above, discriminators below."""
    stages = [stage for stage in ("generators", "discriminators") if stage in result]
    figure = Figure(figsize=(15, 4.5 * len(stages)), layout="constrained")
    axes = figure.subplots(len(stages), len(MEASURES), squeeze=False)
    for row, stage in zip(axes, stages, strict=True):
        for place, (measure, label) in zip(row, MEASURES.items(), strict=True):
            for name, about in result[stage].items():
                seconds = [point["seconds"] for point in about["curve"]]
                (line,) = place.plot(seconds, [point[measure] for point in about["curve"]], label=name, marker=".")
                if all("f0_given" in point for point in about["curve"]):
                    given = [point["f0_given"][measure] for point in about["curve"]]
                    place.plot(seconds, given, color=line.get_color(), linestyle="--")
            place.set(xlabel="processor seconds", ylabel=label)
            place.grid(alpha=0.3)
        row[0].set_title(f"{stage} (dashed: f0 given)")
        row[-1].legend(fontsize=8)
    figure.savefig(path, dpi=70)
