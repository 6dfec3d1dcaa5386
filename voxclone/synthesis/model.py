"""VoxClone: speech in, a voice out; text and a voice in, speech out."""

from __future__ import annotations

import contextlib
import copy
import os
import tempfile
import warnings
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypedDict, Unpack, overload

import torch
from torch import nn

from voxclone import hub
from voxclone.audio.io import AudioSource
from voxclone.config import ModelConfig
from voxclone.errors import ConfigError, ConsentError, ModelError, TextError, VoiceError
from voxclone.kernels.precision import inference_precision
from voxclone.models.acoustic import AcousticModel
from voxclone.models.aligner import Aligner
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.cost import multiply_adds
from voxclone.prosody import Prosody
from voxclone.safety.consent import Consent
from voxclone.safety.detection import MarkFinder
from voxclone.safety.validity import require_valid
from voxclone.speech import Segment, Speech
from voxclone.subtitles import read_subtitles
from voxclone.synthesis.alignment import Alignment, align
from voxclone.synthesis.batching import buckets
from voxclone.synthesis.compiling import ACOUSTIC_METHODS, VOCODER_METHODS, with_compiled
from voxclone.synthesis.controls import Controls, check_number
from voxclone.synthesis.dubbing import Cue, Dubbing, check_times, cue_name
from voxclone.synthesis.graphs import capture_graph, with_graphs
from voxclone.synthesis.listening import Listening
from voxclone.synthesis.narration import Narration, narrate
from voxclone.synthesis.outlet import Origin, model_sha256
from voxclone.synthesis.progress import progress_bar
from voxclone.synthesis.publishing import describe, load_for_voice
from voxclone.synthesis.reading import read
from voxclone.synthesis.reference import encoder_id, measure_speaker
from voxclone.synthesis.render import Utterance, join, plan, render
from voxclone.synthesis.request import Request, one_for_each
from voxclone.synthesis.shaping import Draft
from voxclone.synthesis.speaking import AcousticModels
from voxclone.synthesis.stream import Speaker, SpeechStream
from voxclone.synthesis.transfer import measure_prosody
from voxclone.synthesis.watermark import read_finder
from voxclone.text.lexicon import Lexicon, as_lexicon
from voxclone.text.markup import Markup
from voxclone.text.phonemes import warm_up
from voxclone.text.symbols import SYMBOLS, SYMBOLS_VERSION
from voxclone.voice import Voice

MAX_TEXT_CHARS = 200_000  # of one call: about four hours of speech
DTYPES = (None, torch.float32, torch.float16, torch.bfloat16)
UNMARKED_WARNING = (
    "unmarked_for_research: what this model speaks is not looked through for its mark, and may not be told from a "
    "recording. Do not pass it on"
)


class Options(TypedDict, total=False):
    """What `VoxClone.generate` takes by keyword."""

    speed: float
    pitch: float
    pitch_range: float
    energy: float
    seed: int | None
    duration_seconds: float | Sequence[float | None] | None
    prosody: Prosody | Sequence[Prosody | None] | None
    markup: Markup
    voices: Mapping[str, Voice] | None
    lexicon: Lexicon | None
    normalize: bool
    progress: bool


