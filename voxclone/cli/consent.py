"""consent: draw a challenge, verify a recording of it, show and revoke records."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxclone.cli import outputs
from voxclone.files import replace_file

if TYPE_CHECKING:
    from voxclone.safety import Consent

MAX_RECORD_BYTES = 100_000


def add_parser(subparsers: Any, shared: argparse.ArgumentParser, model: argparse.ArgumentParser) -> None:
    """Add the command and its own commands."""
    parser = subparsers.add_parser("consent", help="challenge a speaker, verify, show and revoke consent records")
    commands = parser.add_subparsers(required=True, metavar="ACTION")

    challenge = commands.add_parser("challenge", parents=[shared], help="draw a phrase for the speaker to say")
    challenge.add_argument(
        "-o", "--output", default="challenge.json", help="where to keep it (default: challenge.json)"
    )
    challenge.set_defaults(run=draw)

    verify = commands.add_parser(
        "verify", parents=[model], help="check a recording of the phrase, and write the record"
    )
    verify.add_argument("recording", metavar="RECORDING", help="the speaker saying the phrase")
    verify.add_argument("--challenge", default="challenge.json", help="what `consent challenge` wrote")
    verify.add_argument("--reference", nargs="+", required=True, metavar="CLIP", help="what will be cloned from")
    verify.add_argument("--speaker", required=True, help="who speaks")
    verify.add_argument("--scope", nargs="+", default=["cloning"], help="cloning adapting sharing commercial")
    verify.add_argument("--days", type=float, help="for how many days it holds (default: until it is revoked)")
    verify.add_argument("-o", "--output", default="consent.json", help="the record (default: consent.json)")
    verify.set_defaults(run=verify_recording)

    show = commands.add_parser("show", parents=[shared], help="print the records of a voice file or of a record")
    show.add_argument("file", metavar="FILE")
    show.set_defaults(run=show_records)

    revoke = commands.add_parser("revoke", parents=[shared], help="put records on this user's revocation list")
    revoke.add_argument("what", metavar="FILE|SHA256", help="a voice file, a record, or a record's digest")
    revoke.add_argument("--reason", default="", help="shown to who tries to use it")
    revoke.set_defaults(run=revoke_records)


def draw(options: argparse.Namespace) -> int:
    """Draw a challenge, keep it, and print the phrase."""
    from voxclone.safety import Consent

    outputs.record_file(options.output)
    challenge = Consent.challenge()
    challenge.save(options.output)
    print(challenge.phrase)
    return 0


def verify_recording(options: argparse.Namespace) -> int:
    """Verify and write the record."""
    from datetime import timedelta

    from voxclone.safety import Consent
    from voxclone.safety.challenge import Challenge
    from voxclone.synthesis import VoxClone

    outputs.record_file(options.output)
    challenge = Challenge.load(options.challenge)
    record = Consent.verify(
        options.recording,
        challenge,
        list(options.reference),
        model=VoxClone.from_pretrained(options.model, device=options.device),
        speaker=options.speaker,
        scope=options.scope,
        expires=None if options.days is None else timedelta(days=options.days),
    )
    replace_file(Path(options.output), (json.dumps(record.to_dict(), indent=1) + "\n").encode())
    evidence = record.evidence
    assert evidence is not None
    print(
        f"{options.output}: verified, similarity {evidence.similarity:.2f}, "
        f"phrase margin {evidence.phrase_margin:.1f}, {record.digest}"
    )
    return 0


def show_records(options: argparse.Namespace) -> int:
    """Print each record and its digest."""
    for record in records_of(options.file):
        print(json.dumps({"sha256": record.digest, **record.to_dict()}, indent=1, ensure_ascii=True))
    return 0


def revoke_records(options: argparse.Namespace) -> int:
    """Revoke."""
    from voxclone.safety import validity

    is_file = Path(options.what).exists()
    digests = [record.digest for record in records_of(options.what)] if is_file else [options.what]
    print(f"{validity.revoke(digests, options.reason)}: revoked {', '.join(digests)}")
    return 0


def read_record(path: str) -> Consent:
    """A record that `consent verify` wrote.

    Raises:
        ConsentError: It is missing or no record.
    """
    from voxclone.errors import ConsentError
    from voxclone.json_limits import read_json
    from voxclone.safety import Consent

    try:
        return Consent.from_dict(read_json(path, MAX_RECORD_BYTES))
    except ConsentError:
        raise
    except (OSError, ValueError) as error:
        raise ConsentError(f"{path} is not a consent record: {error}") from error


def given_consent(given: str, speaker: str, scope: Sequence[str] = ("cloning",)) -> Consent:
    """What --consent gives: the record in a .json file, or a ground, attested now.

    Raises:
        ConsentError: The file is no record, or the ground is empty.
    """
    from voxclone.safety import Consent

    return read_record(given) if given.endswith(".json") else Consent.attest(speaker, basis=given, scope=scope)


def records_of(path: str) -> tuple[Consent, ...]:
    """The records of a voice file, or the one of a record's file; expired and revoked ones too."""
    if path.endswith(".json"):
        return (read_record(path),)
    from voxclone.voice import stored_consents

    return stored_consents(path)
