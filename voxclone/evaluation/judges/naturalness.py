"""Predictors of a listener's opinion of the sound, 1 to 5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from voxclone.evaluation.judges.opening import (
    RATE,
    Absent,
    FunctionOfFiles,
    ProgramOfFiles,
    hear,
    library,
    number_at_end,
    open_judge,
)

TORCHMETRICS_CACHE = Path("~/.torchmetrics")
DNSMOS_FILES = ("DNSMOS/DNSMOS/model_v8.onnx", "DNSMOS/DNSMOS/sig_bak_ovr.onnx")
NISQA_FILE = "NISQA/nisqa.tar"


class Naturalness(Protocol):
    """Predicts mean opinion scores."""

    @property
    def name(self) -> str:
        """What it is."""

    def score(self, paths: Sequence[Path]) -> list[float]:
        """One score for each file."""


class DNSMOS:
    """DNSMOS P.835, overall (arXiv:2110.01763), by torchmetrics, where its weights are already on this machine."""

    def __init__(self, _: str) -> None:
        needed = "torchmetrics librosa onnxruntime requests"
        _require_cached(DNSMOS_FILES, "dnsmos", needed)
        self._metric = library("torchmetrics.functional.audio.dnsmos", needed)
        self.name = "dnsmos overall (torchmetrics)"

    def score(self, paths: Sequence[Path]) -> list[float]:
        """As `Naturalness` has it."""
        import torch

        predict = self._metric.deep_noise_suppression_mean_opinion_score
        return [float(predict(torch.from_numpy(hear(path)), RATE, personalized=False)[-1]) for path in paths]


class NISQA:
    """NISQA v2, overall (arXiv:2104.09494), by torchmetrics, where its weights are already on this machine."""

    def __init__(self, _: str) -> None:
        needed = "torchmetrics librosa requests"
        _require_cached((NISQA_FILE,), "nisqa", needed)
        self._metric = library("torchmetrics.functional.audio.nisqa", needed)
        self.name = "nisqa overall (torchmetrics)"

    def score(self, paths: Sequence[Path]) -> list[float]:
        """As `Naturalness` has it."""
        import torch

        predict = self._metric.non_intrusive_speech_quality_assessment
        return [float(predict(torch.from_numpy(hear(path)), RATE)[0]) for path in paths]


class CommandNaturalness(ProgramOfFiles):
    """A program that is given file names and prints a line for each: the file's name, a tab, a number at its end."""

    def score(self, paths: Sequence[Path]) -> list[float]:
        """As `Naturalness` has it."""
        return [number_at_end(fields) for fields in self.of_each(paths)]


class PythonNaturalness(FunctionOfFiles):
    """A function of a Python module or file: (S,) samples and their rate to a score."""

    def score(self, paths: Sequence[Path]) -> list[float]:
        """As `Naturalness` has it."""
        scores = self.of_each(paths)
        try:
            return [float(score) for score in scores]
        except (TypeError, ValueError) as error:
            raise Absent(f"{self.name} returned no number: {error}") from error


def _require_cached(files: Sequence[str], name: str, install: str) -> None:
    if missing := [file for file in files if not (TORCHMETRICS_CACHE / file).expanduser().is_file()]:
        where = TORCHMETRICS_CACHE / missing[0]
        raise Absent(
            f"torchmetrics would download {name}: its weights are not here, {where} is missing; to have them, "
            f"pip install {install}, and call torchmetrics' own function of that name once"
        )


NATURALNESS: dict[str, Callable[[str], Naturalness]] = {
    "dnsmos": DNSMOS,
    "nisqa": NISQA,
    "python": PythonNaturalness,
    "command": CommandNaturalness,
}


def open_naturalness(name: str) -> Naturalness:
    """As `open_judge` has it."""
    return open_judge("naturalness predictor", name, NATURALNESS)
