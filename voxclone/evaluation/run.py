"""An evaluation from list to report."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxclone.audio.io import read_audio
from voxclone.errors import AudioError, ConsentError, EvaluationError, ProvenanceError
from voxclone.evaluation.earlier import SPOKEN_FOLDER, digests, require_own_report, sum_of
from voxclone.evaluation.lists import Item, require_names
from voxclone.evaluation.page import write_page
from voxclone.evaluation.report import CLONED, MADE, RECORDED, VOICE, Report, Utterance
from voxclone.evaluation.scores import Panel
from voxclone.evaluation.speaking import SPEECH_FOLDER, place_of, speak
from voxclone.files import remove_leftovers, require_folder
from voxclone.safety.labels import copy_labelled, read_label
from voxclone.version import __version__

if TYPE_CHECKING:
    from voxclone.synthesis import VoxClone

JUDGES_PACKAGES = ("jiwer", "pocketsphinx", "faster-whisper", "transformers", "torchmetrics")
MADE_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus")
RECORDING_FOLDER, REFERENCE_FOLDER = "recordings", "references"  # within the report's folder


def evaluate(
    model: VoxClone | None,
    items: Sequence[Item],
    out: str | os.PathLike[str],
    *,
    consent: str | None = None,
    recogniser: str | None = None,
    verifier: str | None = None,
    naturalness: Sequence[str] | None = None,
    made: str | os.PathLike[str] | None = None,
    recordings: bool = True,
    progress: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Report:
    """Clone each reference where no voice is given, say each text, have it judged, and write a report.

    A judge that is named has to be there before anything is spoken. Those asked by default are reported as absent where
    they are not installed or have no weights here, as is one that fails; nothing is counted as zero.

    Called again, after whatever stopped it or with other judges, it keeps what was spoken of the same texts,
    references, voices, model and options. More items may come to a report; one that has others is not written over.

    Args:
        model: What speaks; None with `made`.
        items: What to say in whose voice, see `read_list`.
        out: The report's folder: report.html, report.json, summary.tsv, utterances.tsv and the audio.
        consent: On what ground the references' voices may be cloned: "LibriSpeech, CC BY 4.0". None where nothing is
            cloned: where every item has a voice, which carries its own, or with `made`.
        recogniser: A name of `RECOGNISERS`, with ":" and what it takes; "none" for no word errors. None is
            "pocketsphinx", if it is there.
        verifier: A name of `VERIFIERS`, likewise; None: similarity is absent, since no verifier is installed with this.
        naturalness: Names of `NATURALNESS`, likewise; None is "dnsmos" and "nisqa", if they are there.
        made: A folder with one <name>.wav (or flac, mp3, ogg, opus) for each item, which is judged instead of speech
            that `model` would make: so is another system compared.
        recordings: Judge the speaker's own recordings of the texts too, where the list has them.
        progress: Show a progress bar where standard error is a terminal.
        options: Keyword arguments of `VoxClone.generate`.

    Raises:
        EvaluationError: There is nothing to evaluate, two items have one name or one is no file's name, there is no
            judge of a name or a named one cannot be had, or `out` is a file, not writable, or has a report of other
            speech.
        ConsentError: There is no ground and a reference without a voice, or one although nothing is cloned, or a
            voice's consent does not hold.
        VoiceError: The model cannot speak with a given voice.
    """
    if not items:
        raise EvaluationError("there is nothing to evaluate: the list is empty")
    require_names(items)
    _require_ground(items, consent, made)
    if (model is None) == (made is None):
        raise EvaluationError("give either a model that speaks, or the folder of what another system made")
    if made is not None and not Path(made).is_dir():
        raise EvaluationError(f"there is no folder {os.fspath(made)} with what another system made")
    folder, options = Path(out), options or {}
    require_folder(folder, EvaluationError)
    summed = _digests(model, items, consent, made, options)
    require_own_report(folder, summed)
    panel = Panel.seat(recogniser, verifier, naturalness)
    if recogniser is None and "words" in panel.absent:  # that no weights came with the predictors is known
        warnings.warn(f"words will be absent from the report: {panel.absent['words']}", UserWarning, stacklevel=2)
    for each in (SPEECH_FOLDER, SPOKEN_FOLDER, RECORDING_FOLDER, REFERENCE_FOLDER):
        (folder / each).mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder / each)
    copies, unreadable = _copy_references(items, folder)
    if made is not None:
        utterances = [_take(item, Path(made), folder, unreadable.get(item.reference)) for item in items]
        for utterance in utterances:
            utterance.digest = summed[utterance.name]
    else:
        assert model is not None
        utterances = speak(
            model, items, folder, summed, unreadable, consent=consent or "", options=options, progress=progress
        )
    if recordings:
        own = [item for item in items if item.recording is not None and item.reference not in unreadable]
        utterances += [_copy(item, RECORDED, item.recording, folder) for item in own if item.recording is not None]
    systems = {system: [u for u in utterances if u.system == system] for system in (CLONED, VOICE, MADE, RECORDED)}
    references = {item.name: item.reference for item in items}
    for spoken in systems.values():
        panel.judge(spoken, folder, references)
    summary = {system: panel.summarise(spoken) for system, spoken in systems.items() if spoken}
    about = _about(model, made, items, utterances) | _grounds(items, consent, made)
    report = Report(about, utterances, summary)
    report.write_tables(folder)
    write_page(report, folder, {item.name: copies[item.reference] for item in items})
    return report


def _require_ground(items: Sequence[Item], consent: str | None, made: object) -> None:
    """Refuse to clone without a ground, and a ground that nothing would stand on.

    Raises:
        ConsentError: It is so.
    """
    cloned = made is None and any(item.voice is None for item in items)
    if cloned and not (consent or "").strip():
        raise ConsentError("references are cloned on some ground: give it as consent, such as 'LibriSpeech, CC BY 4.0'")
    if consent is not None and not cloned:
        why = "every voice is given, and carries its own" if made is None else "what was made elsewhere is judged"
        raise ConsentError(f"nothing is cloned here, so that there is nothing to consent to: {why}; leave consent out")


def _digests(
    model: VoxClone | None,
    items: Sequence[Item],
    consent: str | None,
    made: str | os.PathLike[str] | None,
    options: Mapping[str, Any],
) -> dict[str, str | None]:
    """See `digests`: the sound of what was made is its file's, that of speech its voice's and the model's."""
    if model is None:
        files = {item.name: _made_file(item, Path(made or "")) for item in items}
        return digests(items, lambda item: None if (file := files[item.name]) is None else sum_of(file))
    settings = model.settings_id(**options)
    return digests(items, lambda item: f"{settings} {consent if item.voice is None else item.voice.voice_id}")


