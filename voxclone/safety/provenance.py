"""Where a piece of synthetic speech comes from: what every file and every Speech says of itself, and never the text."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from voxclone.errors import ProvenanceError
from voxclone.safety.consent import Consent
from voxclone.version import __version__

# IPTC's term for media made by a model that was trained on recordings (EU AI Act, Article 50(2): machine-readable).
DIGITAL_SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

_HEX = re.compile(r"[0-9a-f]+")
_MAX_TEXT = 200  # characters of one field


@dataclass(frozen=True)
class Provenance:
    """What made a piece of speech, as whom, and with whose consent.

    Attributes:
        generator: Program and version.
        model: The model's name.
        model_sha256: SHA-256 over the weights of all its parts, 64 hex digits.
        voice_id: `Voice.voice_id`, 16 hex digits.
        consent_level: The weakest among the voice's speakers: "attested" or "verified".
        consent_sha256: `Consent.digest` of the speaker's record; of a mix, SHA-256 over its speakers' digests,
            sorted, one a line.
        watermark_id: Which mark the samples carry; None where the model makes none.
        created: UTC, ISO 8601, to the second.
        digital_source_type: IPTC digital source type; always `DIGITAL_SOURCE_TYPE`.

    Raises:
        ProvenanceError: A field is unfit.
    """

    generator: str
    model: str
    model_sha256: str
    voice_id: str
    consent_level: str
    consent_sha256: str
    watermark_id: str | None
    created: str
    digital_source_type: str = DIGITAL_SOURCE_TYPE

    def __post_init__(self) -> None:
        optional = [] if self.watermark_id is None else ["watermark_id"]
        for name in ("generator", "model", "consent_level", *optional):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip() or len(value) > _MAX_TEXT or not value.isprintable():
                raise ProvenanceError(f"provenance {name} is {value!r:.80}; it must be a printable text that is short")
        for name, digits in (("model_sha256", 64), ("voice_id", 16), ("consent_sha256", 64)):
            _require_hex(name, getattr(self, name), digits)
        if self.digital_source_type != DIGITAL_SOURCE_TYPE:
            raise ProvenanceError(f"digital source type is {self.digital_source_type!r:.80}, not {DIGITAL_SOURCE_TYPE}")
        try:
            zone = datetime.fromisoformat(self.created).tzinfo
        except (TypeError, ValueError) as error:
            raise ProvenanceError(f"provenance created is {self.created!r:.80}; an ISO 8601 time is needed") from error
        if zone is None:
            raise ProvenanceError(f"provenance created is {self.created!r}; it must carry its time zone")

    @classmethod
    def of(
        cls, model: str, model_sha256: str, voice_id: str, consents: Sequence[Consent], watermark_id: str | None
    ) -> Self:
        """The provenance of what is being spoken now.

        Raises:
            ProvenanceError: There is no consent record.
        """
        if not consents:
            raise ProvenanceError("there is no consent record, and no speech without one")
        levels = {consent.level for consent in consents}
        return cls(
            generator=f"voxclone {__version__}",
            model=model,
            model_sha256=model_sha256,
            voice_id=voice_id,
            consent_level="verified" if levels == {"verified"} else "attested",
            consent_sha256=_digest([consent.digest for consent in consents]),
            watermark_id=watermark_id,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `from_dict` reads back to an equal record."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a JSON object.

        Raises:
            ProvenanceError: It is no object, a key is missing or unknown, or a value is unfit.
        """
        if not isinstance(values, Mapping):
            raise ProvenanceError(f"provenance must be a JSON object, got {type(values).__name__}")
        names = {field.name for field in dataclasses.fields(cls)}
        if names != set(values):
            raise ProvenanceError(f"provenance needs exactly the keys {', '.join(sorted(names))}")
        return cls(**values)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))


def _digest(digests: list[str]) -> str:
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _require_hex(name: str, value: object, digits: int) -> None:
    if not isinstance(value, str) or len(value) != digits or not _HEX.fullmatch(value):
        raise ProvenanceError(f"provenance {name} is {value!r:.80}; {digits} hex digits are needed")
