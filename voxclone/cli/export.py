"""export: a model as ONNX files."""

from __future__ import annotations

import argparse
from pathlib import Path

from voxclone.cli import outputs


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], source: argparse.ArgumentParser
) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "export",
        parents=[source],
        help="write a model's acoustic model and vocoder as ONNX files",
        description="Write acoustic.onnx, vocoder.onnx and voxclone.json. They speak phonemes in a voice without "
        "voxclone; text, consent and provenance are then up to whoever runs them.",
    )
    command.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where the files go")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export and say what was written."""
    from voxclone.exporting import export_onnx

    outputs.folder(options.output)
    made = export_onnx(options.model, options.output, revision=options.revision)
    for path in sorted(Path(made.folder).iterdir()):
        print(f"{path}\t{path.stat().st_size / 1e6:.1f} MB")
    return 0
