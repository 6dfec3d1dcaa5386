"""How to speak, from the command line: controls of `say`, `narrate` and `dub`, and `dub` itself."""

from __future__ import annotations

import argparse
from typing import Any

from voxclone.cli import outputs, signing
from voxclone.cli.loading import choose_voice, load


def add_controls(parser: argparse.ArgumentParser) -> None:
    """`--voice`, and the options that `controls` reads."""
    parser.add_argument("--voice", metavar="FILE|NAME", help="voice file, or a name that `voxclone voices` lists")
    parser.add_argument("--speed", type=float, default=1.0, help="0.25 to 4 (default: 1)")
    parser.add_argument("--pitch", type=float, default=0.0, help="-24 to 24 semitones (default: 0)")
    parser.add_argument("--pitch-range", type=float, default=1.0, help="0 (monotone) to 4 (default: 1)")
    parser.add_argument("--energy", type=float, default=1.0, help="0.25 to 4 (default: 1)")
    parser.add_argument("--lexicon", metavar="FILE", help="how words are said: .json, .tsv or .pls")
    parser.add_argument(
        "--markup",
        choices=("auto", "plain", "inline", "ssml"),
        default="auto",
        help="of the text (default: auto, SSML where it begins with <speak>, else [pause 300ms] and the like)",
    )
    parser.add_argument("--seed", type=int, help="vary the delivery (default: the same reading every time)")


def add_times(parser: argparse.ArgumentParser) -> None:
    """The option to write the times of what is spoken."""
    parser.add_argument("--times", metavar="FILE", help="also write the times: .srt, .vtt, .TextGrid or .json")


def controls(options: argparse.Namespace) -> dict[str, Any]:
    """What the options ask of `VoxClone.generate`, `stream`, `narrate` and `dub` alike, by the arguments' names.

    Raises:
        TextError: The lexicon cannot be read.
    """
    from voxclone.text.lexicon import read_lexicon

    names = ("speed", "pitch", "pitch_range", "energy", "seed", "markup")
    lexicon = None if options.lexicon is None else read_lexicon(options.lexicon)
    return {"lexicon": lexicon, **{name: getattr(options, name) for name in names}}


def add_parser(subparsers: Any, model: argparse.ArgumentParser) -> None:
    """The command `dub`."""
    parser = subparsers.add_parser("dub", parents=[model], help="speak subtitles at their times")
    parser.add_argument("subtitles", metavar="SUBTITLES", help=".srt or .vtt file")
    parser.add_argument("-o", "--output", default="dub.wav", help="audio file (default: dub.wav)")
    parser.add_argument("--slowest", type=float, default=1.25, help="most stretching of a text, 1 to 4 (default: 1.25)")
    add_controls(parser)
    add_times(parser)
    signing.add_sign(parser)
    parser.set_defaults(run=dub)


def dub(options: argparse.Namespace) -> int:
    """Speak subtitles to a file."""
    from voxclone.subtitles import read_subtitles

    signer = signing.signer(options)
    outputs.audio_file(options.output, signer is not None)
    outputs.times_file(options.times)
    subtitles, asked = read_subtitles(options.subtitles), controls(options)
    model = load(options)
    voice = choose_voice(model, options.voice)
    speech = model.dub(subtitles, voice, slowest=options.slowest, progress=True, **asked)
    speech.save(options.output, signer=signer)
    if options.times:
        speech.export(options.times)
    print(f"{options.output}: {speech.duration_seconds:.2f} s of {voice.name}")
    return 0
