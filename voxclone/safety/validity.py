"""Whether a consent record still holds: not expired, and on no revocation list. Nothing is asked over a network."""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from voxclone.errors import ConsentError
from voxclone.json_limits import read_json
from voxclone.safety.consent import USES, Consent

VARIABLE = "VOXCLONE_REVOCATIONS"  # paths of revocation lists, separated as in PATH; instead of the user's own
FORMAT = "voxclone.revocations"
MAX_LIST_BYTES = 50_000_000

_DIGEST = re.compile(r"[0-9a-f]{64}")


def require_valid(consents: Iterable[Consent], *uses: str) -> None:
    """Refuse to go on with a consent that does not hold.

    Args:
        consents: Of every speaker of a voice.
        uses: What each must permit, of `voxclone.safety.consent.USES`.

    Raises:
        ConsentError: A record has expired, was revoked, or does not permit a use; or a revocation list is unreadable.
    """
    revoked = revocations()
    for consent in consents:
        if consent.expired:
            raise ConsentError(
                f"the consent of {consent.speaker!r} expired on {consent.expires}; ask the speaker for a new one and "
                "clone the voice again"
            )
        if (reason := revoked.get(consent.digest)) is not None:
            raise ConsentError(f"the consent of {consent.speaker!r} was revoked{f': {reason}' if reason else ''}")
        for use in uses:
            if use not in consent.scope:
                raise ConsentError(
                    f"the consent of {consent.speaker!r} is to {', '.join(consent.scope)}, not to {use}"
                    f"{f' ({USES[use]})' if use in USES else ''}; ask the speaker, and use a record that names it"
                )


def revocations() -> dict[str, str]:
    """Digest of each revoked record, with the reason or "".

    Raises:
        ConsentError: A list cannot be read, or is none; or a list that `VARIABLE` names is missing.
    """
    revoked: dict[str, str] = {}
    for path in list_paths():
        try:
            status = path.stat()
        except FileNotFoundError as error:
            if VARIABLE not in os.environ:
                continue
            raise ConsentError(f"the revocation list {path}, which {VARIABLE} names, is missing") from error
        except OSError as error:
            raise ConsentError(f"the revocation list {path} cannot be read: {error}") from error
        revoked |= _read(path, status.st_mtime_ns, status.st_size)
    return revoked


def list_paths() -> list[Path]:
    """The revocation lists that are honoured: those that `VARIABLE` names, else the user's own."""
    if VARIABLE in os.environ:
        return [Path(part).expanduser() for part in os.environ[VARIABLE].split(os.pathsep) if part]
    if sys.platform == "win32":
        root = os.environ.get("APPDATA") or str(Path.home())
    else:
        root = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return [Path(root) / "voxclone" / "revocations.json"]


def is_digest(text: str) -> bool:
    """Whether a text may be `Consent.digest`."""
    return _DIGEST.fullmatch(text) is not None


def revoke(digests: Sequence[str], reason: str = "", path: Path | None = None) -> Path:
    """Put records on a revocation list, so that voices with them neither load nor speak where it is honoured.

    Args:
        digests: `Consent.digest` of each.
        reason: Shown to who tries.
        path: The list; None: the first of `list_paths`.

    Returns:
        The list's path.

    Raises:
        ConsentError: A digest is none, or the list cannot be read or written.
    """
    for digest in digests:
        if not is_digest(digest):
            raise ConsentError(f"{digest!r:.80} is not the digest of a consent record: 64 hex digits")
    target = path or list_paths()[0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        known = _parsed(target) if target.exists() else {}
        known |= dict.fromkeys(digests, reason)
        content = {"format": FORMAT, "changed": datetime.now(UTC).isoformat(timespec="seconds"), "revoked": known}
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".revocations.") as scratch:
            staged = Path(scratch, target.name)
            staged.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            os.replace(staged, target)
    except OSError as error:
        raise ConsentError(f"the revocation list {target} cannot be written: {error}") from error
    return target


@functools.lru_cache(maxsize=16)
def _read(path: Path, changed: int, size: int) -> dict[str, str]:
    """A list, read again when it changes."""
    return _parsed(path)


def _parsed(path: Path) -> dict[str, str]:
    try:
        values = read_json(path, MAX_LIST_BYTES)
    except (OSError, ValueError) as error:
        raise ConsentError(f"the revocation list {path} cannot be read: {error}") from error
    revoked = values.get("revoked") if isinstance(values, dict) and values.get("format") == FORMAT else None
    if not isinstance(revoked, dict) or not all(
        _DIGEST.fullmatch(digest) and isinstance(reason, str) for digest, reason in revoked.items()
    ):
        raise ConsentError(f"{path} is not a revocation list: a JSON object with format {FORMAT!r} is needed")
    return revoked
