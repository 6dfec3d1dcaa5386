"""What a folder holds of an earlier evaluation: a report, which is not lost to another, and speech, which is kept."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voxclone.errors import EvaluationError
from voxclone.evaluation.lists import Item
from voxclone.evaluation.report import RECORDED, REPORT, Utterance
from voxclone.files import file_sha256, replace_file
from voxclone.json_limits import read_json

SPOKEN_FOLDER = "spoken"  # within the report's folder, one file for each utterance that was spoken
MAX_REPORT_BYTES = 1_000_000_000
MAX_SPOKEN_BYTES = 50_000_000


def digests(items: Sequence[Item], sound: Callable[[Item], str | None]) -> dict[str, str | None]:
    """Item's name → 64 hex digits of what is said, by whom, how, and what it is compared with.

    Args:
        items: Whose.
        sound: What an item's sound depends on besides its text, reference and speaker; None where it has none.

    Returns:
        None for an item without a sound, and for one whose reference cannot be read.
    """
    reference_sha256 = functools.cache(sum_of)
    found: dict[str, str | None] = {}
    for item in items:
        told = (sound(item), reference_sha256(item.reference), item.speaker, item.text)
        found[item.name] = None if None in told else hashlib.sha256(json.dumps(told).encode()).hexdigest()
    return found


def sum_of(path: Path) -> str | None:
    """A file's SHA-256; None where it cannot be read, which whoever needs its content will say."""
    try:
        return file_sha256(path)
    except OSError:
        return None


def require_own_report(folder: Path, digests: Mapping[str, str | None]) -> None:
    """Refuse a folder whose report has speech that this evaluation will not have.

    Raises:
        EvaluationError: It does, or its report cannot be read.
    """
    path = folder / REPORT
    if not path.exists():
        return
    way = "choose another folder, or delete that file to have it written over"
    try:
        spoken = [each for each in read_json(path, MAX_REPORT_BYTES)["utterances"] if each["system"] != RECORDED]
        held = {str(each["name"]): each["digest"] for each in spoken if each["audio"] is not None}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{path} is no report of this voxclone ({error!r}); {way}") from error
    if other := [name for name, digest in held.items() if digests.get(name) != digest]:
        raise EvaluationError(
            f"{path} is a report of other speech: {len(other)} of its {len(held)} utterances, such as {other[0]!r}, "
            f"are not in this list, or have another text, reference, voice, model or option; {way}"
        )


def kept(folder: Path, utterance: Utterance, audio: str) -> bool:
    """Fill in what an earlier evaluation spoke, where it was this and its file is as it was left.

    Args:
        folder: The report's folder.
        utterance: With its digest.
        audio: Its file within the folder.
    """
    try:
        found: Any = read_json(_record(folder, utterance), MAX_SPOKEN_BYTES)
        if utterance.digest is None or found["digest"] != utterance.digest:
            return False
        if found["audio_sha256"] != file_sha256(folder / audio):
            return False
        seconds = float(found["synthesis_seconds"])
        words, phonemes = ([(str(text), float(a), float(b)) for text, a, b in found[part]] for part in _SEGMENTS)
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is damaged: it is spoken again
        return False
    utterance.audio, utterance.kept, utterance.synthesis_seconds = audio, True, seconds
    utterance.words, utterance.phonemes = words, phonemes
    return True


def keep(folder: Path, utterance: Utterance) -> None:
    """Note what was spoken, for `kept`; its audio is in the folder."""
    told = {name: getattr(utterance, name) for name in ("digest", "synthesis_seconds", *_SEGMENTS)}
    told["audio_sha256"] = file_sha256(folder / str(utterance.audio))
    replace_file(_record(folder, utterance), json.dumps(told).encode())


_SEGMENTS = ("words", "phonemes")


def _record(folder: Path, utterance: Utterance) -> Path:
    return folder / SPOKEN_FOLDER / f"{utterance.name}.json"
