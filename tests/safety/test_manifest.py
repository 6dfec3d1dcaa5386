"""A signed manifest is valid by a reader of its own, and no byte of the file changes unseen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxclone import AudioError, ConfigError, ProvenanceError, Signer, Speech, VoxClone
from voxclone.safety.certificate import DEVELOPMENT_NAME
from voxclone.safety.labels import read_tagged
from voxclone.safety.manifest import has_manifest, read_manifest
from voxclone.safety.provenance import DIGITAL_SOURCE_TYPE

pytest.importorskip("c2pa")
pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import c2pa_reader

SIGNED = ("wav", "mp3", "flac", "m4a")


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer.development()


@pytest.fixture(scope="module")
def speech(tiny_model: VoxClone) -> Speech:
    return tiny_model.generate("Hello there.", tiny_model.voices["ada"])


@pytest.mark.parametrize("suffix", SIGNED)
def test_two_readers_agree_that_it_is_valid(speech: Speech, signer: Signer, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"speech.{suffix}"
    speech.save(path, signer=signer)
    told = read_manifest(path)
    assert told is not None
    assert (told.state, told.synthetic, told.provenance) == ("valid", True, speech.provenance)
    assert told.problems == ("signingCredential.untrusted",)
    assert DEVELOPMENT_NAME in told.signed_by
    reading = c2pa_reader.read(path.read_bytes())
    assert reading.signature_holds
    assert reading.assertions_hold
    assert reading.file_holds
    assert reading.assertions["org.voxclone.provenance"] == speech.provenance.to_dict()
    (action,) = reading.assertions["c2pa.actions.v2"]["actions"]
    assert (action["action"], action["digitalSourceType"]) == ("c2pa.created", DIGITAL_SOURCE_TYPE)
    label = read_tagged(path)
    assert label is not None
    assert (label.provenance, label.signed) == (speech.provenance, "yes")


@pytest.mark.parametrize("suffix", SIGNED)
def test_a_changed_sample_is_seen_by_both(speech: Speech, signer: Signer, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"speech.{suffix}"
    speech.save(path, signer=signer)
    content = bytearray(path.read_bytes())
    manifest = c2pa_reader.manifest_store(bytes(content))
    start = bytes(content).index(manifest)
    at = start // 2 if suffix == "wav" else start + len(manifest) + (len(content) - start - len(manifest)) // 2
    content[at] ^= 1
    path.write_bytes(content)
    told = read_manifest(path)
    assert told is not None
    assert told.state == "invalid"
    reading = c2pa_reader.read(bytes(content))
    assert reading.signature_holds
    assert not reading.file_holds


def test_a_changed_claim_breaks_the_signature(speech: Speech, signer: Signer, tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    speech.save(path, signer=signer)
    content = path.read_bytes()
    at = content.rindex(speech.provenance.voice_id.encode())  # the manifest's, after the tags'
    path.write_bytes(content[:at] + b"0123456789abcdef" + content[at + 16 :])
    told = read_manifest(path)
    assert told is not None
    assert told.state == "invalid"
    assert not c2pa_reader.read(path.read_bytes()).assertions_hold


def test_unsigned_files_have_none(speech: Speech, tmp_path: Path) -> None:
    for suffix in (*SIGNED, "ogg"):
        speech.save(tmp_path / f"speech.{suffix}")
        assert not has_manifest(tmp_path / f"speech.{suffix}")
        assert read_manifest(tmp_path / f"speech.{suffix}") is None


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_a_format_without_manifests_is_refused(speech: Speech, signer: Signer, suffix: str, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be signed"):
        speech.save(tmp_path / f"speech.{suffix}", signer=signer)
    assert not list(tmp_path.iterdir())


def test_a_key_of_another_certificate_signs_nothing(speech: Speech, signer: Signer, tmp_path: Path) -> None:
    mixed = Signer(signer.certificates, Signer.development().private_key)
    with pytest.raises(ProvenanceError, match="cannot be signed"):
        speech.save(tmp_path / "speech.wav", signer=mixed)
    assert not list(tmp_path.iterdir())


def test_a_users_own_files_sign(speech: Speech, signer: Signer, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(signer.certificates)
    (tmp_path / "key.pem").write_bytes(signer.private_key)
    speech.save(tmp_path / "speech.wav", signer=Signer.load(tmp_path / "chain.pem", tmp_path / "key.pem"))
    assert c2pa_reader.read((tmp_path / "speech.wav").read_bytes()).signature_holds
    (tmp_path / "locked.pem").write_bytes(
        serialization.load_pem_private_key(signer.private_key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match=r"locked\.pem has a password"):
        Signer.load(tmp_path / "chain.pem", tmp_path / "locked.pem")
    with pytest.raises(ConfigError, match=r"chain\.pem is not a private key"):
        Signer.load(tmp_path / "chain.pem", tmp_path / "chain.pem")
    with pytest.raises(ConfigError, match="cannot be read"):
        Signer.load(tmp_path / "none.pem", tmp_path / "key.pem")
    with pytest.raises(ConfigError, match="PEM"):
        Signer(b"junk", b"junk")
    with pytest.raises(ConfigError, match="algorithm"):
        Signer(signer.certificates, signer.private_key, "rot13")


@pytest.mark.parametrize(
    ("make", "algorithm"),
    [
        (lambda: ec.generate_private_key(ec.SECP256R1()), "es256"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "es384"),
        (lambda: ec.generate_private_key(ec.SECP521R1()), "es512"),
        (lambda: rsa.generate_private_key(65537, 2048), "ps256"),
        (ed25519.Ed25519PrivateKey.generate, "ed25519"),
        (lambda: ec.generate_private_key(ec.SECP256K1()), None),
    ],
)
def test_the_key_tells_its_algorithm(
    speech: Speech, signer: Signer, make: Callable[[], Any], algorithm: str | None, tmp_path: Path
) -> None:
    key = make()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "chain.pem").write_bytes(certified(key) if algorithm else signer.certificates)
    if algorithm is None:
        with pytest.raises(ConfigError, match="a kind that C2PA does not sign with"):
            Signer.load(tmp_path / "chain.pem", tmp_path / "key.pem")
        return
    own = Signer.load(tmp_path / "chain.pem", tmp_path / "key.pem")
    assert own.algorithm == algorithm
    speech.save(tmp_path / "speech.wav", signer=own)
    told = read_manifest(tmp_path / "speech.wav")
    assert told is not None and (told.state, told.signed_by) == ("valid", "Ada, Ada's office")


def certified(key: Any) -> bytes:
    """A chain for the key, of a signer whom an authority names."""
    root = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "Ada"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ada's office")]
    )
    above = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    start = datetime.now(UTC) - timedelta(days=1)

    def certificate(subject: x509.Name, public: Any, authority: bool) -> bytes:
        usage = dict.fromkeys(
            "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only".split(),
            False,
        )
        builder = (
            x509.CertificateBuilder(
                above, subject, public, x509.random_serial_number(), start, start + timedelta(days=9)
            )
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        )
        if not authority:
            mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(mail, critical=False)
        return builder.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    return certificate(name, key.public_key(), False) + certificate(above, root.public_key(), True)


def test_a_signer_does_not_show_its_key(signer: Signer) -> None:
    assert "PRIVATE" not in repr(signer)


def test_damaged_manifests_are_errors_not_crashes(speech: Speech, signer: Signer, tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    speech.save(path, signer=signer)
    whole = path.read_bytes()
    start = whole.index(b"C2PA")
    random = np.random.default_rng(0)
    for _ in range(40):
        content = bytearray(whole)
        for at in random.integers(start, len(whole), 8):
            content[at] = random.integers(256)
        path.write_bytes(content)
        try:
            told = read_manifest(path)
        except ProvenanceError:
            continue
        assert told is None or told.state == "invalid"
