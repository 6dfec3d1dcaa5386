"""From one speaker's recordings to a fine-tuned voice: read, cut, transcribe, align, select, adapt, report."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from voxclone.errors import VoxcloneError

if TYPE_CHECKING:
    from voxclone.finetuning.pipeline import FineTuned, finetune

__all__ = ["FineTuned", "finetune"]


def __getattr__(name: str) -> Any:
    """Import the pipeline, and with it the libraries of the extra, when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module("voxclone.finetuning.pipeline"), name)
    except ModuleNotFoundError as error:
        raise VoxcloneError(
            f"fine-tuning needs {error.name}, which is not installed: pip install 'voxclone[finetune]'"
        ) from error
