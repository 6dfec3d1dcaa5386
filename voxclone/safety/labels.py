"""What an audio file says of itself: provenance in its tags, and in a JSON file beside it."""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxclone.errors import AudioError, ConfigError, ProvenanceError
from voxclone.files import file_sha256, require_place
from voxclone.json_limits import parse_json
from voxclone.safety.certificate import Signer
from voxclone.safety.manifest import require_signable, sign_file
from voxclone.safety.provenance import Provenance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LABEL_VERSION = 1
SIDECAR_SUFFIX = ".provenance.json"
GENRE = "Synthetic speech"
LOSSLESS = (".wav", ".flac")  # of the files that `write_audio` writes: their samples come back bit for bit
MAX_LABEL_BYTES = 10_000


@dataclass(frozen=True)
class Label:
    """Provenance, and of which audio.

    Attributes:
        provenance: What made the audio.
        fingerprint: See `voxclone.safety.fingerprint`; "" where the label is a sidecar.
        pcm_sha256: Of the samples as 16-bit integers, where the file keeps them bit for bit.
        file_sha256: Of the whole file, where the label is a sidecar.
        signed: "yes" where the file was saved with a signed manifest.
    """

    provenance: Provenance
    fingerprint: str = ""
    pcm_sha256: str | None = None
    file_sha256: str | None = None
    signed: str | None = None

    def to_json(self) -> str:
        """One line of JSON."""
        marks = {name: value for name in _MARKS if (value := getattr(self, name))}
        content = {"voxclone_label": LABEL_VERSION, "provenance": self.provenance.to_dict(), **marks}
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Label:
        """Read what `to_json` wrote.

        Raises:
            ProvenanceError: It is too long, no JSON object, or not a label that this voxclone reads.
        """
        try:
            content: Any = parse_json(text, MAX_LABEL_BYTES)
        except ValueError as error:
            raise ProvenanceError(f"the label is not JSON: {error}") from error
        if not isinstance(content, dict) or content.pop("voxclone_label", None) != LABEL_VERSION:
            raise ProvenanceError(f"no voxclone label of version {LABEL_VERSION}")
        provenance = Provenance.from_dict(content.pop("provenance", None))
        if unknown := content.keys() - set(_MARKS):
            raise ProvenanceError(f"the label has unknown keys, such as {min(unknown):.40}")
        if any(not isinstance(value, str) for value in content.values()):
            raise ProvenanceError("the label's fingerprint and sums must be texts")
        return cls(provenance, **content)


_MARKS = ("fingerprint", "pcm_sha256", "file_sha256", "signed")


def tags_of_wav(samples: NDArray[np.float32], sample_rate: int, provenance: Provenance) -> dict[str, str]:
    """The tags (`voxclone.audio.tags`) of a wav that will hold the samples (S,) in [-1, 1], unsigned."""
    return _tags(_label_of(samples, sample_rate, provenance, ".wav", False))


def _label_of(
    samples: NDArray[np.float32], sample_rate: int, provenance: Provenance, suffix: str, signed: bool
) -> Label:
    from voxclone.safety.fingerprint import fingerprint, pcm_sha256

    own = pcm_sha256(samples) if suffix in LOSSLESS else None
    return Label(provenance, fingerprint(samples, sample_rate), own, signed="yes" if signed else None)


def _tags(label: Label) -> dict[str, str]:
    told = label.provenance
    return {
        "software": told.generator, "genre": GENRE, "date": told.created,
        "comment": dataclasses.replace(label, file_sha256=None).to_json(),
    }  # fmt: skip


def require_labelled_place(path: Path, signed: bool) -> None:
    """Check that an audio file, its sidecar and, where it is to be signed, its manifest can be written.

    Raises:
        AudioError: See `voxclone.audio.io.require_audio_place`; or the format cannot be signed.
        ConfigError: An extra is needed and not installed.
    """
    from voxclone.audio.io import require_audio_place

    require_audio_place(path)
    require_place(sidecar_path(path), AudioError)
    if signed:
        require_signable(path.suffix.lower())


