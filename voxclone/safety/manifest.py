"""Signed C2PA manifests in wav, mp3, flac and m4a files (C2PA specification 2.1), by c2pa-python, extra "c2pa"."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from voxclone.errors import AudioError, ConfigError, ProvenanceError
from voxclone.safety.provenance import DIGITAL_SOURCE_TYPE, Provenance
from voxclone.version import __version__

if TYPE_CHECKING:
    from voxclone.safety.certificate import Signer

ASSERTION = "org.voxclone.provenance"
MEDIA_TYPES = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".m4a": "audio/mp4"}
MAX_FILE_BYTES = 2 << 30

# Reading a file must not tell anyone that it was read.
_OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
_TAMPERED = ("mismatch", "missing", "invalid", "malformed")


@dataclass(frozen=True)
class Manifest:
    """What a file's signed manifest says.

    Attributes:
        state: "trusted": signed, whole, and by a certificate on the C2PA trust list that the reader was given; "valid":
            signed and whole, by an unknown certificate, such as a development one; "invalid": file or manifest was
            changed after signing.
        signed_by: Common name and organisation of the certificate.
        provenance: The voxclone record in it; None where another program made it or the record is damaged.
        synthetic: Whether an action in it has the digital source type trainedAlgorithmicMedia.
        problems: The validator's codes, such as assertion.dataHash.mismatch.
    """

    state: Literal["trusted", "valid", "invalid"]
    signed_by: str
    provenance: Provenance | None
    synthetic: bool
    problems: tuple[str, ...]


def require_signable(suffix: str) -> None:
    """Check that files of a suffix can be signed here.

    Raises:
        AudioError: The format holds no manifest.
        ConfigError: The extra "c2pa" is not installed.
    """
    if suffix not in MEDIA_TYPES:
        raise AudioError(f"{suffix} files cannot be signed with a C2PA manifest; {', '.join(MEDIA_TYPES)} can")
    _library()


def sign_file(path: Path, suffix: str, provenance: Provenance, signer: Signer) -> None:
    """Replace an audio file by itself with a signed manifest.

    Args:
        path: The file.
        suffix: Its format: a key of `MEDIA_TYPES`.
        provenance: What made it.
        signer: Whose certificate signs.

    Raises:
        AudioError: The format holds no manifest.
        ProvenanceError: It cannot be signed, such as with a key that is not the certificate's.
        ConfigError: The extra "c2pa" is not installed.
    """
    require_signable(suffix)
    c2pa = _library()
    agent = {"name": "voxclone", "version": __version__}
    created = {
        "action": "c2pa.created",
        "when": provenance.created,
        "softwareAgent": agent,
        "digitalSourceType": DIGITAL_SOURCE_TYPE,
    }
    content = {
        "claim_generator_info": [agent],
        "title": "synthetic speech",
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [created]}},
            {"label": ASSERTION, "data": provenance.to_dict()},
        ],
    }
    signed = io.BytesIO()
    try:
        info = c2pa.C2paSignerInfo(signer.algorithm.encode(), signer.certificates, signer.private_key, None)
        with (
            c2pa.Signer.from_info(info) as key,
            c2pa.Builder(json.dumps(content)) as builder,
            path.open("rb") as source,
        ):
            builder.sign(key, MEDIA_TYPES[suffix], source, signed)
    except c2pa.C2paError as error:
        raise ProvenanceError(f"the file cannot be signed: {error}") from error
    path.write_bytes(signed.getbuffer())


def read_manifest(path: Path) -> Manifest | None:
    """Read and validate a file's manifest, without the network; None where it has none.

    Raises:
        ProvenanceError: The file or its manifest is damaged beyond reading.
        ConfigError: The extra "c2pa" is not installed.
    """
    if path.suffix.lower() not in MEDIA_TYPES:
        return None
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ProvenanceError(f"{path} has over {MAX_FILE_BYTES >> 30} GiB; its manifest is not read")
    c2pa = _library()
    context = c2pa.Context(settings=c2pa.Settings.from_dict(_OFFLINE))
    try:
        with path.open("rb") as file, c2pa.Reader(MEDIA_TYPES[path.suffix.lower()], file, context=context) as reader:
            told = json.loads(reader.json())
            state = str(reader.get_validation_state())
    except c2pa.C2paError as error:
        if "ManifestNotFound" in str(error):
            return None
        raise ProvenanceError(f"the manifest of {path} cannot be read: {error}") from error
    return _summary(told, state)


def has_manifest(path: Path) -> bool:
    """Whether a file seems to hold a manifest, found without c2pa-python."""
    overlap = b""
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            if b"jumdc2pa" in overlap + block:
                return True
            overlap = block[-8:]
    return False


def _summary(told: dict[str, Any], state: str) -> Manifest:
    active = told.get("manifests", {}).get(told.get("active_manifest"), {})
    problems = tuple(sorted({status["code"] for status in told.get("validation_status", [])}))
    assertions = active.get("assertions", [])
    actions = [
        action
        for assertion in assertions
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"].get("actions", [])
    ]
    provenance = None
    for assertion in assertions:
        if assertion["label"] == ASSERTION:
            try:
                provenance = Provenance.from_dict(assertion["data"])
            except ProvenanceError:
                problems = (*problems, f"{ASSERTION}.malformed")
    signature = active.get("signature_info", {})
    whole = state in ("Valid", "Trusted") and not any(word in code for code in problems for word in _TAMPERED)
    return Manifest(
        state="invalid" if not whole else "trusted" if state == "Trusted" else "valid",
        signed_by=", ".join(filter(None, (signature.get("common_name"), signature.get("issuer")))),
        provenance=provenance,
        synthetic=any(action.get("digitalSourceType") == DIGITAL_SOURCE_TYPE for action in actions),
        problems=problems,
    )


def _library() -> Any:
    try:
        import c2pa
    except ImportError as error:
        raise ConfigError('signed manifests need the extra "c2pa": pip install "voxclone[c2pa]"') from error
    return c2pa