class VoxClone(Listening):
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

    def __init__(
        self,
        config: ModelConfig,
        speaker_encoder: SpeakerEncoder,
        acoustic: AcousticModel,
        vocoder: nn.Module,
        aligner: Aligner | None = None,
        *,
        dtype: torch.dtype,
        voices: Mapping[str, Voice],
        card: str,
        lexicon: Mapping[str, str] | None = None,
        mark: MarkFinder | None = None,
        commercial: bool = False,
        unmarked_for_research: bool = False,
    ) -> None:
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
        self._dtype = dtype
        self._process = os.getpid()
        self._mark = mark
        origin = config.name, model_sha256(self._parts()), self.sample_rate
        self._origin = Origin(*origin, mark, unmarked_for_research, ("commercial",) if commercial else ())

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
        target = _device(device)
        folder = hub.resolve(
            source, revision=revision, cache_dir=cache_dir, token=token, local_files_only=local_files_only
        )
        hub.check_integrity(folder)
        config = hub.read_config(folder)
        expected = (config.text.symbols_version, config.acoustic.n_symbols)
        if expected != (SYMBOLS_VERSION, len(SYMBOLS)):
            raise ModelError(
                f"{folder} was trained on {expected[1]} phoneme symbols (version {expected[0]}); this voxclone has "
                f"{len(SYMBOLS)} (version {SYMBOLS_VERSION}). Install the voxclone that the model was made with."
            )
        speaker_encoder = hub.build(
            lambda: SpeakerEncoder(config.speaker_encoder), folder / "speaker_encoder.safetensors"
        )
        acoustic = hub.build(lambda: AcousticModel(config.acoustic), folder / "acoustic.safetensors")
        vocoder = hub.build(lambda: build_vocoder(config.vocoder), folder / "vocoder.safetensors")
        aligner = None
        if (sizes := config.aligner) is not None:
            aligner = hub.build(lambda: Aligner(sizes), folder / "aligner.safetensors")
        if dtype is None:
            precision = inference_precision(target, multiply_adds(config.vocoder))
            vocoder.precision = precision  # type: ignore[assignment]  # a plain attribute
        if unmarked_for_research:
            warnings.warn(UNMARKED_WARNING, RuntimeWarning, stacklevel=2)
        card = folder / "card.md"
        model = cls(
            config,
            speaker_encoder.to(target),
            acoustic.to(target),
            vocoder.to(target),
            None if aligner is None else aligner.to(target),
            dtype=dtype or torch.float32,
            voices=_example_voices(folder),
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
            consent: The record of the speaker's consent; there is no voice without one.
            spoken_by: Where voxclone synthesised the recordings: the voice that spoke them, of the same speaker.
                Without it, recordings that carry the model's mark are refused.
            progress: Show a progress bar where standard error is a terminal.

        Raises:
            ConsentError: There is no consent record, it has expired, was revoked, or is not to cloning, or a recording
                carries the model's mark.
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
        measures = measure_speaker(
            self._speaker_encoder,
            self.config.audio,
            progress_bar(recordings, "clips", progress),
            self.same_speaker_threshold,
            self._acoustic.rate_reader,
            stacklevel=3,
        )
        return Voice(name, consents=(consent,), encoder_id=self.encoder_id, **measures._asdict())

    @overload
    def generate(self, text: str, voice: Voice, **options: Unpack[Options]) -> Speech: ...

    @overload
    def generate(self, text: list[str], voice: Voice, **options: Unpack[Options]) -> list[Speech]: ...

    def generate(
        self,
        text: str | list[str],
        voice: Voice,
        *,
        speed: float = 1.0,
        pitch: float = 0.0,
        pitch_range: float = 1.0,
        energy: float = 1.0,
        seed: int | None = None,
        duration_seconds: float | Sequence[float | None] | None = None,
        prosody: Prosody | Sequence[Prosody | None] | None = None,
        markup: Markup = "auto",
        voices: Mapping[str, Voice] | None = None,
        lexicon: Lexicon | None = None,
        normalize: bool = True,
        progress: bool = False,
    ) -> Speech | list[Speech]:
        """Speak a text, or each of a list of texts.

        A long text is spoken sentence by sentence with short pauses.

        Args:
            text: One text or a list of them.
            voice: A voice that this model, or one with the same speaker encoder, has cloned.
            speed: 0.25 to 4 times the model's own pace.
            pitch: -24 to 24 semitones above the voice's own.
            pitch_range: 0 to 4 times the model's own movement of the pitch about its middle; 0 is monotone.
            energy: 0.25 to 4 times the model's own amplitude; samples that it takes beyond full scale are cut off.
            seed: Varies the delivery; None is the model's plain reading, the same every time.
            duration_seconds: What the speech must last, silences included, to half a frame; pauses and vowels give
                more than consonants. For a list of texts, one for each.
            prosody: How each phoneme is spoken, such as `Speech.prosody`, as it was or changed; the other controls
                change it further. For a list of texts, one for each.
            markup: "auto" reads a text that begins with `<speak>` as SSML, and in any other `[pause 300ms]`,
                `[word](/ipa/)`, `[words](speed=0.8 pitch=+2)` and `*emphasis*`; other brackets are text. "inline" and
                "ssml" insist on one, "plain" reads no markup. See `voxclone.text.markup` and `voxclone.text.ssml`.
            voices: Voices that the markup may name, beside the model's own.
            lexicon: Words to their pronunciation in IPA, or the .json, .tsv or .pls file that holds them; before the
                model's own.
            normalize: Write out numbers, dates, abbreviations and the like before speaking.
            progress: Show a progress bar where standard error is a terminal.

        Returns:
            A Speech for a text, a list of them in the same order for a list.

        Raises:
            TextError: A text is empty, has nothing to speak, a character that cannot be spoken, or wrong markup.
            VoiceError: A voice is another speaker encoder's, was fine-tuned on another acoustic model, or is asked for
                by a name that is not there.
            ConfigError: A control is out of range, the time that is asked for too short or too long, or the prosody is
                that of another text.
            UnmarkedError: The speech does not carry the mark that the model promises.
        """
        self._check_voice(voice)
        texts = [text] if isinstance(text, str) else text
        if (length := sum(map(len, texts))) > MAX_TEXT_CHARS:
            raise TextError(
                f"{length} characters are too long to be spoken in one call, whose speech is held in memory: at most "
                f"{MAX_TEXT_CHARS} can be; use narrate for a book, or stream"
            )
        requests = []
        for each, seconds, given in zip(
            texts,
            one_for_each(text, duration_seconds, "duration_seconds"),
            one_for_each(text, prosody, "prosody"),
            strict=True,
        ):
            controls = Controls(speed, pitch, pitch_range, energy, seed, seconds)
            chunks = read(each, self.config.text.language, self._words(lexicon), normalize, markup)
            requests.append(Request(chunks, controls, given))
        speeches = self._speak(requests, voice, voices, progress)
        return speeches[0] if isinstance(text, str) else speeches

    def dub(
        self,
        subtitles: str | os.PathLike[str] | Sequence[Segment],
        voice: Voice,
        *,
        slowest: float = 1.25,
        speed: float = 1.0,
        pitch: float = 0.0,
        pitch_range: float = 1.0,
        energy: float = 1.0,
        markup: Markup = "auto",
        lexicon: Lexicon | None = None,
        normalize: bool = True,
        progress: bool = False,
    ) -> Speech:
        """Speak subtitles at their times: each begins with its cue, and is as fast as it must be to end with it.

        Args:
            subtitles: An .srt or .vtt file, or texts with their times.
            voice: As for `generate`, and so are the arguments that are not named here.
            slowest: 1 to 4: how many times its own duration a text is stretched at most to fill its cue; what is left
                is silence.

        Raises:
            ConfigError: A cue is too short for its text, overlaps the one before, or a control is out of range.
            TextError: The file holds no subtitles, or as for `generate`; says of which cue.
            VoiceError: As for `generate`.
        """
        self._check_voice(voice)
        check_number("slowest", slowest, 1.0, 4.0)
        segments = read_subtitles(subtitles) if isinstance(subtitles, str | os.PathLike) else subtitles
        check_times(segments)
        words, language = self._words(lexicon), self.config.text.language
        cues = []
        for each in segments:
            try:
                cues.append(Cue(each, read(each.text, language, words, normalize, markup)))
            except TextError as error:
                raise TextError(f"{cue_name(each)}: {error}", error.position) from error
        controls = Controls(speed, pitch, pitch_range, energy)
        request = Dubbing([chunk for cue in cues for chunk in cue.chunks], controls, None, cues, slowest)
        return self._speak([request], voice, None, progress)[0]

    def measure_prosody(
        self, source: AudioSource, text: str, *, lexicon: Lexicon | None = None, normalize: bool = True
    ) -> Prosody:
        """How a text is spoken in a recording; `generate(text, voice, prosody=...)` speaks it so with another voice.

        `Prosody.in_register(voice.f0_median)` moves the melody into that voice's register.

        Args:
            source: One recording of up to 60 s: a path, a file's bytes, or (samples, sample_rate).
            text: What is said in it; it has no markup.
            lexicon: As for `generate`.
            normalize: As for `generate`.

        Raises:
            ModelError: The model has no aligner.
            AudioError: The recording is unreadable, silent, too long, too short for the text, or has no voiced sound.
            TextError: The text is empty, has nothing to speak, or a character that cannot be spoken.
        """
        chunks = read(text, self.config.text.language, self._words(lexicon), normalize, "plain")
        return measure_prosody(self._require_aligner(), self.config.audio, source, chunks)

    def _require_aligner(self) -> Aligner:
        if self._aligner is None:
            raise ModelError(
                f"model {self.config.name!r} has no aligner; export it with one: recipes/bundle/export.py --aligner-run"
            )
        return self._aligner

    def _words(self, lexicon: Lexicon | None) -> Mapping[str, str]:
        """The model's lexicon and the call's, which goes before."""
        return {**self.lexicon, **as_lexicon(lexicon)}

    def stream(
        self,
        text: str | Iterable[str] | AsyncIterable[str],
        voice: Voice,
        *,
        speed: float = 1.0,
        pitch: float = 0.0,
        pitch_range: float = 1.0,
        energy: float = 1.0,
        seed: int | None = None,
        markup: Markup = "auto",
        voices: Mapping[str, Voice] | None = None,
        lexicon: Lexicon | None = None,
        normalize: bool = True,
        chunk_seconds: float = 1.0,
    ) -> SpeechStream:
        """Speak a text in chunks, the first as soon as can be.

        Args:
            text: One text, whose chunks joined equal `generate`'s; or pieces of it as they arrive, such as a language
                model's tokens, which are spoken at the ends of sentences and clauses; SSML when all of it is there.
            voice: As for `generate`, and so are the other arguments.
            chunk_seconds: Longest chunk, 0.1 to 10; a sentence's first is at most 0.3 s.

        Returns:
            An iterator over Speech, for `for` and `async for`. Nothing is made before it is asked for.

        Raises:
            VoiceError: As for `generate`.
            ConfigError: A control is out of range. TextError comes when the iteration reaches the fault.
        """
        self._check_voice(voice)
        check_number("chunk_seconds", chunk_seconds, 0.1, 10.0)
        controls = Controls(speed, pitch, pitch_range, energy, seed)

        def speaker(heard: Voice) -> Speaker:
            return Speaker(
                self._acoustic_models.speaking(heard),
                self._vocoder,
                self.config,
                self._origin,
                heard,
                controls,
                self._precision,
                round(chunk_seconds * self.sample_rate / self.config.audio.hop_length),
            )

        def cast(name: str) -> Speaker:
            return speaker(self._named_voice(name, voices))

        return SpeechStream(text, speaker(voice), self._words(lexicon), normalize, markup, cast)

    def _named_voice(self, name: str, voices: Mapping[str, Voice] | None) -> Voice:
        """The voice that a text's markup asks for.

        Raises:
            VoiceError: There is none of that name, or this model cannot speak it.
        """
        known = {**self.voices, **(voices or {})}
        if name not in known:
            names = ", ".join(map(repr, known)) or "none"
            raise VoiceError(
                f"the text asks for the voice {name!r}; there is {names}; Python gives others with voices="
            )
        self._check_voice(known[name])
        return known[name]

    def compiled(self, **options: Any) -> Self:
        """The same model, its weights shared, through torch.compile: slower at first, then faster where it is.

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

    def narrate(
        self,
        text: str | os.PathLike[str],
        voice: Voice,
        folder: str | os.PathLike[str],
        *,
        suffix: str = ".flac",
        part_minutes: float = 10.0,
        **options: Unpack[Options],
    ) -> Narration:
        """Read a book aloud into a folder, one file for each chapter, or several where it is long.

        Memory does not grow with the book. Called again with the same arguments, after whatever stopped it, it makes
        only what is not there yet. `index.json` says which file holds what and when it begins; beside each file are the
        times of its words.

        Args:
            text: The text, or the path of a UTF-8 file. Chapters begin at headings: "# One", or "Chapter 1" between
                blank lines.
            voice: As for `generate`.
            folder: Made if it is not there.
            suffix: ".wav", ".flac", ".mp3", ".ogg", ".opus" or ".m4a".
            part_minutes: Longest file, about, 0.1 to 60.
            options: As for `generate`, but neither duration_seconds nor prosody.

        Raises:
            TextError: The file is no text, there is nothing to speak, or a character that cannot be spoken; it has
                the place and line, and what was finished before it stays.
            ConfigError: An argument is out of range, or the folder is a file, not writable, or holds another program's
                index.json.
            AudioError: The suffix is unknown.
        """
        if {"duration_seconds", "prosody"} & set(options):
            raise ConfigError("a book takes neither duration_seconds nor prosody; they belong to single texts")
        check_number("part_minutes", part_minutes, 0.1, 60.0)
        progress = options.pop("progress", False)
        settings = (self._origin.model_sha256, str(self._dtype), voice.voice_id, sorted(map(repr, options.items())))
        return narrate(
            lambda part: self.generate(part, voice, **options),
            text,
            folder,
            suffix=suffix,
            part_minutes=part_minutes,
            identity=repr(settings),
            progress=progress,
        )

    def _check_voice(self, voice: Voice) -> None:
        """Whether it can be spoken with here and now."""
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
        if self._mark is not None:
            parts["detector"] = self._mark.detector
        return parts

    @property
    def acoustic_id(self) -> str:
        """Which acoustic model it has: 16 hex digits over the weights as fp16. Fine-tuned voices carry it."""
        return self._acoustic_models.base_id

    def align(
        self, source: AudioSource, text: str, *, lexicon: Lexicon | None = None, normalize: bool = True
    ) -> Alignment:
        """Find when each word and phoneme of a text is spoken in a recording of it.

        Args:
            source: One recording of up to 60 s: a path, a file's bytes, or (samples, sample_rate).
            text: What is said in it.
            lexicon: Words to their pronunciation in IPA.
            normalize: Write out numbers, dates, abbreviations and the like first, as `generate` does.

        Raises:
            ModelError: The model has no aligner.
            AudioError: The recording is unreadable, silent, too long, or too short for the text.
            TextError: The text is empty, has nothing to speak, or a character that cannot be spoken.
        """
        return align(
            self._require_aligner(),
            self.config.audio,
            source,
            read(text, self.config.text.language, self._words(lexicon), normalize, "plain"),
        )

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

        Raises:
            ModelError: Voice or model is missing, damaged, or cannot be had.
            VoiceError: The voice is not of that model.
        """
        return load_for_voice(
            cls.from_pretrained,
            source,
            revision=revision,
            device=device,
            dtype=dtype,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
        )

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, card: hub.Card | None = None, source: str = "path/to/model"
    ) -> None:
        """Write the model's folder: config, weights as fp16, card and example voices.

        Args:
            folder: Where to.
            card: What the card is to say; None keeps the model's own, or states what is known where it has none.
            source: What the card says that the model is loaded from.
        """
        parts = self._parts()
        text = self.card
        if card is not None or not text:
            text = describe(card or hub.Card(), self.config, parts, self.voices, source)
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

    def _speak(
        self, requests: Sequence[Request], voice: Voice, voices: Mapping[str, Voice] | None, progress: bool
    ) -> list[Speech]:
        """Synthesise the texts of one call. All of it leaves through `outlet.release`."""
        chunks = [chunk for request in requests for chunk in request.chunks]
        names = [chunk.direction.voice for chunk in chunks]
        heard = [voice if name is None else self._named_voice(name, voices) for name in names]
        batches = buckets(heard, [len(chunk.symbols) for chunk in chunks], self.device.type)
        seed = requests[0].controls.seed if requests else None
        drafts: dict[int, Draft] = {}
        utterances: dict[int, Utterance] = {}
        with self._precision():
            plans = []
            for batch in batches:
                speaking, own = self._acoustic_models.speaking(heard[batch[0]]), [chunks[index] for index in batch]
                planned = plan(speaking, own, self.config.audio, seed)
                plans.append((speaking.acoustic, planned.plan))
                drafts |= zip(batch, planned.drafts, strict=True)
            inside = iter(range(len(chunks)))
            prosodies = [
                prosody
                for request in requests
                for prosody in request.shape([drafts[index] for index in islice(inside, len(request.chunks))])
            ]
            for batch, (acoustic, planned_batch) in zip(progress_bar(batches, "passes", progress), plans, strict=True):
                shaped = [prosodies[index] for index in batch]
                utterances |= zip(batch, render(acoustic, self._vocoder, planned_batch, shaped), strict=True)
        spoken, places, speeches = iter(heard), iter(range(len(chunks))), []
        for request in requests:
            first, *others = dict.fromkeys(islice(spoken, len(request.chunks)))
            directions = [chunk.direction for chunk in request.chunks]
            parts = [utterances[index] for index in islice(places, len(request.chunks))]
            speeches.append(join(parts, self.config.audio, self._origin, first, directions, others))
        return speeches


def _example_voices(folder: Path) -> dict[str, Voice]:
    """A model folder's voices by name, without those whose consent has expired or was revoked."""
    voices = {}
    for path in sorted((folder / "voices").glob("*.voice")):
        with contextlib.suppress(ConsentError):
            voices[path.stem] = Voice.load(path)
    return voices


def _device(name: str | torch.device) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # unknown; or torch was built without it
        raise ConfigError(f"device {name!r} cannot be used here: {error}") from error
    return device
