"""What publishing a model or a voice needs besides the Hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from torch import nn

from voxclone import hub
from voxclone.config import ModelConfig
from voxclone.errors import VoiceError
from voxclone.voice import Voice

if TYPE_CHECKING:
    from voxclone.synthesis.model import VoxClone

AnyVoxClone = TypeVar("AnyVoxClone", bound="VoxClone")


def describe(
    card: hub.Card, config: ModelConfig, parts: Mapping[str, nn.Module], voices: Mapping[str, Voice], source: str
) -> str:
    """A model's card: what its publisher says, with what the model itself shows.

    Args:
        card: What the publisher says.
        config: The model's.
        parts: Its modules by name.
        voices: Its example voices by name.
        source: What the card says that the model is loaded from.
    """
    grounds = {name: "; ".join(consent.basis for consent in voice.consents) for name, voice in voices.items()}
    sizes = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()}
    return hub.model_card(card, config, grounds, sizes, source)


def load_for_voice(
    load: Callable[..., AnyVoxClone],
    source: str | os.PathLike[str],
    *,
    revision: str | None,
    device: Any,
    dtype: Any,
    **where: Any,
) -> tuple[AnyVoxClone, Voice]:
    """See `VoxClone.for_voice`; `load` is its `from_pretrained`, and `where` goes to both downloads."""
    path, base = hub.fetch_voice(source, revision=revision, **where)
    voice = Voice.load(path)
    repo_id, commit = (None, None) if base is None else (base.repo_id, base.revision)
    model = load(repo_id, revision=commit, device=device, dtype=dtype, **where)
    tuned_on = model.acoustic_id if voice.adapter is None else voice.adapter.base_id
    if (voice.encoder_id, tuned_on) != (model.encoder_id, model.acoustic_id):
        named = "the bundled model" if base is None else f"{repo_id} at {commit}"
        raise VoiceError(f"voice {voice.name!r} says that it belongs to {named}, but it was made with another model")
    return model, voice
