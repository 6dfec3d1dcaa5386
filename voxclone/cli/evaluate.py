"""evaluate: clone, speak, have it judged, write a report."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from voxclone.cli import outputs
from voxclone.cli.loading import choose_voice, load
from voxclone.errors import ConfigError, ConsentError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], model: argparse.ArgumentParser) -> None:
    """Add the command; `model` has the options that name a model."""
    command = subparsers.add_parser(
        "evaluate",
        parents=[model],
        help="measure word errors, similarity, naturalness, pitch, pace and speed over a list",
        description="Clone each reference of a list, or take a given voice, say its text, and write report.html, "
        "report.json and two tables. A judge that is named has to be there; one that is asked by default and "
        "is not there is reported as absent. Run again, with other judges or more of the list, it keeps what it "
        "spoke; a report of other speech is not written over.",
    )
    command.add_argument(
        "list", metavar="LIST", help="table of reference and text; Seed-TTS-eval or LibriSpeech-PC list"
    )
    command.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where the report goes")
    command.add_argument(
        "--consent",
        metavar="BASIS",
        help='on what ground the references may be cloned: "CC BY 4.0"; left out where none is cloned',
    )
    command.add_argument(
        "--voice",
        metavar="VOICE",
        help="voice file, its folder or Hub repository, or a model's voice: says every text instead of clones of the "
        "references, and is compared with these (or: a column voice in the table)",
    )
    command.add_argument(
        "--format", choices=("table", "seed-tts-eval", "librispeech-pc"), help="default: told by the list"
    )
    command.add_argument(
        "--audio-root", metavar="FOLDER", help="what audio paths are relative to (default: the list's)"
    )
    command.add_argument("--limit", type=int, metavar="N", help="only the first N of the list")
    command.add_argument("--made", metavar="FOLDER", help="judge <name>.wav of this folder instead of speaking")
    command.add_argument("--no-recordings", action="store_true", help="do not judge the speakers' own recordings too")
    command.add_argument(
        "--asr",
        metavar="NAME",
        help="pocketsphinx[:LM], faster-whisper:MODEL, transformers:MODEL, python:FILE.py:FUNCTION, command:PROGRAM or "
        "none (default: pocketsphinx)",
    )
    command.add_argument(
        "--verifier",
        metavar="NAME",
        help="transformers:MODEL, python:FILE.py:FUNCTION or command:PROGRAM (default: similarity is absent)",
    )
    command.add_argument(
        "--naturalness",
        action="append",
        metavar="NAME",
        help="dnsmos, nisqa, python:FILE.py:FUNCTION, command:PROGRAM or none; may be repeated (default: dnsmos and "
        "nisqa, where torchmetrics has their weights)",
    )
    command.add_argument("--speed", type=float, default=1.0, help="0.25 to 4 (default: 1)")
    command.set_defaults(run=evaluate, resumes="; what was spoken stays, and the same command goes on with it")


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate and print the summary."""
    from voxclone.evaluation import evaluate as run
    from voxclone.evaluation import read_list

    outputs.folder(options.output)
    if options.voice and options.made:
        raise ConfigError("--voice speaks, and --made judges what was spoken already; leave one out")
    if (options.consent or "").endswith(".json"):
        raise ConsentError(
            f"--consent takes the ground for all of the list in words, not a record such as {options.consent}"
        )
    if options.limit is not None and options.limit < 1:
        raise ConfigError(f"--limit is {options.limit}; it must be 1 or more")
    items = read_list(options.list, form=options.format, audio_root=options.audio_root)[: options.limit]
    model = None if options.made else load(options)
    if model is not None and options.voice:
        voice = choose_voice(model, options.voice)
        items = [replace(item, voice=voice) for item in items]
    report = run(
        model,
        items,
        options.output,
        consent=options.consent,
        recogniser=options.asr,
        verifier=options.verifier,
        naturalness=options.naturalness,
        made=options.made,
        recordings=not options.no_recordings,
        progress=True,
        options={"speed": options.speed},
    )
    for system, means in report.summary.items():
        for mean in means:
            by = f" ({mean.judge})" if mean.judge and mean.judge != "voxclone" else ""
            print(f"{system}\t{mean.metric}{by}\t{mean}")
    if kept := report.about["kept"]:
        print(f"kept\t{kept} of {len(items)} utterances, which an earlier run into {options.output} spoke")
    failed = [utterance for utterance in report.utterances if utterance.failure is not None]
    for utterance in failed:
        print(f"failed\t{utterance.system} {utterance.name}\t{' '.join((utterance.failure or '').split())}")
    print(Path(options.output) / "report.html")
    return 1 if failed else 0
