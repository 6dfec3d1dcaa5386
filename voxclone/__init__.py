"""voxclone clones a voice from a few seconds of speech and speaks any text with it.

    import voxclone

    model = voxclone.VoxClone.from_pretrained()
    voice = model.clone("me.wav", name="Me", consent=voxclone.Consent.attest("Me", basis="my own voice"))
    model.generate("I never said this aloud.", voice).save("speech.wav")

`VoxClone` is the model, `Voice` a cloned voice with its speaker's `Consent`, `Speech` what is spoken. `detect` finds a
model's mark in audio. Every error that is raised on purpose is a `VoxcloneError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxclone.audio.quality import RecordingQuality
    from voxclone.errors import (
        AudioError,
        ConfigError,
        ConsentError,
        EvaluationError,
        KernelError,
        ModelError,
        ProvenanceError,
        TextError,
        UnmarkedError,
        VoiceError,
        VoxcloneError,
    )
    from voxclone.prosody import Prosody
    from voxclone.safety import Consent, Provenance, Signer
    from voxclone.safety.detection import Detection
    from voxclone.safety.finding import detect
    from voxclone.safety.verification import SpeakerMatch
    from voxclone.speech import Segment, Speech
    from voxclone.synthesis import VoxClone
    from voxclone.synthesis.alignment import Alignment
    from voxclone.synthesis.narration import Narration
    from voxclone.synthesis.stream import SpeechStream
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
    "KernelError",
    "ModelError",
    "Narration",
    "Prosody",
    "Provenance",
    "ProvenanceError",
    "RecordingQuality",
    "Segment",
    "Signer",
    "SpeakerMatch",
    "Speech",
    "SpeechStream",
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
    "detect": "safety.finding",
    "Narration": "synthesis.narration",
    "Prosody": "prosody",
    "Provenance": "safety",
    "RecordingQuality": "audio.quality",
    "Segment": "speech",
    "Signer": "safety",
    "SpeakerMatch": "safety.verification",
    "Speech": "speech",
    "SpeechStream": "synthesis.stream",
    "Voice": "voice",
    "VoxClone": "synthesis",
    "__version__": "version",
}  # every other public name is an error


if not TYPE_CHECKING:  # a type checker is to find names that are not there

    def __getattr__(name: str) -> Any:
        """Import a public name's module when the name is first asked for (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module 'voxclone' has no attribute {name!r}")
        return getattr(importlib.import_module(f"voxclone.{_HOMES.get(name, 'errors')}"), name)

    def __dir__() -> list[str]:
        return __all__
