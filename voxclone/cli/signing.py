"""--sign: whose certificate signs what a command writes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from voxclone.errors import ConfigError

if TYPE_CHECKING:
    from voxclone.safety.certificate import Signer


def add_sign(parser: argparse.ArgumentParser) -> None:
    """The option that `signer` reads."""
    parser.add_argument(
        "--sign",
        nargs="*",
        metavar="PEM",
        help="add a signed C2PA manifest: CERTIFICATES KEY; with none, a development certificate",
    )


def signer(options: argparse.Namespace) -> Signer | None:
    """Who signs: nobody, a development certificate, or the owner of certificates and key.

    Raises:
        ConfigError: There are not two files, or the extra "c2pa" is not installed.
        ProvenanceError: The files cannot be used.
    """
    files: list[str] | None = options.sign
    if files is None:
        return None
    from voxclone.safety.certificate import Signer

    if not files:
        return Signer.development()
    if len(files) != 2:
        raise ConfigError(f"--sign takes a file of certificates and one of their key, or nothing; got {len(files)}")
    return Signer.load(*files)
