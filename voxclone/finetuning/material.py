"""Recordings cut into utterances with text, measured, and kept in a work folder that survives a kill."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.reference import prepare_reference
from voxclone.errors import AudioError, ConsentError, TextError, VoxcloneError
from voxclone.finetuning.clips import Clip, Decoded, decode, fingerprints
from voxclone.finetuning.segments import MARGIN_SECONDS, SpeechDetector, cut
from voxclone.finetuning.transcribe import HOW_TO
from voxclone.json_lines import read_json_lines
from voxclone.safety.labels import copy_labelled
from voxclone.synthesis.progress import Stages
from voxclone.text.normalize import normalize
from voxclone.text.phonemes import phonemize

if TYPE_CHECKING:
    from voxclone.finetuning.transcribe import Transcriber

MAX_SECONDS = 20.0  # of an utterance whose text is known as a whole
MIN_SNR_DB = 10.0
MIN_BANDWIDTH_HZ = 3000.0
INDEX = "utterances.jsonl"
UNREADABLE, NO_TEXT = "unreadable", "no text"
RETRIED = frozenset((UNREADABLE, NO_TEXT))  # for which a library, or a transcriber, may since have come


@dataclass(frozen=True)
class Utterance:
    """What became of a stretch of a recording.

    Attributes:
        key: Its name: that of the clip, with its number where the clip was cut.
        source: The clip's key.
        seconds: Its length.
        text: What is said.
        snr_db: See `voxclone.audio.reference.Reference`; None where it could not be measured.
        bandwidth_hz: Likewise.
        dropped: Why it is not used, in two or three words; empty where it is.
        detail: More about that.
        origin: The clip's `fingerprint`.
    """

    key: str
    source: str
    seconds: float
    text: str = ""
    snr_db: float | None = None
    bandwidth_hz: float | None = None
    dropped: str = ""
    detail: str = ""
    origin: str = ""


class Material:
    """Utterances in a folder: `utterances.jsonl` and a flac file for each that is used.

    The index is added to and never changed: where a recording or its text was changed, or is gone, what was cut from it
    stays there and is not among the `utterances`.

    Raises:
        VoxcloneError: A line of the index is damaged, other than the last by a kill.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._all: list[Utterance] = []
        self._present: tuple[str, ...] = ()  # origins
        for made in read_json_lines(folder / INDEX, _utterances, f"delete {folder.parent} and run again"):
            self._all += made

    @property
    def utterances(self) -> list[Utterance]:
        """What was cut from the clips that `add` was given, in their order."""
        return [self._all[number] for number in self._current()]

    def used(self) -> list[tuple[Path, Utterance]]:
        """The utterances that are used, and where the audio of each is."""
        current = [(number, self._all[number]) for number in self._current()]
        return [(self._numbered(number), each) for number, each in current if not each.dropped]

    def _current(self) -> list[int]:
        latest: dict[str, list[int]] = {}
        for number, each in enumerate(self._all):
            own = latest.setdefault(each.origin, [])
            if own and self._all[own[0]].dropped in RETRIED:  # the only one of its clip, then
                own.clear()
            own.append(number)
        return [number for origin in self._present for number in latest.get(origin, [])]

    def _numbered(self, number: int) -> Path:
        return self.folder / f"{number:05d}.flac"

    def add(
        self, clips: Sequence[Clip], detector: SpeechDetector, transcriber: Transcriber | None, language: str,
        require_natural: Callable[[Decoded], None], stages: Stages,
    ) -> None:  # fmt: skip
        """Cut and measure the clips that are not here yet, or have changed since.

        Args:
            clips: All of the speaker's; what was cut from others is no longer used.
            detector: Finds speech.
            transcriber: For clips without text; None leaves them out.
            language: Of the texts.
            require_natural: Raises ConsentError for a clip that a model made.
            stages: Is told how many are done.

        Raises:
            ConsentError: A clip is no recording of a person.
            VoxcloneError: No clip has text, and there is no transcriber.
        """
        if transcriber is None and not any(clip.text for clip in clips):
            raise VoxcloneError(f"none of the {len(clips)} recordings has text; {HOW_TO}")
        origins = fingerprints(clips)
        self._present = tuple(origins.values())
        retried = RETRIED if transcriber else RETRIED - {NO_TEXT}
        done = {each.origin for each in self.utterances if each.dropped not in retried}
        todo = [clip for clip, origin in origins.items() if origin not in done]
        names = {each.key for each in self._all}
        for decoded in stages.through(decode(todo), len(todo), "cutting"):
            _require_natural(decoded, require_natural)
            self.folder.mkdir(parents=True, exist_ok=True)
            origin = origins[decoded.clip]
            made = list(self._cut(decoded, detector, transcriber, language))
            for number, (utterance, audio) in enumerate(made, len(self._all)):
                if audio is not None:
                    copy_labelled(self._numbered(number), audio, decoded.sample_rate, decoded.label)
                key = _unlike(utterance.key, names)
                names.add(key)
                self._all.append(dataclasses.replace(utterance, key=key, origin=origin))
            with (self.folder / INDEX).open("a", encoding="utf-8") as file:
                records = [dataclasses.asdict(utterance) for utterance in self._all[-len(made) :]]
                file.write(json.dumps(records, ensure_ascii=False) + "\n")

    def _cut(
        self, decoded: Decoded, detector: SpeechDetector, transcriber: Transcriber | None, language: str
    ) -> Iterator[tuple[Utterance, NDArray[np.float32] | None]]:
        """A clip's utterances, each with its samples if it is used; at least one."""
        clip, samples, rate, fault, _ = decoded
        if fault is not None:
            yield Utterance(clip.key, clip.key, 0.0, clip.text, dropped=UNREADABLE, detail=str(fault)), None
            return
        whole = len(samples) / rate
        spans = detector.spans(samples, rate)
        if not spans:
            yield Utterance(clip.key, clip.key, whole, clip.text, dropped="no speech"), None
            return
        if clip.text:
            bounds = [(max(0.0, spans[0][0] - MARGIN_SECONDS), min(whole, spans[-1][1] + MARGIN_SECONDS))]
        elif transcriber is None:
            yield Utterance(clip.key, clip.key, whole, dropped=NO_TEXT, detail=HOW_TO), None
            return
        else:
            bounds = cut(spans, whole)
            if not bounds:
                detail = "no pause in it to cut at"
                yield Utterance(clip.key, clip.key, whole, dropped="too long", detail=detail), None
        for number, (start, end) in enumerate(bounds, 1):
            key = clip.key if len(bounds) == 1 else f"{clip.key}@{number}"
            part = samples[round(start * rate) : round(end * rate)]
            text = clip.text or (transcriber.transcribe(part, rate) if transcriber else "")
            utterance = _judge(Utterance(key, clip.key, len(part) / rate, text), part, rate, language)
            yield utterance, None if utterance.dropped else part


