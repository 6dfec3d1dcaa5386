"""VoxClone: speech in, a voice out; text and a voice in, speech out."""

from __future__ import annotations

import copy
import os
import warnings
from functools import partial
from typing import Any, Self

import torch

from voxclone import hub
from voxclone.audio.io import AudioSource
from voxclone.errors import ConfigError, ConsentError
from voxclone.kernels.precision import inference_precision
from voxclone.models.vocoder.cost import multiply_adds
from voxclone.safety.consent import Consent
from voxclone.safety.finding import read_finder
from voxclone.safety.validity import require_valid
from voxclone.synthesis.compiling import ACOUSTIC_METHODS, VOCODER_METHODS, with_compiled
from voxclone.synthesis.graphs import capture_graph, with_graphs
from voxclone.synthesis.listening import Listening
from voxclone.synthesis.loading import build_parts, choose_device, example_voices, read_fitting_config
from voxclone.synthesis.long_form import LongForm
from voxclone.synthesis.progress import progress_bar
from voxclone.synthesis.publishing import Publishing, load_for_voice
from voxclone.synthesis.reference import measure_speaker
from voxclone.synthesis.speaking import AcousticModels
from voxclone.text.lexicon import Lexicon, as_lexicon
from voxclone.text.phonemes import warm_up
from voxclone.voice import Voice, with_records_of

DTYPES = (None, torch.float32, torch.float16, torch.bfloat16)
UNMARKED_WARNING = (
    "unmarked_for_research: what this model speaks is not looked through for its mark, and may not be told from a "
    "recording. Do not pass it on"
)


