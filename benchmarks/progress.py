"""Quality of each bundle against the training that it had: what more training brought, and what it did not.

Every bundle was measured by the same scripts on the same speakers and texts when it was made (the second one's LDNet
and likeness on 28 of the 214 texts); those results are read from the repository's history. Minutes are those of
docs/training-log.md.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from typing import Any

from matplotlib.figure import Figure

from environment import RESULTS, ROOT, write_result


@dataclass(frozen=True)
class Bundle:
    """A bundle, and the minutes of training that are new in it.

    Attributes:
        name: As docs/training-log.md counts them.
        measured: Commit that has its quality.json.
        acoustic: Minutes of one core that the acoustic model was trained for.
        vocoder: The same of the vocoder.
        gpu: Minutes of an H200 that the vocoder was trained for.
        new: What is new beside more minutes.
    """

    name: str
    measured: str
    acoustic: float
    vocoder: float
    gpu: float = 0.0
    new: str = ""


BUNDLES = [
    Bundle("second", "0aede44", 151, 151, new="discriminators, mark"),
    Bundle("third", "5c63829", 27, 50, new="encoder, pace"),
    Bundle("fourth", "7107fed", 0, 88, new="pilot in the mark"),
    Bundle("fifth", "56b3a8f", 0, 24, 7.0, "robust encoder"),
    Bundle("sixth", "2fe1c9f", 36, 89),
    Bundle("seventh", "c747dbe", 42, 62, 6.4, "predicted pauses"),
    Bundle("eighth", "d791d12", 16, 0, new="asked to sound like other voices"),
    Bundle("ninth", "c1b4d53", 53, 39.5, 9.7, "asked to be understood in them"),
]
MEASURES = {
    "ldnet": "LDNet of clones",
    "nnid": "cosine of clones to the cloned clip (NNID)",
    "word_errors": "word errors of 28 texts (PocketSphinx)",
}


def result(commit: str, name: str) -> dict[str, Any]:
    """A result file as it was at a commit; empty where it was not there."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "show", f"{commit}:benchmarks/results/{name}.json"], capture_output=True, text=True
    )
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def measured(bundle: Bundle) -> dict[str, dict[str, float]]:
    """Each measure's mean for clones, natural speech and what the vocoder makes of it."""
    quality = result(bundle.measured, "quality")
    if not quality:
        raise SystemExit(f"{bundle.measured} is not in this copy's history: fetch all of it")
    words = result(bundle.measured, "quality-words") or quality
    systems = ("cloned", "natural", "copy")
    return {
        "ldnet": {system: quality["ldnet_mos"][system]["mean"] for system in systems},
        "nnid": {system: quality["likeness"][system]["cosine"]["mean"] for system in systems},
        "word_errors": {system: words["word_errors"][system]["mean"] for system in systems},
    }


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Each measure over the minutes of a core that both networks had had by then."""
    figure = Figure(figsize=(15, 4.5), layout="constrained")
    for axes, (measure, label) in zip(figure.subplots(1, 3), MEASURES.items(), strict=True):
        minutes = [row["core_minutes"] for row in rows]
        for system, line in {"natural": "k--", "copy": "C7:", "cloned": "C0o-"}.items():
            axes.plot(minutes, [row[measure][system] for row in rows], line, label=system)
        for row in rows:
            label_of = row["name"] + (f"\n+{row['gpu']:g} min GPU" if row["gpu"] else "")
            axes.annotate(label_of, (row["core_minutes"], row[measure]["cloned"]), fontsize=7, rotation=30)
        axes.set(title=label, xlabel="minutes of one core, acoustic model and vocoder")
        axes.margins(0.12)
        axes.legend(fontsize=7)
    return figure


def main() -> None:
    rows: list[dict[str, Any]] = []
    total = 0.0
    for bundle in BUNDLES:
        total += bundle.acoustic + bundle.vocoder
        rows.append({**asdict(bundle), "core_minutes": total, **measured(bundle)})
    draw(rows).savefig(RESULTS / "progress.png", dpi=80)
    print(write_result("progress", {"bundles": rows}))


if __name__ == "__main__":
    main()
