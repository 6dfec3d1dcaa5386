"""Speaker verifiers: whether it sounds like the speaker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voxclone.evaluation.judges.opening import (
    RATE,
    Absent,
    ask_command,
    ask_function,
    hear,
    import_function,
    number_at_end,
    open_judge,
    require_program,
    short_name,
    transformers_library,
)

Pairs = Sequence[tuple[Path, Path]]


class Verifier(Protocol):
    """Compares recordings."""

    @property
    def name(self) -> str:
        """What it is."""

    def similarity(self, pairs: Pairs) -> list[float]:
        """For each (reference, test) how alike the voices are: the cosine of their embeddings, for most.

        Raises:
            Absent: The judge fails, or does not answer as it should.
        """


class EmbeddingVerifier:
    """Cosine of embeddings; each file is embedded once."""

    name: str

    def __init__(self) -> None:
        self._known: dict[Path, NDArray[np.float32]] = {}

    def similarity(self, pairs: Pairs) -> list[float]:
        """As `Verifier` has it."""
        return [float(self._unit(reference) @ self._unit(test)) for reference, test in pairs]

    def _unit(self, path: Path) -> NDArray[np.float32]:
        if path not in self._known:
            embedding = self.embed(path)
            if not np.isfinite(embedding).all():
                raise Absent(f"{self.name} gave an embedding of {path.name} that is not finite")
            self._known[path] = embedding / max(float(np.linalg.norm(embedding)), 1e-9)
        return self._known[path]

    def embed(self, path: Path) -> NDArray[np.float32]:
        """A file to (D,)."""
        raise NotImplementedError


class PythonVerifier(EmbeddingVerifier):
    """A function of a Python module or file: (S,) samples and their rate to an embedding (D,)."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self._embed = import_function(place)
        self.name = short_name(place)

    def embed(self, path: Path) -> NDArray[np.float32]:
        """As `EmbeddingVerifier` has it."""
        answer = ask_function(self._embed, self.name, path)
        try:
            return np.asarray(answer, np.float32).reshape(-1)
        except (TypeError, ValueError) as error:
            raise Absent(f"{self.name} returned no embedding for {path.name}: {error}") from error


class TransformersVerifier(EmbeddingVerifier):
    """An x-vector model of the transformers library, such as WavLM's: a model folder, or a name on the Hub."""

    def __init__(self, model: str) -> None:
        super().__init__()
        transformers = transformers_library()
        if not model:
            raise Absent(
                "transformers needs a model: --verifier transformers:microsoft/wavlm-base-plus-sv, or a folder"
            )
        try:
            self._features = transformers.AutoFeatureExtractor.from_pretrained(model)
            self._model = transformers.AutoModelForAudioXVector.from_pretrained(model).eval()
        except (OSError, ValueError, ImportError, KeyError) as error:
            raise Absent(f"transformers cannot load {model!r}: {error}") from error
        self.name = f"transformers {model}"

    def embed(self, path: Path) -> NDArray[np.float32]:
        """As `EmbeddingVerifier` has it."""
        import torch

        with torch.inference_mode():
            inputs = self._features(hear(path), sampling_rate=RATE, return_tensors="pt")
            return np.asarray(self._model(**inputs).embeddings[0].numpy(), np.float32)


class CommandVerifier:
    """A program that is given a file of reference-tab-test lines and prints a line for each, a number at its end."""

    def __init__(self, line: str) -> None:
        self._line = require_program(line)
        self.name = short_name(line)

    def similarity(self, pairs: Pairs) -> list[float]:
        """As `Verifier` has it."""
        with tempfile.TemporaryDirectory() as scratch:
            table = Path(scratch) / "pairs.tsv"
            table.write_text("".join(f"{reference}\t{test}\n" for reference, test in pairs), encoding="utf-8")
            printed = ask_command(self._line, [str(table)])
        if len(printed) != len(pairs):
            raise Absent(f"{self._line!r} printed {len(printed)} lines for {len(pairs)} pairs")
        return [number_at_end(fields) for fields in printed]


VERIFIERS: dict[str, Callable[[str], Verifier]] = {
    "transformers": TransformersVerifier,
    "python": PythonVerifier,
    "command": CommandVerifier,
}


def open_verifier(name: str) -> Verifier:
    """As `open_judge` has it."""
    return open_judge("verifier", name, VERIFIERS)