def save_labelled(
    path: str | os.PathLike[str],
    samples: NDArray[np.float32],
    sample_rate: int,
    provenance: Provenance,
    signer: Signer | None = None,
) -> None:
    """Write an audio file with its provenance in its tags, and beside it a sidecar, `sidecar_path`.

    Args:
        path: See `voxclone.audio.io.write_audio`.
        samples: (S,) in [-1, 1].
        sample_rate: Hz.
        provenance: What made them.
        signer: Whose certificate signs a manifest in the file; None signs nothing.

    Raises:
        AudioError: See `write_audio`.
        ProvenanceError: The manifest could not be signed; nothing is written then.
        ConfigError: The signer is none.
    """
    if not isinstance(signer, Signer | None):
        raise ConfigError(f"signer is {type(signer).__name__}; take Signer.load(CERTIFICATES, KEY), or None")
    target = Path(path)
    require_labelled_place(target, signer is not None)
    suffix = target.suffix.lower()
    label = _label_of(samples, sample_rate, provenance, suffix, signer is not None)

    def sign(written: Path) -> None:
        if signer is not None:
            sign_file(written, suffix, provenance, signer)

    _write(target, samples, sample_rate, label, sign)


def copy_labelled(
    path: str | os.PathLike[str], samples: NDArray[np.float32], sample_rate: int, label: Label | None
) -> None:
    """Write samples of another file, or some of them, with what that file says of itself.

    Its label is put in as it is, with the fingerprint of what was saved first: a copy tells of no more than its source.

    Args:
        path: See `voxclone.audio.io.write_audio`.
        samples: (S,), as they were read.
        sample_rate: Hz.
        label: The source's, see `read_label`; None for what is not voxclone's, which gets none.

    Raises:
        AudioError: See `write_audio`.
    """
    from voxclone.audio.io import write_audio

    if label is None:
        write_audio(path, samples, sample_rate)
        sidecar_path(path).unlink(missing_ok=True)  # of what was there before
    else:
        _write(Path(path), samples, sample_rate, label, lambda _: None)


def _write(
    target: Path, samples: NDArray[np.float32], sample_rate: int, label: Label, sign: Callable[[Path], None]
) -> None:
    """Write a file and its sidecar, each in one step."""
    from voxclone.audio.io import write_audio

    staged = target.with_name(f".{uuid.uuid4().hex}.sidecar")

    def finish(written: Path) -> None:
        sign(written)
        beside = Label(label.provenance, file_sha256=file_sha256(written), signed=label.signed)
        staged.write_text(beside.to_json() + "\n", encoding="utf-8")

    try:
        write_audio(target, samples, sample_rate, tags=_tags(label), finish=finish)
        os.replace(staged, sidecar_path(target))
    except OSError as error:
        raise AudioError(f"{sidecar_path(target)} cannot be written: {error}") from error
    finally:
        staged.unlink(missing_ok=True)


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Where the sidecar of an audio file is: hello.wav.provenance.json beside hello.wav."""
    return Path(f"{os.fspath(path)}{SIDECAR_SUFFIX}")


def read_label(source: Path | bytes) -> Label | None:
    """What an audio file, or a whole one's bytes, says of itself in its tags, or else a file in the sidecar beside it.

    Raises:
        ProvenanceError: The label is damaged.
    """
    try:
        found = read_tagged(source)
    except AudioError:  # of a format whose tags cannot be read
        found = None
    return found if found is not None or isinstance(source, bytes) else read_sidecar(source)


def read_tagged(path: str | os.PathLike[str] | bytes) -> Label | None:
    """The label in the tags of an audio file, or of a whole one's bytes; None where there is none.

    Raises:
        AudioError: The file is not audio that can be read.
        ProvenanceError: The label is damaged.
    """
    from voxclone.audio.tags import read_tags

    comment = read_tags(path).get("comment", "")
    return Label.from_json(comment) if comment.startswith('{"voxclone_label"') else None


def read_sidecar(path: str | os.PathLike[str]) -> Label | None:
    """The label in the sidecar of an audio file, None where there is none.

    Raises:
        ProvenanceError: The sidecar is damaged.
    """
    beside = sidecar_path(path)
    try:
        with beside.open("rb") as file:
            content = file.read(MAX_LABEL_BYTES + 1)
        return Label.from_json(content.decode("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ProvenanceError) as error:
        raise ProvenanceError(f"{beside}: {error}") from error
