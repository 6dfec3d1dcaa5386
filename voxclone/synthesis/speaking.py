"""The acoustic model that speaks a voice: the model's own, or a copy with what fine-tuning on the speaker changed."""

from __future__ import annotations

import threading
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from voxclone.errors import ModelError, VoiceError
from voxclone.models.acoustic import AcousticModel, Plan
from voxclone.models.acoustic.manner import manner
from voxclone.models.acoustic.model import DECODER_PARTS
from voxclone.models.adapter import Adapter, adapt
from voxclone.models.identity import acoustic_id
from voxclone.voice import Voice


class SpeakingModel:
    """An acoustic model and what it is told of one voice, on its device; threads may share it.

    Args:
        acoustic: The model.
        voice: The voice; it is not held.
    """

    def __init__(self, acoustic: AcousticModel, voice: Voice) -> None:
        self.acoustic = acoustic
        self.device = next(acoustic.parameters()).device
        self._embedding = torch.tensor(voice.speaker_embedding, device=self.device)[None]
        self._f0_median = torch.tensor([voice.f0_median], device=self.device)
        self._spectrum = torch.tensor(voice.spectrum, device=self.device)[None]
        self._manner = manner(voice.phoneme_seconds, voice.f0_spread).to(self.device)[None]
        taught = voice.adapter is not None and not voice.adapter.parts <= DECODER_PARTS  # the speaker's own manner
        self._in_manner = bool(acoustic.config.manner) and not taught

    @cached_property
    def _habits(self) -> Tensor:
        """See `AcousticModel.habits`: every chunk needs them, and they are the voice's."""
        condition = self.acoustic.condition(self._embedding, self._f0_median, self._spectrum, manner=self._manner)
        return self.acoustic.habits(condition)

    @torch.inference_mode()
    def plan(self, phoneme_ids: Tensor, phoneme_lengths: Tensor, seed: int | None, own_pauses: bool = True) -> Plan:
        """`AcousticModel.plan` in this voice."""
        told = (self._embedding, self._f0_median, self._spectrum, self._manner)
        size = len(phoneme_ids)
        return self.acoustic.plan(
            phoneme_ids.to(self.device),
            phoneme_lengths.to(self.device),
            *(each.expand(size, *each.shape[1:]) for each in told),
            seed=seed,
            in_manner=self._in_manner,
            habits=self._habits.expand(size, -1) if self._in_manner else None,
            own_pauses=own_pauses,
        )


class AcousticModels:
    """One acoustic model and its adapted copies, each kept as long as its adapter; threads may share it.

    Args:
        base: Never changed.
        name: What messages call it.
    """

    def __init__(self, base: AcousticModel, name: str) -> None:
        self.base, self.name = base, name
        self._adapted: WeakKeyDictionary[Adapter, AcousticModel] = WeakKeyDictionary()
        self._speaking: WeakKeyDictionary[Voice, SpeakingModel] = WeakKeyDictionary()
        self._lock = threading.RLock()

    @cached_property
    def base_id(self) -> str:
        """See `acoustic_id`; an adapter names the one that it fits."""
        return acoustic_id(self.base)

    def speaking(self, voice: Voice) -> SpeakingModel:
        """The model for a voice, kept as long as the voice.

        Raises:
            VoiceError: The voice was fine-tuned on another acoustic model, or its adapter does not fit this one.
        """
        with self._lock:
            known = self._speaking.get(voice)
            if known is None:
                known = self._speaking[voice] = SpeakingModel(self._model(voice), voice)
            return known

    def _model(self, voice: Voice) -> AcousticModel:
        """The base, or an adapted copy, which shares every tensor that its adapter leaves as it was."""
        adapter = voice.adapter
        if adapter is None:
            return self.base
        if adapter.base_id != self.base_id:
            raise VoiceError(
                f"voice {voice.name!r} was fine-tuned on model {adapter.base_name!r}, acoustic model "
                f"{adapter.base_id}; this is {self.name!r}, {self.base_id}. Load that model, or fine-tune again on this"
            )
        adapted = self._adapted.get(adapter)
        if adapted is None:
            try:
                adapted = self._adapted[adapter] = adapt(self.base, adapter)
            except ModelError as error:
                raise VoiceError(f"voice {voice.name!r} cannot be spoken: {error}") from error
        return adapted