def _utterances(made: Any) -> list[Utterance]:
    """Of an index line's value, the utterances of a clip.

    Raises:
        TypeError: It is none.
    """
    found = [Utterance(**each) for each in made]
    for each in found:
        texts = (each.key, each.source, each.text, each.dropped, each.detail, each.origin)
        numbers = [number for number in (each.seconds, each.snr_db, each.bandwidth_hz) if number is not None]
        if not (all(isinstance(one, str) for one in texts) and all(isinstance(one, (int, float)) for one in numbers)):
            raise TypeError("a value of another kind")
    return found


def _unlike(key: str, others: set[str]) -> str:
    """The key, with a number where there is such a one already."""
    names = itertools.chain([key], (f"{key} ({number})" for number in itertools.count(2)))
    return next(name for name in names if name not in others)


def _require_natural(decoded: Decoded, check: Callable[[Decoded], None]) -> None:
    """Check a clip, and name it where it is refused."""
    if decoded.fault is None:
        try:
            check(decoded)
        except ConsentError as error:
            raise ConsentError(f"{decoded.clip.key}: {error}") from error


def _judge(utterance: Utterance, samples: NDArray[np.float32], rate: int, language: str) -> Utterance:
    """With its measures, and why it is dropped if it is."""
    if utterance.seconds > MAX_SECONDS:
        detail = f"{utterance.seconds:.0f} s with one text; at most {MAX_SECONDS:.0f} s, or give subtitles"
        return dataclasses.replace(utterance, dropped="too long", detail=detail)
    if not utterance.text:
        return dataclasses.replace(utterance, dropped="no words heard")
    try:
        phonemize(normalize(utterance.text), language)
    except TextError as error:
        return dataclasses.replace(utterance, dropped="unspeakable text", detail=str(error))
    try:
        reference = prepare_reference((samples, rate), rate)
    except AudioError as error:
        return dataclasses.replace(utterance, dropped="unfit audio", detail=str(error))
    measured = dataclasses.replace(utterance, snr_db=reference.snr_db, bandwidth_hz=reference.bandwidth_hz)
    if reference.snr_db < MIN_SNR_DB:
        detail = f"speech is {reference.snr_db:.0f} dB above the noise; {MIN_SNR_DB:.0f} dB are needed"
        return dataclasses.replace(measured, dropped="noisy", detail=detail)
    if reference.bandwidth_hz < MIN_BANDWIDTH_HZ:
        detail = f"nothing above {reference.bandwidth_hz:.0f} Hz; {MIN_BANDWIDTH_HZ:.0f} Hz are needed"
        return dataclasses.replace(measured, dropped="narrow band", detail=detail)
    return measured
