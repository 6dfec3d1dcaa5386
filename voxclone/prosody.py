"""Prosody: how long, how high and how loud each phoneme is spoken, to read, change and speak again."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxclone.errors import ConfigError
from voxclone.files import replace_file, require_place
from voxclone.json_limits import read_json
from voxclone.text.phonemes import WordSpan
from voxclone.text.symbols import END, symbol_ids

FILE_FORMAT = "voxclone-prosody"
FILE_VERSION = 2  # 1 had no gain
MAX_PHONEME_SECONDS = 60.0
MAX_JSON_BYTES = 100_000_000
_COLUMNS: dict[str, tuple[Any, float, float]] = {  # type, lowest, highest
    "durations": (np.int64, 1, math.inf),
    "f0": (np.float32, 0, 4000),
    "voicing": (np.float32, 0, 1),
    "energy": (np.float32, -200, 100),
    "movement": (np.float32, 0, 10),
    "gain": (np.float32, -80, 80),
    "pauses": (np.int64, 0, math.inf),
}


@dataclass(frozen=True, eq=False, repr=False)
class Prosody:
    """The delivery of N phonemes. Its arrays may be changed in place; `VoxClone.generate` takes it back.

    Attributes:
        symbols: The phonemes, with spaces, punctuation and the silences `^` and `$` around each chunk. A comma also
            stands where the voice, or the speaker of a recording, pauses between two words without one in the text;
            `replace(prosody, symbols=...)` with " " in its place, or the other way round, changes that.
        words: Each word and which of the phonemes are its: `prosody.f0[word.start : word.end] *= 1.1`. Spoken again,
            the words are the text's.
        durations: (N,) int64 frames of `frame_seconds`, each 1 or more.
        f0: (N,) float32 Hz, the mean over the voiced frames; 0 where the phoneme is unvoiced.
        voicing: (N,) float32 share of voiced frames, 0 to 1.
        energy: (N,) float32 dB, the mean over the frames of the mel's total amplitude.
        movement: (N,) float32 factor on the pitch's movement within the phoneme; 1 is the model's own, 0 is level.
        gain: (N,) float32 dB by which the sound is then amplified; 0 leaves it as the voice would say it.
        pauses: (N,) int64 frames of silence after the phoneme; only between chunks, after `$`.
        frame_seconds: One frame.
    """

    symbols: tuple[str, ...]
    words: tuple[WordSpan, ...]
    durations: NDArray[np.int64]
    f0: NDArray[np.float32]
    voicing: NDArray[np.float32]
    energy: NDArray[np.float32]
    movement: NDArray[np.float32]
    gain: NDArray[np.float32]
    pauses: NDArray[np.int64]
    frame_seconds: float

    @property
    def duration_seconds(self) -> float:
        return int(self.durations.sum() + self.pauses.sum()) * self.frame_seconds

    @property
    def median_f0(self) -> float:
        """Hz, over the voiced phonemes by their frames; 0 where none is voiced."""
        voiced = np.repeat(self.f0, np.where(self.f0 > 0, self.durations, 0))
        return float(np.exp(np.median(np.log(voiced)))) if len(voiced) else 0.0

    def copy(self) -> Prosody:
        """With arrays of its own."""
        return dataclasses.replace(self, **{name: getattr(self, name).copy() for name in _COLUMNS})

    def in_register(self, f0_median: float) -> Prosody:
        """The same melody for another voice: f0 moved so that its median is `f0_median` Hz.

        Raises:
            ConfigError: That is no frequency.
        """
        if not 0 < f0_median < float("inf"):
            raise ConfigError(f"f0_median is {f0_median}; it must be above 0 Hz, such as a voice's f0_median")
        factor = f0_median / (self.median_f0 or f0_median)
        return dataclasses.replace(self.copy(), f0=(self.f0 * factor).astype(np.float32))

    def check(self) -> None:
        """Refuse what cannot be spoken.

        Raises:
            ConfigError: A column has another length or type than it must, a value is out of range, or a word is of
                phonemes that there are not: says which.
        """
        symbol_ids(self.symbols)
        if not 0 < self.frame_seconds < MAX_PHONEME_SECONDS:
            raise ConfigError(
                f"prosody.frame_seconds is {self.frame_seconds}; it must be above 0, and less than a minute"
            )
        for word in self.words:
            if not 0 <= word.start < word.end <= len(self.symbols):
                raise ConfigError(
                    f"prosody.words has {word.text!r} at phonemes {word.start} to {word.end} of {len(self.symbols)}"
                )
        for name, (kind, low, high) in _COLUMNS.items():
            values = getattr(self, name)
            if not isinstance(values, np.ndarray) or values.shape != (len(self.symbols),):
                found = getattr(values, "shape", type(values).__name__)
                raise ConfigError(f"prosody.{name} is {found}; needed is an array of shape ({len(self.symbols)},)")
            if values.dtype != kind:
                raise ConfigError(f"prosody.{name} is of {values.dtype}; needed is {np.dtype(kind)}")
            if name in ("durations", "pauses"):
                high = MAX_PHONEME_SECONDS / self.frame_seconds
            for at in np.flatnonzero(~((values >= low) & (values <= high))).tolist():
                of = f"prosody.{name}[{at}], of {self.symbols[at]!r},"
                raise ConfigError(f"{of} is {values[at]}; it must be from {low:g} to {high:g}")
        for at in np.flatnonzero(self.pauses).tolist():
            if self.symbols[at] != END:
                raise ConfigError(f"prosody.pauses[{at}] is after {self.symbols[at]!r}; only after {END!r} can one be")

    def split(self, lengths: Iterable[int]) -> list[Prosody]:
        """Parts of so many phonemes, which must sum to all; words that cross an edge are in neither part."""
        parts, start = [], 0
        for length in lengths:
            end = start + length
            words = tuple(
                dataclasses.replace(word, start=word.start - start, end=word.end - start)
                for word in self.words
                if start <= word.start and word.end <= end
            )
            columns = {name: getattr(self, name)[start:end] for name in _COLUMNS}
            parts.append(dataclasses.replace(self, symbols=self.symbols[start:end], words=words, **columns))
            start = end
        return parts

    @classmethod
    def concatenate(cls, parts: Sequence[Prosody]) -> Prosody:
        """Parts one after another.

        Raises:
            ConfigError: There is none.
        """
        if not parts:
            raise ConfigError("there is no prosody to put one after another; give at least one part")
        words, start = [], 0
        for part in parts:
            words += [dataclasses.replace(w, start=start + w.start, end=start + w.end) for w in part.words]
            start += len(part.symbols)
        symbols = tuple(symbol for part in parts for symbol in part.symbols)
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
        return cls(symbols, tuple(words), frame_seconds=parts[0].frame_seconds, **columns)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file, from which `load` gives the very same values.

        Raises:
            ConfigError: There can be no file at the path: says why.
        """
        require_place(Path(path), ConfigError)
        content = {
            "format": FILE_FORMAT,
            "format_version": FILE_VERSION,
            "frame_seconds": self.frame_seconds,
            "symbols": self.symbols,
            "words": [[word.text, word.start, word.end] for word in self.words],
            **{name: getattr(self, name).tolist() for name in _COLUMNS},
        }
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        replace_file(Path(path), text.encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Prosody:
        """Read what `save` wrote.

        Raises:
            ConfigError: It is no prosody file, is of another version, or holds what cannot be spoken.
        """
        try:
            content = read_json(path, MAX_JSON_BYTES)
            if not isinstance(content, dict) or content.pop("format", None) != FILE_FORMAT:
                raise ConfigError(f"{path} is no prosody file; Prosody.save writes them")
            if (version := content.pop("format_version", None)) not in (1, FILE_VERSION):
                raise ConfigError(f"{path} is of version {version!r}; this voxclone reads 1 to {FILE_VERSION}")
            if version == 1:
                content["gain"] = [0.0] * len(content["symbols"])
            with np.errstate(over="ignore"):  # infinite, and refused
                columns = {name: np.array(content.pop(name), kind) for name, (kind, _, _) in _COLUMNS.items()}
            words = tuple(WordSpan(str(text), int(start), int(end)) for text, start, end in content.pop("words"))
            symbols = tuple(map(str, content.pop("symbols")))
            prosody = cls(symbols, words, frame_seconds=float(content.pop("frame_seconds")), **columns)
        except ConfigError:
            raise
        except (OSError, KeyError, ValueError, TypeError, OverflowError) as error:
            raise ConfigError(f"{path} cannot be read as a prosody file: {error!r}") from error
        prosody.check()
        return prosody

    def __repr__(self) -> str:
        return f"Prosody({len(self.words)} words, {len(self.symbols)} phonemes, {self.duration_seconds:.2f} s)"
