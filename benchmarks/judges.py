"""Listeners that this project did not train: a folder of judge scripts that print a line for each wav file."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000  # of the bootstrap behind every interval


class Judges:
    """The judge scripts of a folder: `score_asr_ps.py`, `make_lm.py`, `score_spk_nnid.py`, `score_ldnet.py`."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.work = folder, work

    def word_errors(
        self, texts: dict[str, str], paths: Sequence[Path], distractors: Sequence[str] = ()
    ) -> list[tuple[float, int]]:
        """Error rate and number of words of each file, by PocketSphinx.

        `texts` has what is said by the file's stem. With distractors the language model is made of them and the texts,
        without it is PocketSphinx's own.
        """
        references = self.work / "references.txt"
        references.write_text("".join(f"{stem}|{text}\n" for stem, text in texts.items()), encoding="utf8")
        model = ["--lm", str(self._language_model(references, distractors))] if distractors else []
        printed = self._run("score_asr_ps.py", "--ref", str(references), *model, *map(str, paths))
        rates = [float(value) for value in re.findall(r"^\S.*\twer=([\d.]+)\tcer", printed, re.MULTILINE)][: len(paths)]
        return [(rate, len(texts[path.stem].split())) for rate, path in zip(rates, paths, strict=True)]

    def _language_model(self, references: Path, distractors: Sequence[str]) -> Path:
        others, model = self.work / "distractors.txt", self.work / "domain.lm"
        others.write_text("\n".join(distractors), encoding="utf8")
        self._run("make_lm.py", str(model), str(references), str(others))
        return model

    def error_rates(self, texts: dict[str, str], paths: Sequence[Path], distractors: Sequence[str]) -> dict[str, float]:
        """Error rates over all files with a language model of texts and distractors, and with PocketSphinx's own."""
        references = self.work / "references.txt"
        references.write_text("".join(f"{stem}|{text}\n" for stem, text in texts.items()), encoding="utf8")
        model = self._language_model(references, distractors)
        rates: dict[str, float] = {}
        for prefix, arguments in (("", ["--lm", str(model)]), ("default_lm_", [])):
            printed = self._run("score_asr_ps.py", "--ref", str(references), *arguments, *map(str, paths))
            total = next(line for line in printed.splitlines() if line.startswith("TOTAL"))
            rates |= {prefix + kind: float(value) for kind, value in re.findall(r"(wer|cer)=([\d.]+)", total)}
        return rates

    def similarities(self, pairs: Sequence[tuple[Path, Path]]) -> list[float]:
        """Speaker cosine of each (reference, test)."""
        table = self.work / "pairs.tsv"
        table.write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf8")
        return [
            float(value)
            for value in re.findall(r"nnid=(-?[\d.]+)", self._run("score_spk_nnid.py", "--pairs", str(table)))
        ]

    def naturalness(self, paths: Sequence[Path]) -> list[float]:
        """Mean opinion score of each file as LDNet predicts it."""
        return [
            float(value) for value in re.findall(r"ldnet_bvcc=([\d.]+)", self._run("score_ldnet.py", *map(str, paths)))
        ]

    def _run(self, script: str, *arguments: str) -> str:
        command = [sys.executable, str(self.folder / script), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def mean_with_interval(values: Sequence[float], weights: Sequence[float] | None = None) -> dict[str, float]:
    """Weighted mean and its 95 % interval by bootstrap over the values."""
    numbers: NDArray[np.float64] = np.asarray(values, float)
    shares = np.ones(len(numbers)) if weights is None else np.asarray(weights, float)
    drawn = np.random.default_rng(0).integers(len(numbers), size=(RESAMPLES, len(numbers)))
    means = (numbers * shares)[drawn].sum(1) / shares[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    mean = float((numbers * shares).sum() / shares.sum())
    return {"mean": round(mean, 4), "low": round(float(low), 4), "high": round(float(high), 4), "count": len(numbers)}
