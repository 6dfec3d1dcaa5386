"""A C2PA reader that shares no code with the writer: containers by hand, cbor2, and signatures by cryptography."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


@dataclass
class Reading:
    """What was found: assertions by label, and whether signature, assertion hashes and the file's hash hold."""

    assertions: dict[str, Any] = field(default_factory=dict)
    signature_holds: bool = False
    assertions_hold: bool = False
    file_holds: bool = False
    signer: str = ""


def manifest_store(content: bytes) -> bytes:
    """The JUMBF of a RIFF, ID3 (mp3, flac) or ISO base media file."""
    if content[:4] == b"RIFF":
        at = 12
        while at + 8 <= len(content):
            name, size = struct.unpack_from("<4sI", content, at)
            if name == b"C2PA":
                return content[at + 8 : at + 8 + size]
            at += 8 + size + size % 2
    if content[:3] == b"ID3":
        return _from_id3(content)
    if content[4:8] == b"ftyp":
        at = 0
        while at + 8 <= len(content):
            size, name = struct.unpack_from(">I4s", content, at)
            if name == b"uuid" and content[at + 8 : at + 24].hex() == "d8fec3d61b0e483c92975828877ec481":
                return content[content.index(b"jumb", at) - 4 : at + size]  # after purpose and offset
            at += size
    raise AssertionError("no C2PA manifest store was found")


def _from_id3(content: bytes) -> bytes:
    """The object of a GEOB frame (ID3v2.3 or 2.4) whose type is a manifest store."""
    size = int("".join(f"{byte:07b}" for byte in content[6:10]), 2)
    at = 10
    while at + 10 <= 10 + size and content[at] != 0:
        frame = content[at : at + 4]
        raw = content[at + 4 : at + 8]
        length = int("".join(f"{b:07b}" for b in raw), 2) if content[3] == 4 else int.from_bytes(raw, "big")
        body = content[at + 10 : at + 10 + length]
        if frame == b"GEOB" and b"c2pa" in body[:80]:
            return body[body.index(b"jumb") - 4 :]
        at += 10 + length
    raise AssertionError("no GEOB frame holds a manifest store")


def boxes(content: bytes) -> list[tuple[str, bytes]]:
    """Type and body of each box."""
    found, at = [], 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        size = size or len(content) - at
        found.append((kind.decode("latin-1"), content[at + 8 : at + size]))
        at += size
    return found


def label_of(superbox: bytes) -> str:
    """The label in a JUMBF superbox's description box."""
    description = boxes(superbox)[0][1]
    return description[17:].split(b"\0", 1)[0].decode()


def read(content: bytes) -> Reading:
    """Validate the active manifest of a wav, mp3, flac or m4a file."""
    store = boxes(manifest_store(content))[0][1]
    manifest = [body for kind, body in boxes(store) if kind == "jumb"][-1]
    parts = {label_of(body): body for kind, body in boxes(manifest) if kind == "jumb"}
    reading = Reading()
    claim_box = parts.get("c2pa.claim.v2") or parts["c2pa.claim"]
    claim_bytes = boxes(claim_box)[1][1]
    claim = cbor2.loads(claim_bytes)
    assertions = {label_of(body): body for kind, body in boxes(parts["c2pa.assertions"]) if kind == "jumb"}
    for name, body in assertions.items():
        kind, payload = boxes(body)[1]
        reading.assertions[name] = cbor2.loads(payload) if kind == "cbor" else payload
    listed = claim.get("created_assertions", claim.get("assertions", [])) + claim.get("gathered_assertions", [])
    named = {each["url"].rpartition("/")[2]: each["hash"] for each in listed}
    reading.assertions_hold = set(named) == set(assertions) and all(
        hashlib.sha256(assertions[name]).digest() == digest for name, digest in named.items()
    )
    _verify_signature(cbor2.loads(boxes(parts["c2pa.signature"])[1][1]), claim_bytes, reading)
    binding = reading.assertions.get("c2pa.hash.data")
    if binding is not None:
        kept, at = hashlib.sha256(), 0
        for skipped in sorted(binding["exclusions"], key=lambda each: each["start"]):
            kept.update(content[at : skipped["start"]])
            at = skipped["start"] + skipped["length"]
        kept.update(content[at:])
        reading.file_holds = kept.digest() == binding["hash"]
    binding = reading.assertions.get("c2pa.hash.bmff.v3")
    if binding is not None:
        reading.file_holds = _bmff_hash(content, binding["exclusions"]) == binding["hash"]
    return reading


def _bmff_hash(content: bytes, exclusions: list[dict[str, Any]]) -> bytes:
    """SHA-256 of every top-level box that is not excluded, each after its offset (C2PA 2.1, section A.5)."""
    kept, at = hashlib.sha256(), 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        box = content[at : at + size]
        if not any(
            excluded["xpath"] == f"/{kind.decode()}"
            and all(box[d["offset"] :].startswith(d["value"]) for d in excluded.get("data") or [])
            for excluded in exclusions
        ):
            kept.update(struct.pack(">Q", at) + box)
        at += size
    return kept.digest()


def _verify_signature(cose: Any, claim_bytes: bytes, reading: Reading) -> None:
    """COSE_Sign1 (RFC 9052, section 4.4) with ES256 and its certificate chain."""
    protected, unprotected, _, signature = cose.value
    header = cbor2.loads(protected)
    assert header[1] == -7, "ES256 alone is read here"
    chain = header.get(33) or unprotected.get("x5chain") or unprotected[33]
    leaf, authority = (x509.load_der_x509_certificate(der) for der in chain[:2])
    reading.signer = leaf.subject.rfc4514_string()
    signed = cbor2.dumps(["Signature1", protected, b"", claim_bytes])
    half = len(signature) // 2
    pair = (int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        leaf.verify_directly_issued_by(authority)
        key.verify(encode_dss_signature(*pair), signed, ec.ECDSA(hashes.SHA256()))
        reading.signature_holds = True
    except InvalidSignature:
        reading.signature_holds = False
