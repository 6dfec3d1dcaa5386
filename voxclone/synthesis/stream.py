"""Speech while it is made: chunk after chunk, for text that is there or that arrives."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from voxclone.errors import ConfigError
from voxclone.speech import Segment, Speech
from voxclone.synthesis.outlet import EARLIER_SECONDS, release
from voxclone.synthesis.reading import ArrivingReader, new_link, read_through
from voxclone.synthesis.render import directed_segments, segments
from voxclone.synthesis.speaker import PlannedUtterance, Speaker, spans
from voxclone.text.markup import Markup
from voxclone.text.phonemes import Phonemes

TextSource = str | Iterable[str] | AsyncIterable[str]
Item = TypeVar("Item")


class SpeechStream(Iterator[Speech], AsyncIterator[Speech]):
    """Chunks of speech, made when they are asked for: iterate with `for` or `async for`, close it to stop.

    `VoxClone.stream` makes it. Each chunk is a `Speech` whose words and phonemes are those that begin in it, with times
    from the chunk's own start. Joined, the chunks are what `VoxClone.generate` gives for the same text. Whoever is slow
    to ask holds the work up; between two chunks nothing runs. One thread at a time may iterate, any may close.

    Attributes:
        words: Every word so far, with times from the stream's start.
        duration_seconds: Of the chunks so far.
    """

    def __init__(
        self,
        text: TextSource,
        speaker: Speaker,
        lexicon: Mapping[str, str] | None,
        normalize: bool,
        markup: Markup,
        cast: Callable[[str], Speaker],
    ) -> None:
        if not isinstance(text, str | Iterable | AsyncIterable):
            raise ConfigError(f"a text, or an iterable of its pieces, can be streamed; this is {type(text).__name__}")
        self.words: list[Segment] = []
        self.duration_seconds = 0.0
        self._text, self._speaker = text, speaker
        self._settings = speaker.config.text.language, lexicon, normalize, markup
        self._cast = cast
        self._arriving = ArrivingReader(*self._settings)
        self._link = new_link()
        self._earlier = np.zeros(0, np.float32)
        self._pause = 0  # frames of silence before the next utterance
        self._closed = threading.Event()
        self._running: Iterator[Speech] | None = None
        self._running_async: AsyncIterator[Speech] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Speech:
        if self._closed.is_set():
            raise StopIteration
        if self._running is None:
            if isinstance(self._text, AsyncIterable):
                raise ConfigError("the text arrives asynchronously; iterate over its speech with `async for`")
            self._running = self._chunks(self._text)
        return next(self._running)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Speech:
        if self._closed.is_set():
            raise StopAsyncIteration
        if self._running_async is None:
            self._running_async = self._chunks_async()
        return await anext(self._running_async)

    def close(self) -> None:
        """Stop: no further chunk comes. A chunk that is being made in another thread is still finished."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _chunks(self, text: str | Iterable[str]) -> Iterator[Speech]:
        if isinstance(text, str):
            yield from self._speak(read_through(text, *self._settings))
            return
        for piece in text:
            yield from self._speak(self._arriving.add(_text(piece)))
            if self._closed.is_set():
                return
        yield from self._speak(self._arriving.finish())

    async def _chunks_async(self) -> AsyncIterator[Speech]:
        """The chunks, made in a worker thread; the text is awaited here."""
        if not isinstance(self._text, AsyncIterable):
            async for chunk in _in_thread(self._chunks(self._text)):
                yield chunk
            return
        async for piece in self._text:
            async for chunk in _in_thread(self._speak(self._arriving.add(_text(piece)))):
                yield chunk
        async for chunk in _in_thread(self._speak(self._arriving.finish())):
            yield chunk

    def _speak(self, readings: Iterable[Phonemes]) -> Iterator[Speech]:
        for phonemes in map(self._link, readings):
            voice = phonemes.direction.voice
            speaker = self._speaker if voice is None else self._cast(voice)
            utterance = speaker.read(phonemes)
            for start, end in spans(utterance.frames.mel.shape[2], speaker.chunk_frames):
                if self._closed.is_set():
                    return
                yield self._release(speaker, utterance, start, end)
            self._pause = int(utterance.prosody.pauses[-1])

    def _release(self, speaker: Speaker, utterance: PlannedUtterance, start: int, end: int) -> Speech:
        """Let some frames of an utterance out, after the pause that is due."""
        audio, pause = speaker.config.audio, self._pause
        self._pause = 0
        seconds = audio.hop_length / audio.sample_rate
        samples = speaker.sound(utterance, start, end)
        mel = utterance.frames.heard_mel[0, :, start:end].float().cpu().numpy()
        f0 = utterance.frames.f0[0, start:end].float().cpu().numpy()
        if pause:
            samples = np.concatenate([np.zeros(pause * audio.hop_length, np.float32), samples])
            mel = np.concatenate([np.full((len(mel), pause), math.log(audio.mel_floor), np.float32), mel], axis=1)
            f0 = np.concatenate([np.zeros(pause, np.float32), f0])
        whole = segments(utterance.prosody, audio)
        directed = directed_segments(
            [utterance.direction], [utterance.prosody], *whole, utterance.frames.mel.shape[2] * seconds
        )
        words, phonemes, written, marks = (
            _beginning_in(found, start * seconds, end * seconds, (pause - start) * seconds)
            for found in (*whole, *directed)
        )
        speech = release(
            samples,
            speaker.origin,
            speaker.voice,
            words=words,
            phonemes=phonemes,
            mel=mel,
            f0=f0,
            written=written,
            marks=marks,
            earlier=self._earlier,
        )
        self.words += [_moved(word, self.duration_seconds) for word in words]
        self.duration_seconds += speech.duration_seconds
        self._earlier = np.concatenate([self._earlier, samples])[-round(EARLIER_SECONDS * audio.sample_rate) :]
        return speech


def _text(piece: object) -> str:
    if not isinstance(piece, str):
        raise ConfigError(f"a piece of the text is {type(piece).__name__}; each must be a str")
    return piece


def _beginning_in(found: Iterable[Segment], start: float, end: float, shift: float) -> tuple[Segment, ...]:
    """The segments that begin within [start, end) seconds, moved; half a millisecond stands for rounding."""
    return tuple(_moved(each, shift) for each in found if start <= each.start_seconds + 5e-4 < end)


def _moved(segment: Segment, seconds: float) -> Segment:
    return Segment(segment.text, segment.start_seconds + seconds, segment.end_seconds + seconds)


async def _in_thread(items: Iterator[Item]) -> AsyncIterator[Item]:
    """An iterator's items, each made in a worker thread."""
    done = object()
    while (item := await asyncio.to_thread(next, items, done)) is not done:
        yield item  # type: ignore[misc]
