"""detect: whether audio files carry a model's mark, and where."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from voxclone.errors import AudioError

if TYPE_CHECKING:
    from voxclone.safety.detection import Detection

WATERMARKED_EXIT = 0
NOT_DETECTED_EXIT = 1
INCONCLUSIVE_EXIT = 2  # a file that cannot be read too, as all errors


def add_parser(subparsers: Any, shared: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "detect",
        parents=[shared],
        help="look for a model's mark in audio files",
        epilog="Exit status: 0 all are watermarked, 1 in one no mark was found, 2 one is inconclusive or unreadable.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="audio file, of any length")
    parser.add_argument("--model", metavar="SOURCE", help="model folder or Hub repository (default: the bundled model)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a verdict for each file; the exit status is the highest."""
    import torch

    from voxclone.synthesis.watermark import load_finder, read_blocks

    torch.set_num_threads(1)  # what the detector computes is too small to be shared: two threads wait more than they do
    finder = load_finder(options.model)
    exits = {"watermarked": WATERMARKED_EXIT, "not_detected": NOT_DETECTED_EXIT, "inconclusive": INCONCLUSIVE_EXIT}
    worst = WATERMARKED_EXIT
    for name in options.files:
        try:
            found = finder.find(read_blocks(name))
        except AudioError as error:  # one bad file does not keep the others from being judged
            if options.debug:
                raise
            print(f"{name}: error: {' '.join(str(error).split())}")
            worst = INCONCLUSIVE_EXIT
            continue
        print(json.dumps({"file": name} | dataclasses.asdict(found)) if options.json else _as_text(name, found))
        worst = max(worst, exits[found.verdict])
    return worst


def _as_text(name: str, found: Detection) -> str:
    text = f"{name}: {found.verdict.replace('_', ' ')}"
    if found.score is not None:
        text += f" (score {found.score:.1f})"
    if found.speed != 1:
        text += f" at {found.speed:.2f} times its speed or pitch"
    if found.reason:
        text += f": {found.reason}"
    if found.spans:
        text += ": " + ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in found.spans)
    return text
