"""narrate: a book, read aloud into a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from voxclone.cli import outputs, signing
from voxclone.cli.control import add_controls, controls
from voxclone.cli.loading import choose_voice, load
from voxclone.errors import TextError
from voxclone.files import read_text


def add_parser(subparsers: Any, model: argparse.ArgumentParser) -> None:
    """Teach the command line `narrate`."""
    parser = subparsers.add_parser(
        "narrate",
        parents=[model],
        help="read a book aloud into a folder, chapter by chapter; go on where an earlier call stopped",
    )
    parser.add_argument(
        "book", metavar="FILE", help="UTF-8 text; chapters begin at headings such as `Chapter 1`, `# One`"
    )
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="where the audio files go")
    parser.add_argument("--format", default="flac", help="wav, flac, mp3, ogg, opus or m4a (default: flac)")
    add_controls(parser)
    signing.add_sign(parser)
    parser.add_argument("--part-minutes", type=float, default=10.0, help="longest file, about (default: 10)")
    parser.set_defaults(run=narrate, resumes="; the parts that were finished stay, and the same command goes on")


def narrate(options: argparse.Namespace) -> int:
    """Read a book aloud."""
    suffix, book = f".{options.format}", Path(options.book)
    signer = signing.signer(options)
    outputs.audio_folder(options.output, suffix, signer is not None)
    read_text(book, TextError)  # what is no text is told before a model is loaded
    asked = controls(options)
    model = load(options)
    voice = choose_voice(model, options.voice)
    narration = model.narrate(
        book,
        voice,
        options.output,
        suffix=suffix,
        part_minutes=options.part_minutes,
        signer=signer,
        progress=True,
        **asked,
    )
    for number, title in enumerate(narration.chapters):
        minutes, seconds = divmod(round(narration.chapter_start_seconds(number)), 60)
        print(f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}\t{title or '(no heading)'}")
    files = "1 file" if len(narration.parts) == 1 else f"{len(narration.parts)} files"
    length = f"{narration.duration_seconds / 60:.1f} min in {files}"
    print(f"{options.output}: {length}, read by {voice.name}")
    return 0
