"""Predictors of a listener's opinion of the sound, 1 to 5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from voxclone.evaluation.judges.opening import RATE, Absent, ask_command, hear, library, number_at_end, open_judge

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


class DistillMOS:
    """Distill-MOS (arXiv:2502.05356), weights included in its wheel: works offline."""

    def __init__(self, _: str) -> None:
        self._model = library("distillmos", "distillmos").ConvTransformerSQAModel().eval()
        self.name = "distillmos"

    def score(self, paths: Sequence[Path]) -> list[float]:
        """As `Naturalness` has it."""
        import torch

        with torch.inference_mode():
            return [float(self._model(torch.from_numpy(hear(path))[None])) for path in paths]


class DNSMOS:
    """DNSMOS P.835, overall (arXiv:2110.01763): by speechmos with its own weights, or torchmetrics if it has them."""

    def __init__(self, _: str) -> None:
        try:
            self._speechmos = library("speechmos.dnsmos", "speechmos")
            self.name = "dnsmos overall (speechmos)"
        except Absent as absent:
            _require_cached(DNSMOS_FILES, "dnsmos", str(absent))
            self._speechmos = None
            self._torchmetrics = library("torchmetrics.functional.audio.dnsmos", "torchmetrics librosa onnxruntime")
            self.name = "dnsmos overall (torchmetrics)"

    def score(self, paths: Sequence[Path]) -> list[float]:
        """As `Naturalness` has it."""
        if self._speechmos is not None:
            return [float(self._speechmos.run(hear(path), sr=RATE)["ovrl_mos"]) for path in paths]
        import torch

        predict = self._torchmetrics.deep_noise_suppression_mean_opinion_score
        return [float(predict(torch.from_numpy(hear(path)), RATE, personalized=False)[-1]) for path in paths]


class NISQA:
    """NISQA v2, overall (arXiv:2104.09494), by torchmetrics, where its weights are already on this machine."""

    def __init__(self, _: str) -> None:
        _require_cached((NISQA_FILE,), "nisqa", "torchmetrics would download it")
        self._metric = library("torchmetrics.functional.audio.nisqa", "torchmetrics librosa requests")
        self.name = "nisqa overall (torchmetrics)"

    def score(self, paths: Sequence[Path]) -> list[float]:
        """As `Naturalness` has it."""
        import torch

        predict = self._metric.non_intrusive_speech_quality_assessment
        return [float(predict(torch.from_numpy(hear(path)), RATE)[0]) for path in paths]


class CommandNaturalness:
    """A program that is given file names and prints a line for each: the file's name, a tab, a number at its end."""

    def __init__(self, line: str) -> None:
        self._line = line
        self.name = f"command {line}"

    def score(self, paths: Sequence[Path]) -> list[float]:
        """As `Naturalness` has it."""
        printed = {fields[0]: fields for fields in ask_command(self._line, [str(path) for path in paths])}
        if missing := [str(path) for path in paths if str(path) not in printed]:
            raise Absent(f"{self._line!r} printed no line for {missing[0]}")
        return [number_at_end(printed[str(path)]) for path in paths]


def _require_cached(files: Sequence[str], name: str, why: str) -> None:
    folder = TORCHMETRICS_CACHE.expanduser()
    if missing := [file for file in files if not (folder / file).is_file()]:
        raise Absent(f"{why}; and torchmetrics has no weights of {name} here: {folder / missing[0]} is missing")


NATURALNESS: dict[str, Callable[[str], Naturalness]] = {
    "distillmos": DistillMOS,
    "dnsmos": DNSMOS,
    "nisqa": NISQA,
    "command": CommandNaturalness,
}


def open_naturalness(name: str) -> Naturalness:
    """As `open_judge` has it."""
    return open_judge("naturalness predictor", name, NATURALNESS)
