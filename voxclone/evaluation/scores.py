"""Asking the judges about recordings, and averaging what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

from voxclone.audio.io import read_audio
from voxclone.errors import EvaluationError
from voxclone.evaluation.intervals import bootstrap
from voxclone.evaluation.judges import VERIFIERS, Absent, open_naturalness, open_recogniser, open_verifier
from voxclone.evaluation.judges.naturalness import Naturalness
from voxclone.evaluation.judges.recognisers import Recogniser
from voxclone.evaluation.judges.verifiers import Verifier
from voxclone.evaluation.prosody import measure_prosody
from voxclone.evaluation.report import Mean, Utterance
from voxclone.evaluation.words import comparable, count_errors, counting

Judge = TypeVar("Judge")
RECOGNISER, PREDICTORS = "pocketsphinx", ("dnsmos", "nisqa")  # who is asked where nobody is named
NONE = "none"


@dataclass
class Panel:
    """The judges of an evaluation, and why others are not among them.

    Attributes:
        absent: What the judge was for ("words", "similarity", or a predictor's name) → why it is absent.
    """

    recogniser: Recogniser | None
    verifier: Verifier | None
    naturalness: dict[str, Naturalness]
    absent: dict[str, str] = field(default_factory=dict)

    @classmethod
    def seat(cls, recogniser: str | None, verifier: str | None, naturalness: Sequence[str] | None) -> Panel:
        """Find the judges of these names; "none" is left out, None is `RECOGNISER`, no verifier, and `PREDICTORS`.

        Raises:
            EvaluationError: There is no judge of a name, or one that is named cannot be had.
        """
        panel = cls(None, None, {})
        panel.recogniser = panel._find("words", RECOGNISER if recogniser is None else recogniser, _open_counted)
        if verifier is None:
            panel.absent["similarity"] = f"no verifier was named: {', '.join(f'{name}:…' for name in VERIFIERS)}"
        else:
            panel.verifier = panel._find("similarity", verifier, open_verifier)
        for name in PREDICTORS if naturalness is None else naturalness:
            if name != NONE and (found := panel._find(name, name, open_naturalness)):
                panel.naturalness[name] = found
        named = {"words": recogniser, "similarity": verifier} | {name: name for name in naturalness or ()}
        missing = [
            f"the judge {name} is not here: {panel.absent[purpose]}"
            for purpose, name in named.items()
            if name not in (None, NONE) and purpose in panel.absent
        ]
        if missing:
            raise EvaluationError(f"{'; '.join(missing)}; or leave it out")
        return panel

    def _find(self, purpose: str, name: str, find: Callable[[str], Judge]) -> Judge | None:
        if name == NONE:
            self.absent[purpose] = "not asked for"
            return None
        try:
            return find(name)
        except Absent as absent:
            self.absent[purpose] = str(absent)
            return None

    def judge(self, utterances: Sequence[Utterance], folder: Path, references: Mapping[str, Path]) -> None:
        """Fill in what the judges say of the utterances that have audio.

        Args:
            utterances: They are changed.
            folder: What their audio is relative to.
            references: Utterance name → the recording that was cloned.
        """
        made = [utterance for utterance in utterances if utterance.audio is not None]
        if not made:  # a program that is given no file may read its input instead
            return
        paths = [folder / str(utterance.audio) for utterance in made]
        self._count_words(made, paths)
        if self.verifier is not None:
            try:
                scores = self.verifier.similarity([(references[u.name], p) for u, p in zip(made, paths, strict=True)])
                _require_finite(scores, paths, self.verifier.name)
            except Absent as absent:
                self.absent["similarity"], scores = str(absent), []
            for utterance, score in zip(made, scores, strict=bool(scores)):
                utterance.similarity = score
        for name, predictor in self.naturalness.items():
            try:
                scores = predictor.score(paths)
                _require_finite(scores, paths, predictor.name)
                for utterance, score in zip(made, scores, strict=True):
                    utterance.naturalness[predictor.name] = score
            except Absent as absent:
                self.absent[name] = str(absent)
        _measure(made, paths, references)

    def _count_words(self, made: Sequence[Utterance], paths: Sequence[Path]) -> None:
        if self.recogniser is None:
            return
        try:
            for utterance, heard in zip(made, self.recogniser.transcribe(paths), strict=True):
                utterance.heard = comparable(heard)
                counted = count_errors(utterance.text, heard)
                utterance.word_errors, utterance.words_said, utterance.char_errors, utterance.chars_said = counted
        except Absent as absent:
            self.absent["words"] = str(absent)

    def summarise(self, utterances: Sequence[Utterance]) -> list[Mean]:
        """Means over one system's utterances, with intervals drawn over speakers; absent ones say why."""
        recogniser = self.recogniser.name if self.recogniser else ""
        words = self.absent.get("words", "no utterance was made")
        errors = [u for u in utterances if u.word_errors is not None]
        rates: list[tuple[str, _Rows]] = [
            ("word error rate", [(u, u.word_errors, u.words_said) for u in errors]),
            (
                "word error rate, mean of utterances",
                [(u, u.word_errors / max(1, u.words_said or 0), 1) for u in errors if u.word_errors is not None],
            ),
            ("character error rate", [(u, u.char_errors, u.chars_said) for u in errors]),
        ]
        means = [_mean(metric, recogniser, rows, words) for metric, rows in rates]
        means.append(
            _mean(
                "speaker similarity",
                self.verifier.name if self.verifier else "",
                [(u, u.similarity, 1) for u in utterances],
                self.absent.get("similarity", "no utterance was made"),
            )
        )
        for name in dict.fromkeys([*self.naturalness, *self.absent]):
            if name in ("words", "similarity"):
                continue
            judge = self.naturalness[name].name if name in self.naturalness else name
            rows = [(u, u.naturalness.get(judge), 1) for u in utterances]
            means.append(_mean("naturalness, 1 to 5", judge, rows, self.absent.get(name, "no utterance was made")))
        for metric, attribute in MEASURES.items():
            rows = [(u, getattr(u, attribute), 1) for u in utterances]
            means.append(_mean(metric, "voxclone", rows, "nothing was voiced, or no utterance was made"))
        timed = [(u, u.synthesis_seconds, u.seconds) for u in utterances if u.synthesis_seconds is not None]
        means.append(_mean("real-time factor", "voxclone", timed, "not made here"))
        return means


def _open_counted(name: str) -> Recogniser:
    counting()  # what counts the errors is to be had too
    return open_recogniser(name)


def _require_finite(scores: Sequence[float], paths: Sequence[Path], judge: str) -> None:
    """Refuse numbers that no mean can be made of.

    Raises:
        Absent: One is NaN or infinite.
    """
    for score, path in zip(scores, paths, strict=True):
        if not math.isfinite(score):
            raise Absent(f"{judge} gave {score} for {path.name}")


_Rows: TypeAlias = Sequence[tuple[Utterance, float | None, float | None]]  # utterance, numerator, denominator
MEASURES = {
    "median f0, Hz": "f0_median",
    "distance of median f0 from the reference's, semitones": "f0_error",
    "spread of f0, semitones": "f0_spread",
    "words per second": "words_per_second",
    "share of pauses": "pause_share",
}


def _mean(metric: str, judge: str, rows: _Rows, why_absent: str) -> Mean:
    there = [(u, top, bottom) for u, top, bottom in rows if top is not None and bottom]
    if not there:
        return Mean(metric, judge, None, why_absent)
    tops, bottoms = [float(top) for _, top, _ in there], [float(bottom) for _, _, bottom in there]
    return Mean(metric, judge, bootstrap(tops, bottoms, [u.speaker for u, _, _ in there]))


def _measure(made: Sequence[Utterance], paths: Sequence[Path], references: Mapping[str, Path]) -> None:
    """Pitch and pace, against the reference's."""
    known: dict[Path, float | None] = {}
    for utterance, path in zip(made, paths, strict=True):
        words = len(comparable(utterance.text).split())
        samples, rate = read_audio(path)
        measured = measure_prosody(samples, rate, words)
        utterance.seconds = len(samples) / rate
        utterance.f0_median, utterance.f0_spread = measured.f0_median, measured.f0_spread
        utterance.words_per_second, utterance.pause_share = measured.words_per_second, measured.pause_share
        reference = references[utterance.name]
        if reference not in known:
            known[reference] = measure_prosody(*read_audio(reference), words=0).f0_median
        if (own := known[reference]) and measured.f0_median:
            utterance.f0_error = abs(12 * math.log2(measured.f0_median / own))
