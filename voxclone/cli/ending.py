"""How a program ends: what its user can mend, and warnings, as one line; statuses that programs can tell apart."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voxclone.cli import outputs
from voxclone.errors import VoxcloneError

ERROR_EXIT = 2  # as argparse's own
INTERRUPT_EXIT = 130  # as a shell's for SIGINT, and for SIGPIPE
PIPE_EXIT = 141


def message(error: Exception) -> str:
    """What an error says; one of the system's names its file first."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error)


def exit_status(
    run: Callable[[], int | None],
    program: str,
    *,
    debug: bool = False,
    tell: Callable[[Exception], str] = message,
    resumes: str = "",
) -> int:
    """Run a program to its end.

    Args:
        run: The program; it returns its own exit status, or None for 0.
        program: What it is called in messages.
        debug: Let errors and interrupts through, with their tracebacks.
        tell: What an error says.
        resumes: What an interrupted program's user should know, after "interrupted".

    Returns:
        Exit status: the program's own; 2 for an error of voxclone's or the system's, which is then one line on standard
        error; 130 where it was interrupted; 141 where whoever read its output has left. All other exceptions are
        faults of the code, and pass.
    """
    try:
        with _warnings_in_a_line(program):
            status = run() or 0
        outputs.flush()
        return status
    except BrokenPipeError:
        outputs.discard()
        return PIPE_EXIT
    except (VoxcloneError, OSError) as error:
        if debug:
            raise
        outputs.discard_unwritable()  # the error may be of standard output, which would fail again at the end
        print(f"{program}: error: {' '.join(tell(error).split())}", file=sys.stderr)
        return ERROR_EXIT
    except KeyboardInterrupt:
        if debug:
            raise
        print(f"{program}: interrupted{resumes}", file=sys.stderr)
        return INTERRUPT_EXIT


def run_script(main: Callable[[], int | None]) -> None:
    """End the process as `exit_status` says, after `main` of a script such as a recipe's."""
    sys.exit(exit_status(main, Path(sys.argv[0]).name))


@contextmanager
def _warnings_in_a_line(program: str) -> Iterator[None]:
    """Tell voxclone's own warnings as errors are told; those of libraries keep Python's form."""
    with warnings.catch_warnings():
        show, package = warnings.showwarning, Path(__file__).parents[1]

        def tell(warning: Warning | str, category: type[Warning], filename: str, *where: Any) -> None:
            if Path(filename).is_relative_to(package):
                print(f"{program}: warning: {' '.join(str(warning).split())}", file=sys.stderr)
            else:
                show(warning, category, filename, *where)

        warnings.showwarning = tell  # type: ignore[assignment]
        yield
