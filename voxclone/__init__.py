"""voxclone clones a voice from a few seconds of speech and speaks any text with it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxclone.errors import (
        AudioError,
        ConfigError,
        ConsentError,
        EvaluationError,
        ModelError,
        ProvenanceError,
        TextError,
        UnmarkedError,
        VoiceError,
        VoxcloneError,
    )
    from voxclone.prosody import Prosody
    from voxclone.safety import Consent, Provenance, Signer
    from voxclone.speech import Segment, Speech
    from voxclone.synthesis import VoxClone
    from voxclone.synthesis.alignment import Alignment
    from voxclone.synthesis.watermark import detect
    from voxclone.version import __version__
    from voxclone.voice import Voice

__all__ = [
    "Alignment",
    "AudioError",
    "ConfigError",
    "Consent",
    "ConsentError",
    "Detection",
    "EvaluationError",
    "ModelError",
    "Prosody",
    "Provenance",
    "ProvenanceError",
    "Segment",
    "Signer",
    "Speech",
    "TextError",
    "UnmarkedError",
    "Voice",
    "VoiceError",
    "VoxClone",
    "VoxcloneError",
    "__version__",
    "detect",
]

_HOMES = {
    "Alignment": "synthesis.alignment",
    "Consent": "safety",
    "Detection": "safety.detection",
    "detect": "synthesis.watermark",
    "Prosody": "prosody",
    "Provenance": "safety",
    "Segment": "speech",
    "Signer": "safety",
    "Speech": "speech",
    "Voice": "voice",
    "VoxClone": "synthesis",
    "__version__": "version",
}  # every other public name is an error


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'voxclone' has no attribute {name!r}")
    return getattr(importlib.import_module(f"voxclone.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
