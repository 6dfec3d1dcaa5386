"""What a file says of its origin, and whether its label, its manifest, its mark and its sound agree."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.io import read_audio
from voxclone.errors import ConfigError, ProvenanceError
from voxclone.files import file_sha256
from voxclone.safety.fingerprint import RELATED, SAME, distance, fingerprint, pcm_sha256
from voxclone.safety.labels import LOSSLESS, Label, read_sidecar, read_tagged
from voxclone.safety.manifest import Manifest, has_manifest, read_manifest
from voxclone.safety.provenance import Provenance

Verdict = Literal["consistent", "edited", "stripped", "transplanted", "forged", "foreign", "nothing", "unclear"]
Found = Literal["watermarked", "not_detected", "inconclusive"]
Part = TypeVar("Part")
Detector = Callable[[NDArray[np.float32], int], Found]  # of (S,) samples and their rate in Hz

MEANINGS: dict[Verdict, str] = {
    "consistent": "voxclone made this, and everything that the file says of it agrees",
    "edited": "voxclone made this, and audio or label were changed since: cut, mixed, put into another format",
    "stripped": "voxclone's mark or a part of its label is there, and the rest of the label was taken away",
    "transplanted": "the label belongs to other audio, or its parts tell of different speech",
    "forged": "the label says that voxclone made this, with a mark that is not in the audio",
    "foreign": "a signed manifest of another program is there, and nothing of voxclone",
    "nothing": "no label, manifest or mark of voxclone was found, which does not show that it is a recording",
    "unclear": "no label was found, and the audio is too short or too noisy to find a mark",
}


@dataclass(frozen=True)
class Inspection:
    """What was found in a file.

    Attributes:
        verdict: A key of `MEANINGS`, which says what each means.
        reasons: What speaks for the verdict, a sentence each.
        tags: The label in the file's tags.
        sidecar: The label in the JSON file beside it.
        manifest: Its signed manifest.
        mark: What the detector found; None where there was no detector.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    tags: Label | None
    sidecar: Label | None
    manifest: Manifest | None
    mark: Found | None

    @property
    def provenance(self) -> Provenance | None:
        """What the file says: its manifest first, then its tags, then its sidecar."""
        for holder in (self.manifest, self.tags, self.sidecar):
            if holder is not None and holder.provenance is not None:
                return holder.provenance
        return None


class _Evidence(NamedTuple):
    """What speaks for each verdict, a sentence each; `_judge` says which of them counts first."""

    transplanted: list[str]
    edited: list[str]
    stripped: list[str]
    forged: list[str]


def inspect_file(path: str | os.PathLike[str], detect: Detector | None = None) -> Inspection:
    """Read everything that a file says of its origin, and compare.

    Args:
        path: An audio file.
        detect: Looks for the mark; None leaves the mark out.

    Raises:
        AudioError: The file is not audio that can be read.
    """
    path = Path(path)
    samples, sample_rate = read_audio(path)
    evidence = _Evidence([], [], [], [])
    tags = _read(lambda: read_tagged(path), evidence)
    sidecar = _read(lambda: read_sidecar(path), evidence)
    signed = has_manifest(path)
    manifest, unread = None, ""
    try:
        manifest = _read(lambda: read_manifest(path), evidence) if signed else None
    except ConfigError as error:
        unread = f"a signed manifest is there that was not read: {error}"
    mark = detect(samples, sample_rate) if detect is not None else None
    told = {
        name: holder.provenance
        for name, holder in (("the tags", tags), ("the sidecar", sidecar), ("the manifest", manifest))
        if holder is not None and holder.provenance is not None
    }
    if len(set(told.values())) > 1:
        evidence.transplanted.append(f"{' and '.join(told)} tell of different speech")
    if tags is not None:
        _compare_sound(tags, path, samples, sample_rate, evidence)
    if sidecar is not None:
        _compare_file(sidecar, path, tags, evidence)
    if manifest is not None and manifest.state == "invalid":
        evidence.edited.append(f"the file was changed after it was signed ({', '.join(manifest.problems)})")
    if not signed and any(label is not None and label.signed for label in (tags, sidecar)):
        evidence.stripped.append("the label says that the file was signed, and there is no manifest")
    for provenance in dict.fromkeys(told.values()):
        _compare_mark(provenance, mark, evidence)
    if mark == "watermarked" and not told:
        evidence.stripped.append("the audio carries voxclone's mark, and no label tells of it")
    verdict, reasons = _judge(evidence, told, manifest, mark)
    return Inspection(verdict, tuple(filter(None, (*reasons, unread))), tags, sidecar, manifest, mark)


def _judge(
    evidence: _Evidence, told: dict[str, Provenance], manifest: Manifest | None, mark: Found | None
) -> tuple[Verdict, list[str]]:
    """The gravest verdict that there is evidence for, with its reasons; without any, by what the file tells."""
    if evidence.transplanted:
        return "transplanted", evidence.transplanted + evidence.forged
    if evidence.forged:
        return "forged", evidence.forged
    if evidence.stripped:
        return "stripped", evidence.stripped + evidence.edited
    if evidence.edited:
        return "edited", evidence.edited
    if told:
        return "consistent", [f"{' and '.join(told)} agree with the audio"]
    if manifest is not None:
        return "foreign", [f"a manifest signed by {manifest.signed_by or 'an unnamed certificate'}"]
    return ("unclear", []) if mark == "inconclusive" else ("nothing", [])


def _read(reader: Callable[[], Part | None], evidence: _Evidence) -> Part | None:
    """A part of the label; damage to it counts as an edit."""
    try:
        return reader()
    except ProvenanceError as error:
        evidence.edited.append(str(error))
        return None


def _compare_sound(
    label: Label, path: Path, samples: NDArray[np.float32], sample_rate: int, evidence: _Evidence
) -> None:
    """Whether the tags are of this sound: sample by sample where the format keeps samples, else by the fingerprint."""
    if label.pcm_sha256 and path.suffix.lower() in LOSSLESS and pcm_sha256(samples) == label.pcm_sha256:
        return
    if not label.fingerprint:
        evidence.edited.append("the label in the tags does not say of which audio it is")
        return
    try:
        differing = distance(label.fingerprint, fingerprint(samples, sample_rate))
    except ProvenanceError as error:
        evidence.edited.append(str(error))
        return
    share = f"{differing:.0%} of the fingerprint's bits differ"
    if differing > RELATED:
        evidence.transplanted.append(f"the tags are those of other audio: {share}")
    elif differing > SAME:
        evidence.edited.append(f"the audio is a part of what was saved, or was processed: {share}")
    elif label.pcm_sha256:
        evidence.edited.append(f"the audio is what was saved, but not sample by sample: {share}")


def _compare_file(label: Label, path: Path, tags: Label | None, evidence: _Evidence) -> None:
    if label.file_sha256 == file_sha256(path):
        return
    evidence.edited.append("the file is not, byte for byte, the one that the sidecar was written for")
    if tags is None:
        evidence.stripped.append("the sidecar is there, and the file itself carries no label")


def _compare_mark(provenance: Provenance, mark: Found | None, evidence: _Evidence) -> None:
    if provenance.watermark_id is not None and mark == "not_detected":
        evidence.forged.append(f"the mark {provenance.watermark_id!r}, of which the label tells, is not in the audio")
    if provenance.watermark_id is None and mark == "watermarked":
        evidence.transplanted.append("the label is of a model that makes no mark, and the audio is marked")
