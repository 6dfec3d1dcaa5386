"""Models on disk and on the Hugging Face Hub: find, check, load, save, push.

A model folder holds config.json, speaker_encoder.safetensors, acoustic.safetensors, vocoder.safetensors,
aligner.safetensors where config.json has an aligner, cohort.safetensors where it has a verification,
detector.safetensors where it has a watermark, card.md, voices/<name>.voice, and sha256.txt with a
"<sha256>  <relative path>" line for each of the others.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from voxclone.hub.arrays import read_arrays
from voxclone.hub.card import Card, Measured, Source, model_card, voice_card
from voxclone.hub.folder import check_integrity, read_config
from voxclone.hub.remote import is_repo_id, push_folder
from voxclone.hub.source import BUNDLED_NAME, resolve
from voxclone.hub.voices import Base, fetch_voice, pin_base, push_voice

if TYPE_CHECKING:
    from voxclone.hub.saving import save_detector, save_folder, save_part
    from voxclone.hub.weights import build, load_weights, read_tensors, write_tensors

__all__ = [
    "BUNDLED_NAME",
    "Base",
    "Card",
    "Measured",
    "Source",
    "build",
    "check_integrity",
    "fetch_voice",
    "is_repo_id",
    "load_weights",
    "model_card",
    "pin_base",
    "push_folder",
    "push_voice",
    "read_arrays",
    "read_config",
    "read_tensors",
    "resolve",
    "save_detector",
    "save_folder",
    "save_part",
    "voice_card",
    "write_tensors",
]

_OF_PYTORCH = {
    "saving": ("save_detector", "save_folder", "save_part"),
    "weights": ("build", "load_weights", "read_tensors", "write_tensors"),
}


if not TYPE_CHECKING:  # a type checker is to find names that are not there

    def __getattr__(name: str) -> Any:
        """Import what needs PyTorch when it is first asked for (PEP 562): whoever only looks for a mark does not."""
        home = next((module for module, names in _OF_PYTORCH.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{home}"), name)
