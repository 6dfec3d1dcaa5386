"""What a model says: a text, a list of them, or speech while it is made."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypedDict, Unpack, overload

from voxclone.errors import TextError, VoiceError
from voxclone.prosody import Prosody
from voxclone.speech import Speech
from voxclone.synthesis.batching import buckets
from voxclone.synthesis.controls import Controls, check_number
from voxclone.synthesis.parts import Parts
from voxclone.synthesis.progress import progress_bar
from voxclone.synthesis.reading import read
from voxclone.synthesis.render import Utterance, join, plan, render
from voxclone.synthesis.request import Request, one_for_each, paused_as
from voxclone.synthesis.shaping import Draft
from voxclone.synthesis.speaker import Speaker
from voxclone.synthesis.stream import SpeechStream
from voxclone.text.lexicon import Lexicon
from voxclone.text.markup import Markup
from voxclone.voice import Voice

MAX_TEXT_CHARS = 200_000  # of one call: about four hours of speech


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


class Talking(Parts):
    """The part of `VoxClone` that speaks texts."""

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
        texts = _texts(text)
        if (length := sum(map(len, texts))) > MAX_TEXT_CHARS:
            raise TextError(
                f"{length} characters are too long to be spoken in one call, whose speech is held in memory: at most "
                f"{MAX_TEXT_CHARS} can be; use narrate for a book, or stream"
            )
        words, requests = self._words(lexicon), []
        for number, (each, seconds, given) in enumerate(
            zip(
                texts,
                one_for_each(text, duration_seconds, "duration_seconds"),
                one_for_each(text, prosody, "prosody"),
                strict=True,
            ),
            start=1,
        ):
            controls = Controls(speed, pitch, pitch_range, energy, seed, seconds)
            try:
                chunks = read(each, self.config.text.language, words, normalize, markup)
            except TextError as error:
                if isinstance(text, str):
                    raise
                raise TextError(f"text {number} of {len(texts)}: {error}", error.position) from error
            requests.append(Request(paused_as(chunks, given), controls, given))
        speeches = self._speak(requests, voice, voices, progress)
        return speeches[0] if isinstance(text, str) else speeches

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
        if not isinstance(voices, Mapping | None):
            raise VoiceError(f"voices is {type(voices).__name__}; it must be a mapping of names to voices")
        known = {**self.voices, **(voices or {})}
        if name not in known:
            names = ", ".join(map(repr, known)) or "none"
            raise VoiceError(
                f"the text asks for the voice {name!r}; there is {names}; Python gives others with voices="
            )
        self._check_voice(known[name])
        return known[name]

    def _speak(
        self, requests: Sequence[Request], voice: Voice, voices: Mapping[str, Voice] | None, progress: bool
    ) -> list[Speech]:
        """Synthesise the texts of one call. All of it leaves through `outlet.release`."""
        chunks = [chunk for request in requests for chunk in request.chunks]
        names = [chunk.direction.voice for chunk in chunks]
        heard = [voice if name is None else self._named_voice(name, voices) for name in names]
        free = [request.prosody is None for request in requests for _ in request.chunks]
        kinds = list(zip(heard, free, strict=True))
        batches = buckets(kinds, [len(chunk.symbols) for chunk in chunks], self.device.type)
        seed = requests[0].controls.seed if requests else None
        drafts: dict[int, Draft] = {}
        utterances: dict[int, Utterance] = {}
        with self._precision():
            plans = []
            for batch in batches:
                speaking, own = self._acoustic_models.speaking(heard[batch[0]]), [chunks[index] for index in batch]
                planned = plan(speaking, own, self.config.audio, seed, own_pauses=free[batch[0]])
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


def _texts(text: str | Sequence[str]) -> Sequence[str]:
    """The texts of a call.

    Raises:
        TextError: It is neither a text nor a list of them.
    """
    if isinstance(text, str):
        return [text]
    if not isinstance(text, list | tuple):
        raise TextError(f"a text is a str, and several are a list of them; this is {type(text).__name__}")
    if wrong := [each for each in text if not isinstance(each, str)]:
        raise TextError(f"of a list of texts each is a str; one is {type(wrong[0]).__name__}")
    return text
