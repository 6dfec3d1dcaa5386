"""What benchmarks/finetune.py found, as curves by minutes of a speaker's speech, and as a table in Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

ROWS = {
    "similarity": "similarity (NNID)",
    "word_errors": "word error rate (PocketSphinx)",
    "ldnet": "naturalness (LDNet)",
}
MINUTES = (0.3, 0.5, 1, 2, 5, 10, 20)
COLOURS = ("#b5473c", "#3b6ea5", "#5a9a68", "#c08a2d", "#7a5aa0")


def draw_curves(runs: list[dict[str, Any]], path: Path) -> None:
    """One column for each speaker, one row for each number, one line for each kind of voice; bars are intervals."""
    speakers = sorted({run["speaker"] for run in runs})
    kinds = sorted({run["kind"] for run in runs} - {"zero-shot"}, key=lambda kind: (kind != "clone", kind))
    figure = Figure(figsize=(1.5 + 3.4 * len(speakers), 8.5), layout="constrained")
    axes = figure.subplots(len(ROWS), len(speakers), squeeze=False, sharex=True, sharey="row")
    for column, speaker in enumerate(speakers):
        own = [run for run in runs if run["speaker"] == speaker]
        axes[0][column].set_title(f"{speaker}, trained on" if own[0]["trained_on"] else speaker)
        axes[0][column].axhline(
            own[0]["natural_similarity"], color="#999999", linewidth=0.8, label="natural speech, as long"
        )
        for row, (number, label) in enumerate(ROWS.items()):
            place = axes[row][column]
            for zero in (run for run in own if run["kind"] == "zero-shot"):
                value = zero[number]
                place.axhspan(value["low"], value["high"], color="#000000", alpha=0.07)
                place.axhline(value["mean"], color="#000000", linestyle=":", label="zero-shot, 8 s of one recording")
            for shift, (kind, colour) in enumerate(zip(kinds, COLOURS, strict=False)):
                found = sorted((run["seconds"] / 60, run[number]) for run in own if run["kind"] == kind)
                if found:
                    at = [minutes * 1.03**shift for minutes, _ in found]
                    means = [value["mean"] for _, value in found]
                    bars = [
                        [value["mean"] - value["low"] for _, value in found],
                        [value["high"] - value["mean"] for _, value in found],
                    ]
                    name = "clone of the same recordings" if kind == "clone" else f"fine-tuned, {kind}"
                    place.errorbar(at, means, bars, color=colour, marker="o", capsize=3, label=name)
            if column == 0:
                place.set_ylabel(label)
            place.set_xscale("log")
            place.set_xlim(MINUTES[0] * 0.9, MINUTES[-1] * 1.1)
            place.set_xticks(MINUTES, [f"{minutes:g}" for minutes in MINUTES], minor=False)
            place.minorticks_off()
        axes[1][column].set_ylim(-0.01, max(0.1, axes[1][column].get_ylim()[1]))
        axes[-1][column].set_xlabel("minutes of speech")
    labels: dict[str, Any] = {}
    for place in axes[0]:
        labels |= {label: line for line, label in zip(*place.get_legend_handles_labels(), strict=True)}
    columns = min(4, len(speakers))
    figure.legend(list(labels.values()), list(labels), loc="outside lower center", ncols=columns, fontsize=9)
    figure.savefig(path, dpi=100)


def table(runs: list[dict[str, Any]]) -> str:
    """One row for each voice; changes are from the speaker's zero-shot voices."""
    head = "speaker (natural) | minutes | voice | similarity | change | word errors | change | LDNet | change | CPU s"
    rows = [f"| {head} |", "|---" * (head.count("|") + 1) + "|"]
    for run in runs:
        cells = [f"{run['speaker']} ({run['natural_similarity']:.2f})", f"{run['seconds'] / 60:.1f}", run["kind"]]
        for name, digits in (("similarity", 2), ("word_errors", 3), ("ldnet", 1)):
            cells += [f"{run[name]['mean']:.{digits}f}", _interval(run.get(f"{name}_change"), digits)]
        whole = not run.get("prepared_before")  # else depths shared what was prepared, or it was gone on with
        rows.append("| " + " | ".join([*cells, str(run.get("cpu_seconds", "")) if whole else ""]) + " |")
    return "\n".join(rows)


def _interval(change: dict[str, float] | None, digits: int) -> str:
    if change is None:
        return ""
    return f"{change['mean']:+.{digits}f} [{change['low']:+.{digits}f}, {change['high']:+.{digits}f}]"
