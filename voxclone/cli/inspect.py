"""inspect: what a file says of its origin, and whether it holds together."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from voxclone.cli.judging import UNREADABLE_EXIT, Judged, add_arguments, judge_files

if TYPE_CHECKING:
    from voxclone.safety.hearing import Samples
    from voxclone.safety.inspection import Detector, Found, Inspection

CONSISTENT_EXIT = 0
CONTRADICTION_EXIT = 1
NOTHING_EXIT = 3
EXITS = {
    "consistent": CONSISTENT_EXIT,
    "nothing": NOTHING_EXIT,
    "foreign": NOTHING_EXIT,
    "unclear": NOTHING_EXIT,
}  # of the verdicts; any other is a contradiction


def add_parser(subparsers: Any, source: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "inspect",
        parents=[source],
        help="show what an audio file says of its origin, and whether label, manifest, mark and sound agree",
        epilog="Exit status: 0 consistent, 1 edited, stripped, transplanted or forged, 3 nothing of voxclone, 2 error.",
    )
    add_arguments(parser, "audio file, of any length")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a verdict for each file; the exit status is that of the worst."""
    from voxclone.safety.inspection import inspect_file

    detect = _detector(options.model, options.revision)

    def judge(name: str) -> Judged:
        found = inspect_file(name, detect)
        return Judged(_as_lines(found), _as_json(found), EXITS.get(found.verdict, CONTRADICTION_EXIT))

    return judge_files(options, judge, (CONSISTENT_EXIT, NOTHING_EXIT, CONTRADICTION_EXIT, UNREADABLE_EXIT))


def _detector(model: str | None, revision: str | None) -> Detector | None:
    """Looks for a model's mark; None where the bundled model has no detector."""
    from voxclone.errors import ModelError
    from voxclone.safety.finding import load_finder

    try:
        finder = load_finder(model, revision=revision)
    except ModelError:
        if model is not None or revision is not None:
            raise
        return None

    def detect(samples: Samples, sample_rate: int) -> Found:
        return finder.find([(samples, sample_rate)]).verdict

    return detect


def _as_lines(found: Inspection) -> tuple[str, ...]:
    from voxclone.safety.inspection import MEANINGS

    lines = [
        f"{found.verdict}: {MEANINGS[found.verdict]}",
        *(f"  because {reason}" for reason in found.reasons),
    ]
    if (provenance := found.provenance) is not None:
        lines += [f"  {key.replace('_', ' ')}: {value}" for key, value in provenance.to_dict().items()]
    if found.manifest is not None:
        lines.append(f"  manifest: {found.manifest.state}, signed by {found.manifest.signed_by}")
    lines.append(f"  mark: {(found.mark or 'not looked for').replace('_', ' ')}")
    return tuple(lines)


def _as_json(found: Inspection) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "reasons": found.reasons,
        "provenance": found.provenance.to_dict() if found.provenance else None,
        "manifest": dataclasses.asdict(found.manifest) if found.manifest else None,
        "mark": found.mark,
    }
