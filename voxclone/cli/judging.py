"""Commands that judge audio files: a verdict for each, one exit status for all."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from voxclone.errors import AudioError

UNREADABLE_EXIT = 2  # as for all errors


class Judged(NamedTuple):
    """What is said of one file.

    Attributes:
        lines: For people; the first is printed after the file's name.
        content: For programs, as JSON.
        status: The exit status, were it the only file.
    """

    lines: tuple[str, ...]
    content: dict[str, Any]
    status: int


def add_arguments(parser: argparse.ArgumentParser, files: str) -> None:
    """Files, which are such as that text tells, and JSON."""
    parser.add_argument("files", metavar="FILE", nargs="+", help=files)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead")


def judge_files(options: argparse.Namespace, judge: Callable[[str], Judged], severity: Sequence[int]) -> int:
    """Print what is found in each file; a file that cannot be read does not keep the others from being judged.

    Args:
        options: With what `add_arguments` asks for.
        judge: Of a file's name.
        severity: Every exit status, the worst last.

    Returns:
        The worst of the files' exit statuses.
    """
    worst = severity[0]
    for name in options.files:
        try:
            found = judge(name)
        except AudioError as error:
            if options.debug:
                raise
            found = Judged((f"error: {' '.join(str(error).split())}",), {"error": str(error)}, UNREADABLE_EXIT)
        if options.json:
            print(json.dumps({"file": name} | found.content))
        else:
            first, *others = found.lines
            print("\n".join(map(_printable, (f"{name}: {first}", *others))))
        worst = max(worst, found.status, key=severity.index)
    return worst


def _printable(line: str) -> str:
    """The line without what a file could put there to steer a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