def _made_file(item: Item, made: Path) -> Path | None:
    return next((path for suffix in MADE_SUFFIXES if (path := made / f"{item.name}{suffix}").is_file()), None)


def _take(item: Item, made: Path, folder: Path, unreadable: str | None) -> Utterance:
    """The file that another system made, if there is a reference to compare it with."""
    if unreadable is not None:
        return Utterance(item.name, item.speaker, MADE, item.text, failure=unreadable)
    if (path := _made_file(item, made)) is not None:
        return _copy(item, MADE, path, folder)
    return Utterance(item.name, item.speaker, MADE, item.text, failure=f"{made} holds no {item.name}.wav")


def _copy(item: Item, system: str, source: Path, folder: Path) -> Utterance:
    utterance = Utterance(item.name, item.speaker, system, item.text)
    try:
        _copy_file(source, folder / _place(item, system))
    except (AudioError, ProvenanceError) as error:
        utterance.failure = str(error)
    else:
        utterance.audio = _place(item, system)
    return utterance


def _place(item: Item, system: str) -> str:
    return f"{RECORDING_FOLDER}/{item.name}.wav" if system == RECORDED else place_of(item)


def _copy_file(source: Path, target: Path) -> None:
    """As a wav file, which every judge reads; what voxclone made says so in the copy, and nothing else does."""
    copy_labelled(target, *read_audio(source), read_label(source))


def _copy_references(items: Sequence[Item], folder: Path) -> tuple[dict[Path, str], dict[Path, str]]:
    """Each reference's copy beside the report, for the page's players ("" for none); why there is none."""
    copies: dict[Path, str] = {}
    unreadable: dict[Path, str] = {}
    for reference in dict.fromkeys(item.reference for item in items):
        name = f"{REFERENCE_FOLDER}/{len(copies):05d}.wav"
        try:
            _copy_file(reference, folder / name)
        except (AudioError, ProvenanceError) as error:
            name, unreadable[reference] = "", str(error)
        copies[reference] = name
    return copies, unreadable


def _about(
    model: VoxClone | None, made: object, items: Sequence[Item], utterances: Sequence[Utterance]
) -> dict[str, Any]:
    import torch

    listed = json.dumps([[item.name, item.reference.name, item.speaker, item.text] for item in items])
    return {
        "evaluated": model.config.name if model is not None else f"files in {Path(str(made)).name}",
        "model": f"{model.encoder_id} {model.acoustic_id}" if model is not None else None,
        "list": hashlib.sha256(listed.encode()).hexdigest()[:16],
        "device": str(model.device) if model is not None else None,
        "utterances": len(items),
        "speakers": len({item.speaker for item in items}),
        "failed": sum(utterance.failure is not None for utterance in utterances),
        "kept": sum(utterance.kept for utterance in utterances) or None,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "voxclone": __version__,
        "torch": torch.__version__,
        **{package: found for package in JUDGES_PACKAGES if (found := _version(package)) is not None},
        "threads": torch.get_num_threads(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "platform": platform.platform(),
    }


def _grounds(items: Sequence[Item], consent: str | None, made: object) -> dict[str, str | None]:
    """Which given voices spoke, and on what ground all of them did."""
    voices = list(dict.fromkeys(item.voice for item in items if item.voice is not None)) if made is None else []
    bases = [record.basis for voice in voices for record in voice.consents]
    return {
        "voices": ", ".join(f"{voice.name} {voice.voice_id}" for voice in voices) or None,
        "consent": "; ".join(dict.fromkeys([*([consent] if consent else []), *bases])) or None,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
