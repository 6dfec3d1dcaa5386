"""consent: write down a consent, draw a challenge and verify a recording of it, show and revoke records."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxclone.cli import outputs
from voxclone.cli.loading import load
from voxclone.errors import ConsentError
from voxclone.files import replace_file
from voxclone.safety.consent import SPOKEN, USES

if TYPE_CHECKING:
    from voxclone.safety import Consent

MAX_RECORD_BYTES = 100_000
MAX_DAYS = 36_500


def add_parser(subparsers: Any, shared: argparse.ArgumentParser, model: argparse.ArgumentParser) -> None:
    """Add the command and its own commands."""
    parser = subparsers.add_parser("consent", help="write down, verify, show and revoke a speaker's consent")
    commands = parser.add_subparsers(required=True, metavar="ACTION")

    attest = commands.add_parser("attest", parents=[shared], help="write down that a speaker agreed: to what, how long")
    attest.add_argument("--basis", required=True, help='on what ground ("my own voice", "contract of 2 May 2025")')
    attest.add_argument("--by", help="who says so, where that is not the speaker")
    _add_terms(attest)
    attest.set_defaults(run=attest_record)

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
    verify.add_argument("--basis", default=SPOKEN, help=f"on what ground, in words (default: {SPOKEN})")
    verify.add_argument("--by", help="who recorded it, where that is not the speaker")
    _add_terms(verify)
    verify.set_defaults(run=verify_recording)

    show = commands.add_parser("show", parents=[shared], help="print the records of a voice file or of a record")
    show.add_argument("file", metavar="FILE")
    show.set_defaults(run=show_records)

    revoke = commands.add_parser("revoke", parents=[shared], help="put records on this user's revocation list")
    revoke.add_argument("what", metavar="FILE|SHA256", help="a voice file, a record, or a record's digest")
    revoke.add_argument("--reason", default="", help="shown to who tries to use it")
    revoke.set_defaults(run=revoke_records)


def _add_terms(parser: argparse.ArgumentParser) -> None:
    """What every record says, whatever it rests on."""
    parser.add_argument("--speaker", required=True, help="whose voice it is")
    parser.add_argument(
        "--scope",
        nargs="+",
        default=["cloning"],
        choices=USES,
        metavar="USE",
        help=f"what was agreed to: {', '.join(USES)} (default: cloning)",
    )
    parser.add_argument("--days", type=float, help="for how many days it holds (default: until it is revoked)")
    parser.add_argument("-o", "--output", default="consent.json", help="the record (default: consent.json)")


def _expiry(options: argparse.Namespace) -> timedelta | None:
    """How long from now it holds.

    Raises:
        ConsentError: The days are none, or more than a calendar has.
    """
    if options.days is None:
        return None
    if not 0 < options.days <= MAX_DAYS:
        raise ConsentError(f"--days is {options.days:g}; it must be above 0, and at most {MAX_DAYS}")
    return timedelta(days=options.days)


def _write(options: argparse.Namespace, record: Consent) -> None:
    replace_file(Path(options.output), (json.dumps(record.to_dict(), indent=1) + "\n").encode())


def attest_record(options: argparse.Namespace) -> int:
    """Attest, and write the record."""
    from voxclone.safety import Consent

    outputs.record_file(options.output)
    record = Consent.attest(
        options.speaker, options.basis, by=options.by, scope=options.scope, expires=_expiry(options)
    )
    _write(options, record)
    print(f"{options.output}: attested, {', '.join(record.scope)}, {record.digest}")
    return 0


def draw(options: argparse.Namespace) -> int:
    """Draw a challenge, keep it, and print the phrase."""
    from voxclone.safety import Consent

    outputs.record_file(options.output)
    challenge = Consent.challenge()
    challenge.save(options.output)
    print(challenge.phrase)
    return 0


def verify_recording(options: argparse.Namespace) -> int:
    """Verify and write the record; the challenge is spent then, and its file goes."""
    from voxclone.safety import Consent
    from voxclone.safety.challenge import Challenge

    outputs.record_file(options.output)
    expires = _expiry(options)
    challenge = Challenge.load(options.challenge)
    record = Consent.verify(
        options.recording,
        challenge,
        list(options.reference),
        model=load(options),
        speaker=options.speaker,
        basis=options.basis,
        by=options.by,
        scope=options.scope,
        expires=expires,
    )
    _write(options, record)
    Path(options.challenge).unlink(missing_ok=True)
    evidence = record.evidence
    assert evidence is not None
    score = "" if evidence.speaker_score is None else f"speaker score {evidence.speaker_score:.2f}, "
    print(
        f"{options.output}: verified, {score}similarity {evidence.similarity:.2f}, "
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
    if not is_file and not validity.is_digest(options.what):
        raise ConsentError(f"there is no file {options.what!r:.200}, nor is that the digest of a record: 64 hex digits")
    digests = [record.digest for record in records_of(options.what)] if is_file else [options.what]
    print(f"{validity.revoke(digests, options.reason)}: revoked {', '.join(digests)}")
    return 0


def read_record(path: str) -> Consent:
    """A record that `consent verify` wrote.

    Raises:
        ConsentError: It is missing or no record.
    """
    from voxclone.json_limits import read_json
    from voxclone.safety import Consent

    try:
        return Consent.from_dict(read_json(path, MAX_RECORD_BYTES))
    except ConsentError:
        raise
    except FileNotFoundError as error:
        raise ConsentError(f"there is no consent record {path}; write one: voxclone consent attest") from error
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
