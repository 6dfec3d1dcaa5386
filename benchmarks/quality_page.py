"""A page of plots of a quality result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

PROSODY = {
    "f0_median_hz": "median f0, Hz",
    "f0_spread_semitones": "f0 spread, semitones",
    "sounds_per_second": "sounds a second",
}


def draw_page(result: dict[str, Any], path: Path) -> None:
    """Bars with 95 % intervals for every system, and each speaker beside the clone."""
    figure = Figure(figsize=(15, 9), layout="constrained")
    axes = figure.subplots(2, 3)
    if "word_errors" in result:
        _bars(axes[0, 0], result["word_errors"], "word errors, PocketSphinx")
    if "ldnet_mos" in result:
        _bars(axes[0, 1], result["ldnet_mos"], "naturalness, LDNet MOS")
    if "likeness" in result:
        likeness = {system: own["cosine"] for system, own in result["likeness"].items()}
        _bars(axes[0, 2], likeness, "speaker cosine to the cloned clip, NNID")
    for place, (name, label) in zip(axes[1], PROSODY.items(), strict=True):
        if "prosody" in result:
            _scatter(place, result["prosody"], name, label)
    figure.savefig(path, dpi=70)


def _bars(axes: Axes, table: dict[str, dict[str, float]], title: str) -> None:
    means = [own["mean"] for own in table.values()]
    errors = [
        [own["mean"] - own["low"] for own in table.values()],
        [own["high"] - own["mean"] for own in table.values()],
    ]
    axes.bar(list(table), means, yerr=errors, capsize=4)
    axes.set_title(title)


def _scatter(axes: Axes, prosody: dict[str, Any], name: str, label: str) -> None:
    speakers = prosody["speakers"].values()
    real, made = ([each[side][name] for each in speakers] for side in ("real", "cloned"))
    axes.scatter(real, made)
    ends = [min(real + made), max(real + made)]
    axes.plot(ends, ends, linewidth=1, color="grey")
    axes.set(xlabel="speaker", ylabel="clone", title=f"{label}; r = {prosody['correlation'][name]:.2f}")
