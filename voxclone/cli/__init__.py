"""The voxclone command."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from voxclone.cli import (
    commands,
    consent,
    control,
    detect,
    doctor,
    evaluate,
    export,
    finetune,
    inspect,
    narrate,
    signing,
)
from voxclone.cli.ending import exit_status, message
from voxclone.errors import TextError
from voxclone.version import __version__

OPTIONS = {
    "spoken_by": "--spoken-by",
    "pitch_range": "--pitch-range",
    "duration_seconds": "--duration",
    "part_minutes": "--part-minutes",
    "audio_root": "--audio-root",
}  # of the library's arguments that options are called after, where the names differ


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; None for the process's own.

    Returns:
        Exit status: 0; 1 where doctor found a problem or detect no mark; 2 for an error, which is then one line on
        standard error; 130 where it was interrupted; 141 where whoever read its output has left.
    """
    options = _parser().parse_args(arguments)
    return exit_status(
        lambda: int(options.run(options)),
        "voxclone",
        debug=options.debug,
        tell=_told,
        resumes=getattr(options, "resumes", ""),
    )


def _told(error: Exception) -> str:
    """What an error says, with options in place of arguments; a text's own markup has names of its own."""
    told = message(error)
    if isinstance(error, TextError) or told != str(error):  # the system's own
        return told
    return re.sub(rf"(?<![\w./\\-])(?:{'|'.join(OPTIONS)})(?![\w./\\-])", lambda name: OPTIONS[name[0]], told)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="voxclone", description="Clone a voice and speak any text with it.")
    parser.add_argument("--version", action="version", version=f"voxclone {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    source = argparse.ArgumentParser(add_help=False, parents=[shared])
    source.add_argument("--model", metavar="SOURCE", help="model folder or Hub repository (default: the bundled model)")
    source.add_argument("--revision", help="branch, tag or commit of the Hub repository")
    model = argparse.ArgumentParser(add_help=False, parents=[source])
    model.add_argument(
        "--commercial", action="store_true", help="for commercial ends: only voices whose speakers agreed to that speak"
    )
    model.add_argument("--device", default="auto", help="torch device (default: CUDA where there is one, else cpu)")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    say = subparsers.add_parser("say", parents=[model], help="speak a text to an audio file, a loudspeaker or a pipe")
    say.add_argument("text", metavar="TEXT", help='the text; "-" speaks what standard input brings, as it comes')
    say.add_argument(
        "-o",
        "--output",
        help='wav, flac, mp3, ogg, opus or m4a; "-" for raw 16-bit mono samples on standard output (default: '
        'speech.wav; for the text "-", the loudspeaker, or standard output where that is a pipe)',
    )
    say.add_argument("--play", action="store_true", help='play it (needs pip install "voxclone[play]")')
    signing.add_sign(say)
    control.add_controls(say)
    control.add_times(say)
    say.add_argument("--duration", type=float, metavar="SECONDS", help="what the speech must last, to half a frame")
    say.set_defaults(run=commands.say)

    clone = subparsers.add_parser("clone", parents=[model], help="make a voice file from recordings of one speaker")
    clone.add_argument("clips", metavar="CLIP", nargs="+", help="audio file")
    clone.add_argument("--name", required=True, help="whose voice it is")
    clone.add_argument(
        "--consent",
        required=True,
        metavar="BASIS|FILE",
        help='on what ground the speaker agreed ("my own voice"), or a record of `voxclone consent attest` or `verify`',
    )
    clone.add_argument(
        "--spoken-by", metavar="VOICE", help="where voxclone spoke the clips: the voice file, of the same speaker"
    )
    clone.add_argument("-o", "--output", help="voice file (default: NAME.voice)")
    clone.add_argument("--json", action="store_true", help="one JSON object instead of text")
    clone.set_defaults(run=commands.clone)

    voices = subparsers.add_parser("voices", parents=[model], help="list a model's example voices")
    voices.add_argument("--json", action="store_true", help="one JSON object a line instead")
    voices.set_defaults(run=commands.voices)

    consent.add_parser(subparsers, shared, model)
    finetune.add_parser(subparsers, source)
    narrate.add_parser(subparsers, model)
    inspect.add_parser(subparsers, source)
    evaluate.add_parser(subparsers, model)
    export.add_parser(subparsers, source)
    detect.add_parser(subparsers, source)
    control.add_parser(subparsers, model)

    check = subparsers.add_parser("doctor", parents=[shared], help="check that voxclone can work on this machine")
    check.set_defaults(run=doctor.doctor)
    return parser
