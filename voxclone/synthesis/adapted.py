"""The acoustic model that speaks a voice: the model's own, or a copy with what fine-tuning on the speaker changed."""

from __future__ import annotations

import threading
from functools import cached_property
from weakref import WeakKeyDictionary

from voxclone.errors import ModelError, VoiceError
from voxclone.models.acoustic import AcousticModel
from voxclone.models.adapter import Adapter, adapt
from voxclone.models.identity import weights_id
from voxclone.voice import Voice


class AcousticModels:
    """One acoustic model and its adapted copies, each kept as long as its adapter; threads may share it.

    Args:
        base: Never changed.
        name: What messages call it.
    """

    def __init__(self, base: AcousticModel, name: str) -> None:
        self.base, self.name = base, name
        self._adapted: WeakKeyDictionary[Adapter, AcousticModel] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @cached_property
    def base_id(self) -> str:
        """See `weights_id`; an adapter names the one that it fits."""
        return weights_id(self.base)

    def speaking(self, voice: Voice) -> AcousticModel:
        """The model for a voice; an adapted one shares every tensor that its adapter leaves as it was.

        Raises:
            VoiceError: The voice was fine-tuned on another acoustic model, or its adapter does not fit this one.
        """
        adapter = voice.adapter
        if adapter is None:
            return self.base
        if adapter.base_id != self.base_id:
            raise VoiceError(
                f"voice {voice.name!r} was fine-tuned on model {adapter.base_name!r}, acoustic model "
                f"{adapter.base_id}; this is {self.name!r}, {self.base_id}. Load that model, or fine-tune again on this"
            )
        with self._lock:
            adapted = self._adapted.get(adapter)
            if adapted is None:
                try:
                    adapted = self._adapted[adapter] = adapt(self.base, adapter)
                except ModelError as error:
                    raise VoiceError(f"voice {voice.name!r} cannot be spoken: {error}") from error
            return adapted
