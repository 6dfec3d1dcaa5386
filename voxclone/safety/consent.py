"""The record of a speaker's consent that a voice carries from its cloning on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from voxclone.errors import ConsentError
from voxclone.version import __version__


@dataclass(frozen=True)
class Consent:
    """Who may be spoken as, on what ground, and who says so.

    Attributes:
        speaker: The person whose voice it is.
        basis: The ground, in words: "my own voice", "contract of 2 May 2025", "LibriTTS-R, CC BY 4.0".
        by: Who attests it, where that is not the speaker.
        level: How well it is known. "attested": somebody's word.
        scope: What was agreed to.
        created: When it was recorded, UTC, ISO 8601.
        voxclone_version: The voxclone that recorded it.

    Raises:
        ConsentError: A field is empty or of another type, or `created` is not an ISO 8601 time with a time zone.
    """

    speaker: str
    basis: str
    by: str | None
    level: Literal["attested"]
    scope: tuple[str, ...]
    created: str
    voxclone_version: str

    def __post_init__(self) -> None:
        for name in ("speaker", "basis", "created", "voxclone_version"):
            _require_text(name, getattr(self, name))
        if self.by is not None:
            _require_text("by", self.by)
        if self.level != "attested":
            raise ConsentError(f"consent level is {self.level!r}; this voxclone knows 'attested'")
        if not isinstance(self.scope, tuple) or not self.scope:
            raise ConsentError(f"consent scope is {self.scope!r}; it must be a tuple that names at least one use")
        for use in self.scope:
            _require_text("scope", use)
        try:
            zone = datetime.fromisoformat(self.created).tzinfo
        except ValueError as error:
            raise ConsentError(f"consent created is {self.created!r}; it must be an ISO 8601 time") from error
        if zone is None:
            raise ConsentError(f"consent created is {self.created!r}; it must carry its time zone")

    @classmethod
    def attest(
        cls, speaker: str, basis: str, by: str | None = None, scope: tuple[str, ...] | list[str] = ("cloning",)
    ) -> Self:
        """Record now that the speaker agreed, on somebody's word.

        Raises:
            ConsentError: Speaker, basis, `by` or scope is empty.
        """
        uses = tuple(scope) if isinstance(scope, list) else scope
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(speaker, basis, by, "attested", uses, created, __version__)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `from_dict` reads back to an equal record."""
        return dataclasses.asdict(self) | {"scope": list(self.scope)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a JSON object.

        Raises:
            ConsentError: It is no object, a key is missing or unknown, or a value is unfit.
        """
        if not isinstance(values, Mapping):
            raise ConsentError(f"a consent record must be a JSON object, got {type(values).__name__}")
        names = {field.name for field in dataclasses.fields(cls)}
        if names != set(values):
            faults = [f"lacks {name!r}" for name in sorted(names - set(values))]
            faults += [f"has unknown {name!r}" for name in sorted(map(str, set(values) - names))]
            raise ConsentError(f"a consent record {', '.join(faults)}")
        scope = values["scope"]
        return cls(**{**values, "scope": tuple(scope) if isinstance(scope, list) else scope})

    @property
    def digest(self) -> str:
        """SHA-256 of the record, 64 hex digits: the same on every machine, another if any field differs."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConsentError(f"consent {name} is {value!r}; it must be a text that says something")