class VoxClone(LongForm, Listening, Publishing):
    """A model that clones voices and speaks with them: it keeps no state between calls, and threads may share it.

    Make one with `from_pretrained`.

    Attributes:
        config: What the model is.
        device: Where it runs.
        sample_rate: Hz of the speech that it makes.
        encoder_id: Which speaker encoder it has: 16 hex digits over the weights as fp16, or those of the encoder whose
            embeddings this one was trained to keep giving (`SpeakerEncoderConfig.space`). Voices carry it.
        voices: The model's own example voices by name.
        card: The model card, Markdown.
        lexicon: Words and the IPA in which it always says them.
    """

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str] | None = None,
        *,
        revision: str | None = None,
        device: str | torch.device = "auto",
        dtype: torch.dtype | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        token: str | None = None,
        local_files_only: bool = False,
        lexicon: Lexicon | None = None,
        commercial: bool = False,
        unmarked_for_research: bool = False,
    ) -> Self:
        """Load a model.

        Args:
            source: A folder, or a Hugging Face Hub repository; None for the bundled model, which needs no network.
            revision: The Hub repository's branch, tag or commit.
            device: A torch device; "auto" is CUDA where there is one, else the CPU.
            dtype: In which acoustic model and vocoder compute (torch.autocast); None is float32, except that a
                heavy vocoder's convolutions (HiFi-GAN V1 to V3; not the bundled one's) take bfloat16 on a CPU that
                has instructions for it and on a GPU of compute capability 9.0: 2 to 5 times as fast, and not heard
                (docs/kernels.md), but chunks then equal the whole only to some 3e-3. The weights and all of cloning
                are float32, so that a voice is the same whatever made it.
            cache_dir: Where Hub downloads are kept; None is the Hub's own cache.
            token: Hub access token for private and gated repositories.
            local_files_only: Use what the cache holds and no network.
            lexicon: Words that this model is always to say so: IPA by word, or a .json, .tsv or .pls file.
            commercial: The speech is for commercial ends: only voices may speak whose speakers agreed to that, that is,
                whose consents have "commercial" in their scope.
            unmarked_for_research: Let speech out although the model's mark is not in it, as of a model without a
                detector or of a vocoder that was changed. What is spoken then cannot be told from a recording by
                `voxclone.detect`, and its provenance names no mark: for experiments whose audio is not passed on.
                Warned of each time.

        Raises:
            ModelError: The model is missing, damaged, or does not fit its configuration or this voxclone's symbols.
            ConfigError: The device or dtype cannot be used.
        """
        if dtype not in DTYPES:
            raise ConfigError(f"dtype is {dtype}; it must be one of {', '.join(map(str, DTYPES))}")
        target = choose_device(device)
        folder = hub.resolve(
            source, revision=revision, cache_dir=cache_dir, token=token, local_files_only=local_files_only
        )
        hub.check_integrity(folder)
        config = read_fitting_config(folder)
        modules = build_parts(folder, config, target)
        if dtype is None:
            precision = inference_precision(target, multiply_adds(config.vocoder))
            modules.vocoder.precision = precision  # type: ignore[assignment]  # a plain attribute
        if unmarked_for_research:
            warnings.warn(UNMARKED_WARNING, RuntimeWarning, stacklevel=2)
        card = folder / "card.md"
        model = cls(
            config,
            **modules._asdict(),
            dtype=dtype or torch.float32,
            voices=example_voices(folder),
            card=card.read_text(encoding="utf-8") if card.exists() else "",
            lexicon=as_lexicon(lexicon),
            mark=read_finder(folder, config),
            commercial=commercial,
            unmarked_for_research=unmarked_for_research,
        )
        warm_up(config.text.language)
        return model

    def clone(
        self,
        sources: AudioSource | list[AudioSource],
        *,
        name: str,
        consent: Consent | None = None,
        spoken_by: Voice | None = None,
        progress: bool = False,
    ) -> Voice:
        """Make a voice from recordings of one speaker, longer and cleaner ones counting more.

        Of several, one that is unfit, no speech, or of another speaker than the rest, is left out, and a warning names
        it. `Voice.recordings` has what was found of each.

        Args:
            sources: A recording, or a list of them, each a path, a file's bytes, or (samples, sample_rate) with samples
                of shape (S,) or (S, C).
            name: What to call the voice.
            consent: The record of the speaker's consent; there is no voice without one. A verified one clones the
                recordings that it was verified with, and others of that speaker beside them.
            spoken_by: Where voxclone synthesised the recordings: the voice that spoke them, of the same speaker, whose
                consent records the new voice then carries as well. Without it, recordings that carry the model's mark
                are refused.
            progress: Show a progress bar where standard error is a terminal.

        Raises:
            ConsentError: There is no consent record, it has expired, was revoked, is not to cloning, or was verified
                with another speaker's recordings; or a recording carries the model's mark.
            AudioError: A recording is unreadable, none is fit, or they are of so many speakers that it cannot be told
                whose voice is wanted.
        """
        if not isinstance(consent, Consent):
            raise ConsentError(
                "cloning needs the speaker's consent; add: "
                f'consent=voxclone.Consent.attest("{name}", basis="on what ground, such as: my own voice")'
            )
        require_valid((consent,), "cloning", *self._origin.uses)
        recordings = sources if isinstance(sources, list) else [sources]
        self.require_natural(recordings, consent, spoken_by)
        self.require_speaker(recordings, consent, spoken_by)
        measures = measure_speaker(
            self._speaker_encoder,
            self.config.audio,
            progress_bar(recordings, "clips", progress),
            self.same_speaker_threshold,
            self._acoustic.rate_reader,
            stacklevel=3,
        )
        consents = with_records_of(consent, spoken_by)
        return Voice(name, consents=consents, encoder_id=self.encoder_id, **measures._asdict())

    def compiled(self, **options: Any) -> Self:
        """The same model, its weights shared, through torch.compile: first calls are slow, later ones may be faster.

        What it says differs from this model's by rounding.

        Args:
            options: As for torch.compile; dynamic is True unless given, so that a new length compiles nothing anew.
        """
        model = copy.copy(self)
        options = {"dynamic": True} | options
        model._acoustic = with_compiled(self._acoustic, ACOUSTIC_METHODS, options)
        model._acoustic_models = AcousticModels(model._acoustic, self.config.name)
        model._vocoder = with_compiled(self._vocoder, VOCODER_METHODS, options)
        return model

    def graphed(self) -> Self:
        """The same model, its weights shared, its vocoder by CUDA graphs: for the least time to the first sound.

        What it says differs from this model's by rounding. A length of utterance is captured when it comes a second
        time.

        Raises:
            ConfigError: The model is not on a CUDA device.
        """
        if self.device.type != "cuda":
            raise ConfigError(f"CUDA graphs need a model on a CUDA device; this one is on {self.device.type}")
        model = copy.copy(self)
        model._vocoder = with_graphs(self._vocoder, self.config.vocoder, capture_graph)
        return model

    @classmethod
    def for_voice(
        cls,
        source: str | os.PathLike[str],
        *,
        revision: str | None = None,
        device: str | torch.device = "auto",
        dtype: torch.dtype | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        token: str | None = None,
        local_files_only: bool = False,
        lexicon: Lexicon | None = None,
        commercial: bool = False,
    ) -> tuple[Self, Voice]:
        """Load a published voice, and the model that it belongs to at the revision that it names.

        Args:
            source: "org/name" on the Hub, as `Voice.push_to_hub` made it, or a folder of that layout.
            revision: The voice's branch, tag or commit.
            device: As for `from_pretrained`, like all that follow.
            dtype: As above.
            cache_dir: As above.
            token: As above.
            local_files_only: As above.
            lexicon: As above.
            commercial: As above.

        Raises:
            ModelError: Voice or model is missing, damaged, or cannot be had.
            VoiceError: The voice is not of that model.
        """
        return load_for_voice(
            partial(cls.from_pretrained, device=device, dtype=dtype, lexicon=lexicon, commercial=commercial),
            source,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
        )
