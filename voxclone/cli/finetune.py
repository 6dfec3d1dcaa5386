"""finetune: recordings of one speaker in, a fine-tuned voice and a report out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from voxclone.cli import outputs
from voxclone.errors import ConfigError
from voxclone.safety.consent import USES

DEPTHS = ("auto", "embedding", "norms", "lora", "full")


def add_parser(subparsers: Any, source: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "finetune",
        parents=[source],
        help="adapt the model to one speaker's recordings",
        description="Adapt the model to one speaker. The same command goes on where it was stopped or killed.",
    )
    parser.add_argument(
        "recordings",
        metavar="RECORDINGS",
        help="folder of audio with or without texts (.txt, .srt), of LJSpeech, Kaldi or a Hugging Face dataset",
    )
    parser.add_argument(
        "--consent",
        required=True,
        metavar="BASIS|FILE",
        help='on what ground the speaker agreed to this ("my own voice"), or a record with the scope "adapting"',
    )
    parser.add_argument(
        "--scope",
        nargs="+",
        default=["cloning", "adapting"],
        choices=USES,
        metavar="USE",
        help="what the speaker agreed to: adapting, cloning, and if so sharing, commercial (default: cloning adapting)",
    )
    parser.add_argument(
        "-o", "--output", "--out", dest="out", required=True, help="folder for the voice, the report and the work"
    )
    parser.add_argument("--name", help="whose voice it is (default: the name of the folder --output)")
    parser.add_argument(
        "--depth", choices=DEPTHS, default="auto", help="how much is trained; auto is lora (default: auto)"
    )
    parser.add_argument("--speaker", help="which one, where the recordings name several")
    parser.add_argument(
        "--spoken-by", metavar="VOICE", help="where voxclone spoke the recordings: the voice file, of the same speaker"
    )
    parser.add_argument("--transcriber", metavar="FOLDER", help="faster-whisper model, for recordings without text")
    parser.add_argument("--minutes", type=float, default=8.0, help="the most that training takes (default: 8)")
    parser.set_defaults(run=run, resumes="; the same command goes on with what is done")


def run(options: argparse.Namespace) -> int:
    """Fine-tune, and say what came of it."""
    from voxclone.cli.consent import given_consent
    from voxclone.finetuning import finetune
    from voxclone.voice import Voice

    outputs.folder(options.out)
    if options.name is not None and not options.name.strip():
        raise ConfigError(f"--name is {options.name!r}; say whose voice it is, or leave it out")
    name = options.name or Path(options.out).resolve().name
    consent = given_consent(options.consent, name, options.scope)
    done = finetune(
        options.recordings,
        name=name,
        consent=consent,
        out=options.out,
        spoken_by=Voice.load(options.spoken_by) if options.spoken_by else None,
        model=options.model,
        revision=options.revision,
        depth=options.depth,
        speaker=options.speaker,
        transcriber=options.transcriber,
        minutes=options.minutes,
        progress=True,
    )
    size = done.voice_path.stat().st_size / 1000
    print(f"{done.voice_path}: {name}, {done.depth}, {done.speech_minutes:.1f} minutes of speech, {size:.1f} kB")
    if done.left_out:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in done.left_out.items())
        print(f"left out: {reasons}; the page lists them")
    print(done.likeness)
    print(f"{done.report_path}: what was kept, what was learned, and what to record next")
    return 0
