"""The record of a speaker's consent that a voice carries from its cloning on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from voxclone.errors import ConsentError
from voxclone.safety.challenge import Challenge
from voxclone.safety.evidence import Evidence
from voxclone.version import __version__

if TYPE_CHECKING:
    from voxclone.audio.io import AudioSource
    from voxclone.safety.verification import Model

LEVELS = ("attested", "verified")
USES = {
    "cloning": "make the voice and speak with it",
    "adapting": "fine-tune a model on the recordings",
    "sharing": "pass the voice file on, or publish it",
    "commercial": "use the speech for commercial ends",
}
SPOKEN = "spoken consent to a fresh phrase"  # the ground of a verified record, where no other is named
MAX_TEXT = 1000  # characters of one field
MAX_USES = 20
_OPTIONAL = ("expires", "evidence")  # fields that records before 0.2 lack; left out of JSON where they are None
_OPTIONAL_EVIDENCE = ("reference_sha256", "speaker_score")  # likewise, where there are none


@dataclass(frozen=True)
class Consent:
    """Who may be spoken as, on what ground, and who says so.

    Attributes:
        speaker: The person whose voice it is.
        basis: The ground, in words: "my own voice", "contract of 2 May 2025", "LibriTTS-R, CC BY 4.0".
        by: Who attests it, where that is not the speaker.
        level: How well it is known. "attested": somebody's word. "verified": a fresh phrase was spoken by the speaker
            of the reference, see `verify`.
        scope: What was agreed to: keys of `USES`, or other words, which permit nothing here.
        created: When it was recorded, UTC, ISO 8601.
        voxclone_version: The voxclone that recorded it.
        expires: Until when it holds, ISO 8601 with a time zone; None: until it is revoked.
        evidence: What was measured, for a verified record.

    Raises:
        ConsentError: A field is empty, too long or of another type, or a time is not ISO 8601 with a time zone.
    """

    speaker: str
    basis: str
    by: str | None
    level: Literal["attested", "verified"]
    scope: tuple[str, ...]
    created: str
    voxclone_version: str
    expires: str | None = None
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        for name in ("speaker", "basis", "created", "voxclone_version"):
            _require_text(name, getattr(self, name))
        if self.by is not None:
            _require_text("by", self.by)
        if self.level not in LEVELS:
            raise ConsentError(f"consent level is {self.level!r:.80}; this voxclone knows {', '.join(LEVELS)}")
        if (self.level == "verified") != isinstance(self.evidence, Evidence):
            raise ConsentError("a verified consent, and no other, carries the evidence of its verification")
        if not isinstance(self.scope, tuple) or not 1 <= len(self.scope) <= MAX_USES:
            raise ConsentError(f"consent scope is {self.scope!r:.80}; it must be a tuple that names at least one use")
        for use in self.scope:
            _require_text("scope", use)
        created = _require_time("created", self.created)
        if self.expires is not None and _require_time("expires", self.expires) <= created:
            raise ConsentError(f"consent expires {self.expires}, which is not after it was created, {self.created}")

    @classmethod
    def attest(
        cls,
        speaker: str,
        basis: str,
        by: str | None = None,
        scope: Sequence[str] = ("cloning",),
        expires: datetime | timedelta | str | None = None,
    ) -> Self:
        """Record now that the speaker agreed, on somebody's word.

        Args:
            speaker: The person whose voice it is.
            basis: On what ground.
            by: Who says so, where that is not the speaker.
            scope: What was agreed to, of `USES`.
            expires: Until when, or how long from now; None: until it is revoked.

        Raises:
            ConsentError: Speaker, basis, `by` or scope is empty, or `expires` is not in the future.
        """
        return cls(speaker, basis, by, "attested", _uses(scope), _now(), __version__, _expiry(expires))

    @staticmethod
    def challenge() -> Challenge:
        """A fresh phrase for the speaker to say, with words drawn for this moment; see `verify`."""
        return Challenge.draw()

    @classmethod
    def verify(
        cls,
        recording: AudioSource,
        challenge: Challenge,
        reference: AudioSource | list[AudioSource],
        *,
        model: Model,
        speaker: str,
        basis: str = SPOKEN,
        by: str | None = None,
        scope: Sequence[str] = ("cloning",),
        expires: datetime | timedelta | str | None = None,
    ) -> Self:
        """Check that the speaker of the reference said the challenge's phrase just now, and record it.

        What passes all the same: benchmarks/results/consent.json, and RESPONSIBLE_USE.md in words. The record then
        clones these references and this recording, and other recordings of the same speaker beside one of them.

        Args:
            recording: The speaker saying `challenge.phrase`.
            challenge: From `challenge`, not yet expired; it serves once within a process.
            reference: What the voice will be cloned from.
            model: A `VoxClone` with an aligner and a calibrated speaker encoder.
            speaker: The person whose voice it is.
            basis: On what ground, in words.
            by: Who recorded it, where that is not the speaker.
            scope: What was agreed to, of `USES`.
            expires: Until when, or how long from now; None: until it is revoked.

        Raises:
            ConsentError: The challenge expired or was used before, another phrase was said, by another speaker, or the
                recording carries the model's mark, that is, was synthesised.
            ModelError: The model has no aligner, or its speaker encoder was not calibrated.
            AudioError: Recording or reference cannot be used.
        """
        from voxclone.safety.verification import examine

        agreed = cls.attest(speaker, basis, by, scope, expires)  # what is wrong is said before the phrase is used
        evidence = examine(recording, challenge, reference, model)
        return dataclasses.replace(agreed, level="verified", evidence=evidence)

    def permits(self, use: str) -> bool:
        """Whether the scope names a use, and the record has not expired."""
        return use in self.scope and not self.expired

    @property
    def expired(self) -> bool:
        """Whether `expires` has passed."""
        return self.expires is not None and datetime.fromisoformat(self.expires) <= datetime.now(UTC)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `from_dict` reads back to an equal record."""
        values = dataclasses.asdict(self) | {"scope": list(self.scope)}
        if (evidence := values["evidence"]) is not None:
            told = {**evidence, "reference_sha256": list(evidence["reference_sha256"]) or None}
            values["evidence"] = {k: v for k, v in told.items() if k not in _OPTIONAL_EVIDENCE or v is not None}
        return {name: value for name, value in values.items() if name not in _OPTIONAL or value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a JSON object.

        Raises:
            ConsentError: It is no object, a key is missing or unknown, or a value is unfit.
        """
        if not isinstance(values, Mapping):
            raise ConsentError(f"a consent record must be a JSON object, got {type(values).__name__}")
        _require_keys("a consent record", values, cls, _OPTIONAL)
        scope, evidence = values["scope"], values.get("evidence")
        if evidence is not None:
            if not isinstance(evidence, Mapping):
                raise ConsentError("a consent record's evidence must be a JSON object")
            _require_keys("a consent record's evidence", evidence, Evidence, _OPTIONAL_EVIDENCE)
            references = evidence.get("reference_sha256", [])
            if not isinstance(references, list):
                raise ConsentError("a consent record's evidence must list its references")
            evidence = Evidence(**{**evidence, "reference_sha256": tuple(references)})
        return cls(**{**values, "scope": tuple(scope) if isinstance(scope, list) else scope, "evidence": evidence})

    @property
    def digest(self) -> str:
        """SHA-256 of the record, 64 hex digits: the same on every machine, another if any field differs."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _uses(scope: Sequence[str]) -> tuple[str, ...]:
    if isinstance(scope, str):
        raise ConsentError(f"consent scope is {scope!r:.80}; it must be a list of uses")
    return tuple(scope)


def _expiry(expires: datetime | timedelta | str | None) -> str | None:
    if isinstance(expires, timedelta):
        if expires > datetime.max.replace(tzinfo=UTC) - datetime.now(UTC):
            raise ConsentError(f"consent expires in {expires.days} days, after the last year that there is a date for")
        expires = datetime.now(UTC) + expires
    if not isinstance(expires, datetime):
        return expires
    if expires.tzinfo is None:
        raise ConsentError(f"consent expires is {expires.isoformat()}; it must carry its time zone")
    return expires.astimezone(UTC).isoformat(timespec="seconds")


def _require_keys(what: str, values: Mapping[str, Any], kind: type, optional: tuple[str, ...] = ()) -> None:
    names = {field.name for field in dataclasses.fields(kind)}
    missing, unknown = names - set(values) - set(optional), set(values) - names
    if missing or unknown:
        faults = [f"lacks {name!r}" for name in sorted(missing)]
        faults += [f"has unknown {name!r:.80}" for name in sorted(map(str, unknown))[:5]]
        raise ConsentError(f"{what} {', '.join(faults)}")


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConsentError(f"consent {name} is {value!r:.80}; it must be a text that says something")
    if len(value) > MAX_TEXT or not value.isprintable():
        raise ConsentError(f"consent {name} must be at most {MAX_TEXT} printable characters")


def _require_time(name: str, value: object) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None:
        raise ConsentError(f"consent {name} is {value!r:.80}; it must be an ISO 8601 time")
    if time.tzinfo is None:
        raise ConsentError(f"consent {name} is {value!r}; it must carry its time zone")
    return time
