"""detect: whether audio files carry a model's mark, and where."""

from __future__ import annotations

import argparse
import dataclasses
import os
from typing import TYPE_CHECKING, Any

from voxclone.cli.inputs import standard_input
from voxclone.cli.judging import UNREADABLE_EXIT, Judged, add_arguments, judge_files

if TYPE_CHECKING:
    from voxclone.safety.detection import Detection

WATERMARKED_EXIT = 0
NOT_DETECTED_EXIT = 1
INCONCLUSIVE_EXIT = UNREADABLE_EXIT


def add_parser(subparsers: Any, source: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "detect",
        parents=[source],
        help="look for a model's mark in audio files",
        description="Look for the mark that a model's vocoder leaves in all that it speaks: watermarked (with the "
        "score, and where), not detected (which does not show that it is a recording), or inconclusive (with the "
        "reason).",
        epilog="Exit status: 0 all files are watermarked; 1 in at least one no mark was found, and none is worse; "
        "2 at least one is inconclusive or cannot be read.",
    )
    add_arguments(parser, "audio file or film, of any length, or - for one from standard input")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a verdict for each file; the exit status is the highest."""
    # NumPy is not loaded yet. What the detector computes is too small to be shared: two threads wait more than they do.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from voxclone.safety.finding import load_finder, read_blocks

    finder = load_finder(options.model, revision=options.revision)
    exits = {"watermarked": WATERMARKED_EXIT, "not_detected": NOT_DETECTED_EXIT, "inconclusive": INCONCLUSIVE_EXIT}

    def judge(name: str) -> Judged:
        found = finder.find(read_blocks(standard_input().read() if name == "-" else name))
        return Judged((_as_text(found),), dataclasses.asdict(found), exits[found.verdict])

    return judge_files(options, judge, sorted(exits.values()))


def _as_text(found: Detection) -> str:
    text = found.verdict.replace("_", " ")
    if found.score is not None:
        text += f" (score {found.score:.1f})"
    if found.speed != 1:
        text += f" at {found.speed:.2f} times its speed or pitch"
    if found.reason:
        text += f": {found.reason}"
    if found.spans:
        text += ": " + ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in found.spans)
    return text
