"""Having a list's texts said, by clones of its references and by given voices."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxclone.errors import TextError, VoxcloneError
from voxclone.evaluation.earlier import keep, kept
from voxclone.evaluation.lists import Item
from voxclone.evaluation.report import CLONED, VOICE, Utterance
from voxclone.safety import Consent
from voxclone.synthesis.progress import progress_bar

if TYPE_CHECKING:
    from voxclone.synthesis import VoxClone
    from voxclone.voice import Voice

SPEECH_FOLDER = "audio"  # within the report's folder
WARM_TEXT = "One."


def place_of(item: Item) -> str:
    """The file of what is judged, within the report's folder."""
    return f"{SPEECH_FOLDER}/{item.name}.wav"


def speak(
    model: VoxClone,
    items: Sequence[Item],
    folder: Path,
    digests: Mapping[str, str | None],
    unreadable: Mapping[Path, str],
    *,
    consent: str,
    options: Mapping[str, Any],
    progress: bool,
) -> list[Utterance]:
    """Say each item's text, unless an earlier evaluation into the folder did.

    Args:
        model: What speaks.
        items: What to say in whose voice.
        folder: The report's folder.
        digests: Of each item, by name.
        unreadable: References that cannot be read, and why.
        consent: On what ground references are cloned.
        options: Keyword arguments of `VoxClone.generate`.
        progress: Show a bar.

    Returns:
        One utterance for each item; those that could not be made say why.
    """
    for given in dict.fromkeys(item.voice for item in items if item.voice is not None):
        model.generate(WARM_TEXT, given, **options)  # is refused now, or loads what later calls find loaded
    voices: dict[Path, Voice | str] = {}  # by reference; a text says why there is none
    warm = False
    utterances = [_begun(item, digests[item.name]) for item in items]
    pairs = list(zip(items, utterances, strict=True))
    left = [(item, utterance) for item, utterance in pairs if not kept(folder, utterance, place_of(item))]
    for item, utterance in progress_bar(left, "utterances", progress):
        if item.voice is not None and item.reference in unreadable:
            utterance.failure = f"there is no reference to compare it with: {unreadable[item.reference]}"
            continue
        voice: Voice | str | None = item.voice or voices.get(item.reference)
        if voice is None:
            voice = voices[item.reference] = _clone(model, item, consent)
        if isinstance(voice, str):
            utterance.failure = voice
            continue
        try:
            if not warm:
                model.generate(item.text, voice, **options)
                warm = True
            start = time.perf_counter()
            speech = model.generate(item.text, voice, **options)
            utterance.synthesis_seconds = time.perf_counter() - start
        except TextError as error:
            utterance.failure = str(error)
            continue
        utterance.audio = place_of(item)
        speech.save(folder / utterance.audio)
        utterance.words = [(word.text, word.start_seconds, word.end_seconds) for word in speech.words]
        utterance.phonemes = [(each.text, each.start_seconds, each.end_seconds) for each in speech.phonemes]
        keep(folder, utterance)
    return utterances


def _begun(item: Item, digest: str | None) -> Utterance:
    system = CLONED if item.voice is None else VOICE
    return Utterance(item.name, item.speaker, system, item.text, digest=digest)


def _clone(model: VoxClone, item: Item, consent: str) -> Voice | str:
    record = Consent.attest(item.speaker, basis=consent)
    try:
        return model.clone(item.reference, name=item.speaker, consent=record)
    except VoxcloneError as error:  # unfit audio, or a reference that is refused
        return f"the reference cannot be cloned: {error}"
