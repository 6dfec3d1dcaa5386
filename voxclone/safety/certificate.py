"""With whose name a manifest is signed: the user's certificate, or one generated for development."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from voxclone.errors import ConfigError

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
DEVELOPMENT_NAME = "voxclone development, not a real identity"
_DAYS = 365
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Signer:
    """A certificate chain and its private key.

    Attributes:
        certificates: PEM, the signer's own first, then those of its authorities.
        private_key: PEM, PKCS 8; not shown by repr.
        algorithm: One of `ALGORITHMS`.
    """

    certificates: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
    algorithm: str = "es256"

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ConfigError(f"signature algorithm is {self.algorithm!r}; it must be one of {', '.join(ALGORITHMS)}")
        for content, name in ((self.certificates, "certificates"), (self.private_key, "private key")):
            if b"-----BEGIN " not in content:
                raise ConfigError(f"the signer's {name} must be PEM")

    @classmethod
    def load(
        cls, certificates: str | os.PathLike[str], private_key: str | os.PathLike[str], algorithm: str | None = None
    ) -> Self:
        """Read PEM files.

        Args:
            certificates: The signer's own, then those of its authorities.
            private_key: The signer's, PKCS 8, without a password.
            algorithm: One of `ALGORITHMS`; None takes the key's.

        Raises:
            ConfigError: A file is missing, not PEM, or the key is of a kind that C2PA does not sign with; or the extra
                "c2pa" is not installed.
        """
        try:
            chain, key = Path(certificates).read_bytes(), Path(private_key).read_bytes()
        except OSError as error:
            raise ConfigError(f"the signing certificate or key cannot be read: {error}") from error
        return cls(chain, key, algorithm or _algorithm_of(key, private_key))

    @classmethod
    def development(cls) -> Self:
        """A new certificate under a new authority, both for a year, that nobody trusts: to try signing.

        Raises:
            ConfigError: The extra "c2pa" is not installed.
        """
        try:
            from cryptography import x509
            from cryptography.hazmat.primitives import hashes, serialization
            from cryptography.hazmat.primitives.asymmetric import ec
            from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
        except ImportError as error:
            raise ConfigError(
                'a development certificate needs the extra "c2pa": pip install "voxclone[c2pa]"'
            ) from error

        def named(role: str) -> x509.Name:
            organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT_NAME)
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, role), organisation])

        def usage(authority: bool) -> x509.KeyUsage:
            return x509.KeyUsage(
                digital_signature=not authority,
                key_cert_sign=authority,
                crl_sign=authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            )

        start = datetime.now(UTC) - timedelta(days=1)
        root_key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

        def certificate(role: str, key: ec.EllipticCurvePrivateKey, authority: bool) -> x509.Certificate:
            constraints = x509.BasicConstraints(ca=authority, path_length=0 if authority else None)
            builder = (
                x509.CertificateBuilder()
                .subject_name(named(role))
                .issuer_name(named("authority"))
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(start)
                .not_valid_after(start + timedelta(days=_DAYS))
                .add_extension(constraints, critical=True)
                .add_extension(usage(authority), critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
                )
            )
            if not authority:  # what the C2PA certificate profile asks of a signer
                purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
                builder = builder.add_extension(purposes, critical=False)
            return builder.sign(root_key, hashes.SHA256())

        chain = [certificate("signer", own_key, False), certificate("authority", root_key, True)]
        return cls(
            b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain),
            own_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )


def _algorithm_of(private_key: bytes, path: object) -> str:
    """What a private key signs with: the curve tells, and RSA keys take PSS with SHA-256.

    Raises:
        ConfigError: It is no key that C2PA signs with.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    except ImportError as error:
        raise ConfigError('signing needs the extra "c2pa": pip install "voxclone[c2pa]"') from error
    try:
        key = serialization.load_pem_private_key(private_key, password=None)
    except TypeError as error:  # as cryptography says it
        raise ConfigError(f"the private key {path} has a password; signing needs it without one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} is not a private key in PEM: {error}") from error
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise ConfigError(
        f"the private key {path} is of a kind that C2PA does not sign with: P-256, P-384, P-521, RSA, Ed25519"
    )
