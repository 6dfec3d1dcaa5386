"""What was found: each utterance, each mean with its interval, and what could not be judged."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxclone.evaluation.intervals import Interval
from voxclone.files import replace_file
from voxclone.hub import Measured

CLONED, VOICE, MADE, RECORDED = "cloned", "voice", "made", "recording"
REPORT = "report.json"


@dataclass
class Utterance:
    """One recording that was judged; None is what was not measured.

    Attributes:
        system: "cloned" for what a clone of the reference said, "voice" for what a given voice said, "made" for what
            was made elsewhere, "recording" for the speaker's own.
        audio: Its file, relative to the report's folder; None where it could not be made.
        failure: Why it could not be made.
        heard: The recogniser's transcript.
        similarity: To the reference, as the verifier has it.
        naturalness: Predictor's name → score.
        f0_median: Hz.
        f0_error: Semitones between its median f0 and the reference's.
        f0_spread: Semitones, standard deviation.
        synthesis_seconds: What making it took.
        words, phonemes: (text, start, end) in seconds, of synthetic speech.
        digest: 64 hex digits of its text, reference, speaker, voice, model and options, by which a later evaluation
            knows it; None for the speaker's own.
        kept: An earlier evaluation into the folder spoke it, and `synthesis_seconds` is of then.
    """

    name: str
    speaker: str
    system: str
    text: str
    audio: str | None = None
    failure: str | None = None
    seconds: float | None = None
    synthesis_seconds: float | None = None
    heard: str | None = None
    word_errors: int | None = None
    words_said: int | None = None
    char_errors: int | None = None
    chars_said: int | None = None
    similarity: float | None = None
    naturalness: dict[str, float] = field(default_factory=dict)
    f0_median: float | None = None
    f0_error: float | None = None
    f0_spread: float | None = None
    words_per_second: float | None = None
    pause_share: float | None = None
    words: list[tuple[str, float, float]] = field(default_factory=list)
    phonemes: list[tuple[str, float, float]] = field(default_factory=list)
    digest: str | None = None
    kept: bool = False


@dataclass(frozen=True)
class Mean:
    """One number of the summary, or why there is none.

    Attributes:
        metric: What is measured, with its unit.
        judge: By what.
        interval: The estimate; None where it is absent.
        absent: Why it is absent.
    """

    metric: str
    judge: str
    interval: Interval | None
    absent: str | None = None

    def __str__(self) -> str:
        if self.interval is None:
            return f"absent ({self.absent})"
        return f"{three_digits(self.interval.value)} {span_of(self.interval)}"


@dataclass(frozen=True)
class Report:
    """An evaluation.

    Attributes:
        about: What was evaluated, on what, when, with which versions.
        utterances: Every utterance of every system.
        summary: System → its means, in a fixed order; the recordings come last.
    """

    about: Mapping[str, Any]
    utterances: Sequence[Utterance]
    summary: Mapping[str, Sequence[Mean]]

    def mean(self, metric: str, system: str | None = None) -> Mean:
        """The mean of a metric such as "word error rate".

        Args:
            metric: As the summary names it.
            system: See `Utterance`; None is what was made to be judged, where that is of one system.

        Raises:
            KeyError: There is no such metric or system, or clones and given voices spoke and neither is named.
        """
        for mean in self._means(system):
            if mean.metric == metric:
                return mean
        raise KeyError(metric)

    def measured(self, on: str, system: str | None = None) -> list[Measured]:
        """What a model card says of a system, see `mean`: the means that are not absent, and which list they are of."""
        return [
            Measured(mean.metric, mean.interval.value, mean.judge, on, mean.interval.span)
            for mean in self._means(system)
            if mean.interval is not None
        ]

    def _means(self, system: str | None) -> Sequence[Mean]:
        judged = [each for each in self.summary if each != RECORDED] if system is None else [system]
        if len(judged) > 1:
            raise KeyError(f"several systems spoke; name one of {', '.join(judged)}")
        return self.summary[judged[0]]

    def to_dict(self) -> dict[str, Any]:
        """JSON values; what is absent is null, with its reason beside it."""
        means = {
            system: [
                {
                    "metric": mean.metric,
                    "judge": mean.judge,
                    **(mean.interval._asdict() if mean.interval else {"value": None, "absent": mean.absent}),
                }
                for mean in means
            ]
            for system, means in self.summary.items()
        }
        return {
            "about": dict(self.about),
            "summary": means,
            "utterances": [dataclasses.asdict(utterance) for utterance in self.utterances],
        }

    def write_tables(self, folder: Path) -> None:
        """Write report.json, summary.tsv and utterances.tsv."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        replace_file(folder / REPORT, f"{text}\n".encode())
        rows: list[Sequence[object]] = [("system", "metric", "judge", "value", "low", "high", "utterances", "absent")]
        for system, means in self.summary.items():
            for mean in means:
                cells: Iterable[object] = mean.interval or ("", "", "", "")
                rows.append((system, mean.metric, mean.judge, *map(_cell, cells), mean.absent or ""))
        _write(folder / "summary.tsv", rows)
        _write(folder / "utterances.tsv", self._utterance_rows())

    def _utterance_rows(self) -> list[Sequence[object]]:
        skipped = {"naturalness", "words", "phonemes", "digest"}
        names = [each.name for each in dataclasses.fields(Utterance) if each.name not in skipped]
        predictors = sorted({name for utterance in self.utterances for name in utterance.naturalness})
        rows: list[Sequence[object]] = [(*names, *predictors)]
        for utterance in self.utterances:
            values = [getattr(utterance, name) for name in names]
            rows.append([_cell(value) for value in [*values, *map(utterance.naturalness.get, predictors)]])
        return rows


def three_digits(value: float) -> str:
    """A number as it is shown: 0.123, 1.20, 178."""
    return f"{value:#.3g}".rstrip(".")


def span_of(interval: Interval) -> str:
    """An interval as it is shown."""
    if interval.span is None:
        return "(one speaker: no interval)"
    low, high = interval.span
    return f"[{three_digits(low)}, {three_digits(high)}]"


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.5g}"
    return "" if value is None else value


def _write(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(rows)
