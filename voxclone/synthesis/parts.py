"""What a loaded model is made of, which all that it does rests on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from voxclone.config import ModelConfig
from voxclone.errors import ModelError, VoiceError
from voxclone.models.acoustic import AcousticModel
from voxclone.models.aligner import Aligner
from voxclone.models.cohort import Cohort
from voxclone.models.identity import model_sha256
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.safety.detection import MarkFinder
from voxclone.safety.validity import require_valid
from voxclone.synthesis.outlet import Origin
from voxclone.synthesis.reference import encoder_id
from voxclone.synthesis.speaking import AcousticModels
from voxclone.synthesis.torch_ear import TorchEar
from voxclone.text.lexicon import Lexicon, as_lexicon
from voxclone.version import __version__
from voxclone.voice import Voice


class Parts:
    """The modules of a model, what it is, and what every call checks; `VoxClone` says what the attributes are."""

    def __init__(
        self,
        config: ModelConfig,
        speaker_encoder: SpeakerEncoder,
        acoustic: AcousticModel,
        vocoder: nn.Module,
        aligner: Aligner | None = None,
        cohort: Cohort | None = None,
        *,
        dtype: torch.dtype,
        voices: Mapping[str, Voice],
        card: str,
        lexicon: Mapping[str, str] | None = None,
        mark: MarkFinder | None = None,
        commercial: bool = False,
        unmarked_for_research: bool = False,
    ) -> None:
        if (cohort is None) != (config.verification is None):
            raise ModelError("a model has a cohort where its configuration has a verification, and only there")
        self.config = config
        self.device = next(acoustic.parameters()).device
        self.sample_rate = config.audio.sample_rate
        self.encoder_id = encoder_id(speaker_encoder)
        self.voices = MappingProxyType(dict(voices))
        self.card = card
        self.lexicon = MappingProxyType(dict(lexicon or {}))
        self._speaker_encoder = speaker_encoder.eval()
        self._acoustic = acoustic.eval()
        self._acoustic_models = AcousticModels(self._acoustic, config.name)
        self._vocoder = vocoder.eval()
        self._aligner = None if aligner is None else aligner.eval()
        self._cohort = None if cohort is None else cohort.eval()
        self._dtype = dtype
        self._process = os.getpid()
        self._ear = None if mark is None else TorchEar(mark.ear)
        self._mark = None if mark is None or self._ear is None else MarkFinder(self._ear, mark.mark_id)
        origin = config.name, model_sha256(self._parts()), self.sample_rate
        self._origin = Origin(*origin, self._mark, unmarked_for_research, ("commercial",) if commercial else ())

    @property
    def acoustic_id(self) -> str:
        """Which acoustic model it has: 16 hex digits over the weights as fp16. Fine-tuned voices carry it."""
        return self._acoustic_models.base_id

    def settings_id(self, **options: Any) -> str:
        """64 hex digits of all that `generate(text, voice, **options)` depends on besides text and voice.

        That is this version of voxclone, the weights, how and where they compute, what the speech is for, lexicons and
        options.
        """
        told = {name: value for name, value in options.items() if name not in ("lexicon", "progress")}
        origin = (self._origin.model_sha256, self._origin.unmarked_for_research, self._origin.uses)
        words = sorted(self._words(options.get("lexicon")).items())
        settings = (__version__, *origin, str(self._dtype), self.device.type, words, sorted(map(repr, told.items())))
        return hashlib.sha256(repr(settings).encode()).hexdigest()

    def _check_voice(self, voice: object) -> None:
        """Refuse what this model cannot speak with here and now.

        Raises:
            VoiceError: It is no voice, or another speaker encoder's.
            ConsentError: Its consent does not hold, or is not to what the speech is for.
            ModelError: The process was forked, and lacks the threads that the model computes with.
        """
        if not isinstance(voice, Voice):
            own = isinstance(voice, str) and voice in self.voices
            way = f"take model.voices[{voice!r}]" if own else 'Voice.load("me.voice") reads one from a file'
            raise VoiceError(f"the voice is {type(voice).__name__}; it must be a voxclone.Voice: {way}")
        if os.getpid() != self._process and torch.get_num_threads() > 1:
            raise ModelError(
                "this process was forked from the one that loaded the model, and lacks its compute threads; call "
                'torch.set_num_threads(1) first, or start processes by multiprocessing\'s "spawn" and load it there'
            )
        require_valid(voice.consents, *self._origin.uses)
        if voice.encoder_id != self.encoder_id:
            raise VoiceError(
                f"voice {voice.name!r} was made by speaker encoder {voice.encoder_id}, this model has "
                f"{self.encoder_id}; clone the voice again with this model"
            )

    def _words(self, lexicon: Lexicon | None) -> Mapping[str, str]:
        """The model's lexicon and the call's, which goes before."""
        return {**self.lexicon, **as_lexicon(lexicon)}

    def _require_aligner(self) -> Aligner:
        if self._aligner is None:
            raise ModelError(
                f"model {self.config.name!r} has no aligner; export it with one: recipes/bundle/export.py --aligner-run"
            )
        return self._aligner

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not torch.float32)

    def _parts(self) -> dict[str, nn.Module]:
        parts: dict[str, nn.Module] = {
            "speaker_encoder": self._speaker_encoder,
            "acoustic": self._acoustic,
            "vocoder": self._vocoder,
        }
        if self._aligner is not None:
            parts["aligner"] = self._aligner
        if self._cohort is not None:
            parts["cohort"] = self._cohort
        if self._ear is not None:
            parts["detector"] = self._ear.detector
        return parts
