"""What to evaluate on: (reference, text) pairs, from a table of one's own or from the lists of published tests."""

from __future__ import annotations

import csv
import difflib
import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from voxclone.errors import EvaluationError
from voxclone.files import read_text
from voxclone.voice import Voice

VOICE_SUFFIX = ".voice"
_NEEDED = {"reference", "text"}
_KNOWN = {*_NEEDED, "name", "speaker", "recording", "voice"}


@dataclass(frozen=True)
class Item:
    """One utterance to make and judge.

    Attributes:
        name: Unique within the list, and fit for a file name.
        reference: The recording to clone from; what is said is compared with it.
        text: What to say.
        speaker: Whose voice it is; intervals are drawn over speakers.
        recording: The speaker's own recording of the text, where the list has one.
        voice: What says it instead of a clone of the reference, such as a fine-tuned voice.
    """

    name: str
    reference: Path
    text: str
    speaker: str
    recording: Path | None = None
    voice: Voice | None = None


def read_list(
    path: str | os.PathLike[str], *, form: str | None = None, audio_root: str | os.PathLike[str] | None = None
) -> list[Item]:
    """Read a list of utterances.

    Args:
        path: The list.
        form: "table": tab-separated with a header of reference, text and, if wanted, name, speaker, recording, voice
            (a voice file, or the folder that `voxclone finetune` left).
            "seed-tts-eval": `meta.lst` of that test, name|prompt text|prompt audio|text, and |recording in some.
            "librispeech-pc": tab-separated prompt utterance, its seconds, its text, utterance, its seconds, its text,
            as the cross-sentence lists over LibriSpeech-PC have it. None tells them apart by the first line.
        audio_root: What audio paths are relative to; None is the list's folder. For "librispeech-pc" the folder that
            holds a folder for each speaker, such as LibriSpeech/test-clean.

    Raises:
        EvaluationError: The list cannot be read, a line has another form, two items have one name, or audio is missing.
        VoiceError: What a line names as its voice is none.
        ConsentError: The consent of one has expired or was revoked.
    """
    path = Path(path)
    lines = [line for line in read_text(path, EvaluationError).splitlines() if line.strip()]
    if not lines:
        raise EvaluationError(f"the list {path} is empty; it needs a line for each utterance")
    form = form or _guess(lines[0])
    if form not in _READERS:
        raise EvaluationError(f"list form is {form!r}; known are {', '.join(map(repr, _READERS))}")
    root = Path(audio_root) if audio_root is not None else path.parent
    try:
        return _checked(list(_READERS[form](lines, root, path)), path)
    except (OSError, csv.Error) as error:  # a path or a field that is too long
        raise EvaluationError(f"cannot use the list {path}: {error}") from error


def require_names(items: Iterable[Item], where: str = "") -> None:
    """Refuse items whose files would lie in one place, or outside of the report's folder.

    Raises:
        EvaluationError: Two have one name, or one is not fit for a file name; it begins with `where`.
    """
    names: set[str] = set()
    for item in items:
        if item.name != _file_name(item.name):
            raise EvaluationError(
                f"{where}an utterance is named {item.name!r}, which is no file's name; {_file_name(item.name)!r} is one"
            )
        if item.name in names:
            raise EvaluationError(f"{where}two utterances are named {item.name!r}; each needs a name of its own")
        names.add(item.name)


def _checked(items: list[Item], path: Path) -> list[Item]:
    """The items, of which no two have one name, and whose audio is there."""
    require_names(items, f"{path}: ")
    for item in items:
        if item.reference.suffix == VOICE_SUFFIX:
            raise EvaluationError(
                f"{path}: {item.name}: {item.reference.name} is a voice and no recording; name it in a column 'voice', "
                "and as reference a recording of the speaker, which what it says is compared with"
            )
        for audio in (item.reference, item.recording):
            if audio is not None and not audio.is_file():
                raise EvaluationError(
                    f"{path}: {item.name}: there is no file {audio}; audio_root names the folder that paths start from"
                )
    return items


def _guess(line: str) -> str:
    if "|" in line and "\t" not in line:
        return "seed-tts-eval"
    if line.count("\t") == 5 and "reference" not in line.split("\t"):
        return "librispeech-pc"
    return "table"


def _read_table(lines: list[str], root: Path, path: Path) -> Iterable[Item]:
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    columns = set(rows.fieldnames or ())
    if missing := _NEEDED - columns:
        if len(columns) == 1 and set(lines[0].split(",")) >= _NEEDED:
            raise EvaluationError(f"{path} is separated by commas; its columns need tabs between them")
        raise EvaluationError(
            f"{path} lacks the column {', '.join(sorted(missing))}; it has {', '.join(sorted(columns))}, and "
            f"known are {', '.join(sorted(_KNOWN))}, with tabs between them"
        )
    for column in sorted(columns - _KNOWN):
        if meant := difflib.get_close_matches(column, _KNOWN, n=1, cutoff=0.8):
            raise EvaluationError(
                f"{path} has a column {column!r}; if that is {meant[0]!r}, write it so, else rename it"
            )
    load = functools.cache(Voice.load)
    for number, row in enumerate(rows, start=1):
        reference, text = row["reference"], row["text"]
        if not reference or not text:
            raise EvaluationError(f"{path}, utterance {number}: reference or text is empty")
        recording, voice = row.get("recording"), row.get("voice")
        yield Item(
            _file_name(row.get("name") or f"{number:05d}"),
            root / reference,
            text,
            row.get("speaker") or Path(reference).stem,
            root / recording if recording else None,
            load(root / voice) if voice else None,
        )


def _read_seed_tts_eval(lines: list[str], root: Path, path: Path) -> Iterable[Item]:
    for number, line in enumerate(lines, start=1):
        fields = line.split("|")
        if len(fields) not in (4, 5):
            raise EvaluationError(f"{path}, line {number}: needed is name|prompt text|prompt audio|text, got {line!r}")
        name, _, prompt, text = fields[:4]
        own = root / (fields[4] if len(fields) == 5 else f"wavs/{name}.wav")  # where the published test keeps them
        yield Item(_file_name(name), root / prompt, text, Path(prompt).stem, own if own.is_file() else None)


def _read_librispeech_pc(lines: list[str], root: Path, path: Path) -> Iterable[Item]:
    for number, line in enumerate(lines, start=1):
        fields = line.split("\t")
        if len(fields) != 6:
            raise EvaluationError(f"{path}, line {number}: needed are 6 columns, got {len(fields)}")
        prompt, _, _, utterance, _, text = fields
        yield Item(
            f"{utterance}_from_{prompt}",
            _librispeech(root, prompt, path, number),
            text,
            prompt.split("-")[0],
            _librispeech(root, utterance, path, number),
        )


def _librispeech(root: Path, utterance: str, path: Path, number: int) -> Path:
    parts = utterance.split("-")
    if len(parts) != 3 or not all(part.isalnum() for part in parts):
        raise EvaluationError(f"{path}, line {number}: {utterance!r} is no utterance of LibriSpeech (12-34-0005)")
    return root / parts[0] / parts[1] / f"{utterance}.flac"


def _file_name(name: str) -> str:
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in name).lstrip(".") or "_"


_READERS: dict[str, Callable[[list[str], Path, Path], Iterable[Item]]] = {
    "table": _read_table,
    "seed-tts-eval": _read_seed_tts_eval,
    "librispeech-pc": _read_librispeech_pc,
}
