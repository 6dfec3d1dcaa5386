"""Finding a judge by its name, and hearing audio as judges want it."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryFile
from types import ModuleType
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from voxclone.audio.io import read_audio
from voxclone.audio.resample import resample
from voxclone.errors import EvaluationError

RATE = 16000  # Hz, of every judge here
Judge = TypeVar("Judge")


class Absent(Exception):
    """A judge cannot be had here; the message says why, and what would change it."""


def library(module: str, install: str) -> Any:
    """Import a judge's library.

    Raises:
        Absent: It is not installed, or does not import here.
    """
    try:
        found: ModuleType = import_module(module)
    except ImportError as error:
        missing = f"{module.partition('.')[0]} is not installed" if isinstance(error, ModuleNotFoundError) else error
        raise Absent(f"{missing}: pip install {install}") from error
    return found


def transformers_library() -> Any:
    """The transformers library, which is to leave the Hub's models as they are.

    Of a model without safetensors it asks the Hub for a converted copy, in a thread that the process waits for at its
    end, be it for the download of some GB that nobody uses.

    Raises:
        Absent: It is not installed.
    """
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    return library("transformers", "transformers")


def open_judge(kind: str, name: str, known: Mapping[str, Callable[[str], Judge]]) -> Judge:
    """The judge that `name`, or `name:argument`, stands for.

    Raises:
        EvaluationError: There is no judge of that name.
        Absent: It cannot be had here.
    """
    head, _, argument = name.partition(":")
    if head not in known:
        raise EvaluationError(f"there is no {kind} {head!r}; known are {', '.join(known)}, and none")
    return known[head](argument)


def import_function(place: str) -> Callable[[NDArray[np.float32], int], Any]:
    """A judge of the user's own, called with (S,) samples in [-1, 1] and their rate in Hz.

    Args:
        place: `package.module:function`, or `folder/file.py:function`.

    Raises:
        EvaluationError: The place is not written so.
        Absent: The module is not found, raises an exception when it is imported, or has no such function.
    """
    module, _, name = place.rpartition(":")
    if not (module and name):
        raise EvaluationError(f"a judge is named as python:MODULE:FUNCTION or python:FILE.py:FUNCTION, got {place!r}")
    try:
        function = getattr(_load_file(Path(module)) if module.endswith(".py") else import_module(module), name)
    except Exception as error:  # what runs is the user's file
        raise Absent(f"{place} cannot be had: {type(error).__name__}: {error}") from error
    if not callable(function):
        raise Absent(f"{place} cannot be called")
    return function  # type: ignore[no-any-return]


def _load_file(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hear(path: Path) -> NDArray[np.float32]:
    """A file's samples at 16 kHz, one channel, within [-1, 1]."""
    found = path.stat()
    return _hear(path, found.st_mtime_ns, found.st_size, found.st_ino)


@functools.lru_cache(maxsize=32)
def _hear(path: Path, *_: int) -> NDArray[np.float32]:
    """As `hear`, once for a file as it is: another evaluation may put another one in its place."""
    samples, rate = read_audio(path)
    return np.clip(resample(samples, rate, RATE), -1, 1)


def require_program(line: str) -> str:
    """A command that can be started, as far as its first word tells.

    Raises:
        Absent: There is no such program.
    """
    try:
        program = next(iter(shlex.split(line)), "")
    except ValueError as error:  # a quotation mark that is not closed
        raise Absent(f"{line!r} cannot be run: {error}") from error
    if shutil.which(program) is None:
        raise Absent(f"there is no program {program!r}; install it, or give its path")
    return line


def ask_command(line: str, arguments: Sequence[str]) -> list[list[str]]:
    """Run a program with the arguments behind its own; its output's lines that have a tab, as fields.

    Raises:
        Absent: The program cannot be started, or fails.
    """
    try:
        command = [*shlex.split(line), *arguments]
        with TemporaryFile() as out, TemporaryFile() as err:  # a pipe would be waited for until all its children end
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False).returncode
            printed, told = (_content(file) for file in (out, err))
    except (OSError, ValueError) as error:
        raise Absent(f"{line!r} cannot be run: {error}") from error
    if status != 0:
        raise Absent(f"{line!r} failed with status {status}: {' '.join(told.split())[-300:]}")
    return [line.split("\t") for line in printed.splitlines() if "\t" in line]


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def short_name(line: str) -> str:
    """A command as reports name it: without the folders of its words, which are this machine's."""
    return " ".join(Path(word).name if "/" in word else word for word in line.split())


def number_at_end(fields: Sequence[str]) -> float:
    """The number in the last field, which may be written as name=number.

    Raises:
        Absent: It is no number.
    """
    try:
        return float(fields[-1].rpartition("=")[2])
    except ValueError as error:
        raise Absent(f"a judge's line must end with a number, got {fields[-1][:80]!r}") from error


def ask_function(function: Callable[[NDArray[np.float32], int], Any], place: str, path: Path) -> Any:
    """What a function of the user's, see `import_function`, returns for a file.

    Raises:
        Absent: It raises an exception, whichever that is.
    """
    samples = hear(path)
    try:
        return function(samples, RATE)
    except Exception as error:  # of the user's code: the report is not to be lost for it
        raise Absent(f"{place} failed on {path.name}: {type(error).__name__}: {error}") from error


class FunctionOfFiles:
    """A function of the user's, of samples and their rate, that is asked about each file."""

    def __init__(self, place: str) -> None:
        self._function = import_function(place)
        self.name = short_name(place)

    def of_each(self, paths: Sequence[Path]) -> list[Any]:
        """What it returns.

        Raises:
            Absent: It fails.
        """
        return [ask_function(self._function, self.name, path) for path in paths]


class ProgramOfFiles:
    """A program of the user's that is given file names and prints a line for each, which begins with the name."""

    def __init__(self, line: str) -> None:
        self._line = require_program(line)
        self.name = short_name(line)

    def of_each(self, paths: Sequence[Path]) -> list[list[str]]:
        """The line of each file, as fields.

        Raises:
            Absent: It cannot be started, fails, or prints no line for a file.
        """
        printed = {fields[0]: fields for fields in ask_command(self._line, [str(path) for path in paths])}
        if missing := [str(path) for path in paths if str(path) not in printed]:
            raise Absent(f"{self._line!r} printed no line for {missing[0]}")
        return [printed[str(path)] for path in paths]
