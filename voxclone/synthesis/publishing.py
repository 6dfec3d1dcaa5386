"""A model on disk and on the Hub, and a voice with the model that it belongs to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from voxclone import hub
from voxclone.config import ModelConfig
from voxclone.errors import VoiceError
from voxclone.safety.validity import require_valid
from voxclone.synthesis.parts import Parts
from voxclone.voice import Voice

Model = TypeVar("Model", bound=Parts)


class Publishing(Parts):
    """The part of `VoxClone` that saves and publishes it."""

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, card: hub.Card | None = None, source: str = "path/to/model"
    ) -> None:
        """Write the model's folder: config, weights as fp16, card and example voices.

        Args:
            folder: Where to.
            card: What the card is to say; None keeps the model's own, or states what is known where it has none.
            source: What the card says that the model is loaded from.

        Raises:
            ModelError: The folder is a file, or holds something that is not a voxclone model.
        """
        parts = self._parts()
        text = self.card
        if card is not None or not text:
            text = _describe(card or hub.Card(), self.config, parts, self.voices, source)
        with tempfile.TemporaryDirectory() as kept:
            paths = {name: Path(kept, f"{name}.voice") for name in self.voices}
            for name, path in paths.items():
                self.voices[name].save(path)
            hub.save_folder(folder, self.config, parts, card=text, voices=paths)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        token: str | None = None,
        private: bool = False,
        revision: str | None = None,
        card: hub.Card | None = None,
    ) -> str:
        """Publish the model on the Hugging Face Hub, in one commit.

        Args:
            repo_id: "org/name"; made if it does not exist.
            token: Access token; None for the one of `hf auth login`.
            private: Whether a new repository is private.
            revision: Branch to push to; None for main.
            card: What the model card is to say of data, licence, metrics and limits; None keeps the model's own.

        Returns:
            The repository's URL.

        Raises:
            ConsentError: The speaker of an example voice did not agree to sharing.
            ModelError: The Hub refuses.
        """
        for voice in self.voices.values():
            require_valid(voice.consents, "sharing")
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, card=card, source=repo_id)
            return hub.push_folder(Path(folder), repo_id, token=token, private=private, revision=revision)


def _describe(
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
    counts = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()}
    sizes = {name: count for name, count in counts.items() if count}  # a cohort has none
    return hub.model_card(card, config, grounds, sizes, source)


def load_for_voice(
    load: Callable[..., Model],
    source: str | os.PathLike[str],
    *,
    revision: str | None,
    **where: Any,
) -> tuple[Model, Voice]:
    """See `VoxClone.for_voice`, for errors too; `load` is its `from_pretrained`, and `where` goes to both downloads."""
    path, base = hub.fetch_voice(source, revision=revision, **where)
    voice = Voice.load(path)
    repo_id, commit = (None, None) if base is None else (base.repo_id, base.revision)
    model = load(repo_id, revision=commit, **where)
    tuned_on = model.acoustic_id if voice.adapter is None else voice.adapter.base_id
    if (voice.encoder_id, tuned_on) != (model.encoder_id, model.acoustic_id):
        named = "the bundled model" if base is None else f"{repo_id} at {commit}"
        raise VoiceError(f"voice {voice.name!r} says that it belongs to {named}, but it was made with another model")
    return model, voice
