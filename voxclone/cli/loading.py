"""The model and the voice that a command's options name."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from voxclone.cli import outputs
from voxclone.errors import VoiceError

if TYPE_CHECKING:
    from voxclone.synthesis import VoxClone
    from voxclone.voice import Voice


def load(options: argparse.Namespace) -> VoxClone:
    """The model that the options name."""
    import torch

    from voxclone.kernels.threads import usable_cores
    from voxclone.synthesis import VoxClone

    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))  # OMP_NUM_THREADS asks for fewer
    return VoxClone.from_pretrained(
        options.model, revision=options.revision, device=options.device, commercial=options.commercial
    )


def choose_voice(model: VoxClone, wanted: str | None) -> Voice:
    """A voice file, a repository on the Hub, one of the model's voices by name, or its first.

    Raises:
        VoiceError: There is none of that name, or it cannot be read.
    """
    from voxclone import hub
    from voxclone.voice import Voice

    if wanted is None:
        if not model.voices:
            raise VoiceError("the model has no example voice; give one with --voice FILE")
        return next(iter(model.voices.values()))
    if wanted in model.voices:
        return model.voices[wanted]
    if Path(wanted).exists():
        outputs.refuse_audio(wanted, "is a recording; make a voice of it first: voxclone clone")
        return Voice.load(wanted)
    if hub.is_repo_id(wanted):
        return Voice.from_pretrained(wanted)
    raise VoiceError(f"no voice {wanted!r}: no such file, and the model's own are {', '.join(model.voices) or 'none'}")
