"""Streaming: the chunks are the whole, they come one by one as they are asked for, and they stop."""

from __future__ import annotations

import asyncio
import itertools
import math
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from voxclone import ConfigError, Speech, TextError, Voice, VoiceError, VoxClone
from voxclone.synthesis.speaker import FIRST_SPAN_FRAMES, Speaker, spans
from voxclone.synthesis.stream import SpeechStream

SENTENCE = "The old man walked slowly along the quiet river bank while his two small dogs ran ahead."
LONG = f"{SENTENCE} Nobody saw them, and Mr. Brown least of all; he was asleep. {SENTENCE}\n\nThe end came at 5.30 p.m."


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> VoxClone:
    return VoxClone.from_pretrained(tiny_folder, device="cpu")


@pytest.fixture(scope="module")
def ada(model: VoxClone) -> Voice:
    return model.voices["ada"]


def joined(chunks: list[Speech]) -> NDArray[np.float32]:
    return np.concatenate([chunk.samples for chunk in chunks])


@pytest.mark.parametrize(
    ("text", "chunk_seconds", "options"),
    [
        ("Yes.", 1.0, {}),
        (SENTENCE, 0.1, {"speed": 1.4, "pitch": 3.0, "seed": 4, "pitch_range": 1.5, "energy": 0.8}),
        (LONG, 1.0, {}),
        (LONG, 10.0, {"seed": 5}),
    ],
)
def test_the_chunks_are_the_whole(
    model: VoxClone, ada: Voice, text: str, chunk_seconds: float, options: dict[str, Any]
) -> None:
    whole = model.generate(text, ada, **options)
    stream = model.stream(text, ada, chunk_seconds=chunk_seconds, **options)
    chunks = list(stream)
    np.testing.assert_allclose(joined(chunks), whole.samples, atol=1e-4)
    np.testing.assert_allclose(np.concatenate([chunk.mel for chunk in chunks], axis=1), whole.mel, atol=1e-3)
    assert sum(chunk.duration_seconds for chunk in chunks) == pytest.approx(stream.duration_seconds)
    assert [word.text for word in stream.words] == [word.text for word in whole.words]
    for word, expected in zip(stream.words, whole.words, strict=True):
        assert word.start_seconds == pytest.approx(expected.start_seconds, abs=1e-6)
        assert word.end_seconds == pytest.approx(expected.end_seconds, abs=1e-6)
    assert sum(len(chunk.phonemes) for chunk in chunks) == len(whole.phonemes)
    assert whole.samples.std() > 1e-4


def test_the_first_chunk_is_short_and_the_others_grow(model: VoxClone, ada: Voice) -> None:
    frames = [chunk.mel.shape[1] for chunk in model.stream(SENTENCE, ada, speed=0.3)]
    assert frames[0] == FIRST_SPAN_FRAMES
    assert frames[:-1] == sorted(frames[:-1])
    assert max(frames) <= 86 + FIRST_SPAN_FRAMES // 2


@pytest.mark.parametrize("longest", [9, 24, 86])
def test_spans_are_all_frames_once(longest: int) -> None:
    for frames in range(1, 400):
        found = list(spans(frames, longest))
        assert [found[0][0], found[-1][1]] == [0, frames]
        assert all(before[1] == after[0] for before, after in itertools.pairwise(found))
        assert all(0 < end - start <= longest + FIRST_SPAN_FRAMES // 2 for start, end in found)


def test_words_belong_to_the_chunk_that_they_begin_in(model: VoxClone, ada: Voice) -> None:
    for chunk in model.stream(SENTENCE, ada, chunk_seconds=0.1, speed=2.0):
        assert all(-1e-6 <= word.start_seconds < chunk.duration_seconds for word in chunk.words)
        assert chunk.provenance.voice_id == ada.voice_id


def test_nothing_is_made_before_it_is_asked_for(model: VoxClone, ada: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    made = watch(monkeypatch)
    stream = model.stream(LONG, ada)
    assert made == []
    next(stream)
    assert made == ["read", "sound"]
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    next(stream)
    assert made == ["read", "sound", "sound"]


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the speakers do from now on."""
    made: list[str] = []
    for name in ("read", "sound"):
        method = getattr(Speaker, name)

        def watched(*args: Any, name: str = name, method: Any = method) -> Any:
            made.append(name)
            return method(*args)

        monkeypatch.setattr(Speaker, name, watched)
    return made


def test_it_can_be_closed(model: VoxClone, ada: Voice) -> None:
    with model.stream(LONG, ada) as stream:
        next(stream)
    assert list(stream) == []
    other = model.stream(LONG, ada)
    next(other)
    thread = threading.Thread(target=other.close)
    thread.start()
    thread.join()
    with pytest.raises(StopIteration):
        next(other)


def test_arriving_text_is_spoken_at_clause_ends(model: VoxClone, ada: Voice) -> None:
    taken = []

    def tokens() -> Iterator[str]:
        for token in ["When the win", "ter was over at last, ", "the boats ", "went out. ", "Then ", "what?"]:
            taken.append(token)
            yield token

    stream = model.stream(tokens(), ada)
    next(stream)
    assert len(taken) == 3
    list(stream)
    assert " ".join(word.text for word in stream.words).lower() == (
        "when the winter was over at last the boats went out then what"
    )


def test_between_its_passages_are_the_pauses_that_belong_there(model: VoxClone, ada: Voice) -> None:
    pieces = ["When the winter was over at last, ", "the boats went out. ", "They came back.\n\n", "The end."]
    spoken = joined(list(model.stream(iter(pieces), ada)))
    end = len(spoken)
    for piece, pause in zip(reversed(pieces[1:]), (0.6, 0.25, 0.0), strict=True):
        alone = model.generate(piece, ada).samples
        goes_on = not np.allclose(spoken[end - len(alone) : end], alone, atol=1e-4)
        assert goes_on == (pause < 0.6)  # from the sentence before, but not from another paragraph
        silence = round(pause * 22050 / 256) * 256
        assert not spoken[end - len(alone) - silence : end - len(alone)].any()
        end -= len(alone) + silence
    assert spoken[:end].any()


def test_ssml_that_does_nothing_is_told_once_where_it_is(model: VoxClone, ada: Voice) -> None:
    pieces = ["I am here. Wait ", "<break time='1s'", "/> a bit. <prosody rate='slow'>It ends</prosody>", " soon."]
    text = "".join(pieces)
    for given, place in ((text, text.index("<")), (iter(pieces), text.index("<"))):
        with pytest.warns(UserWarning, match=f"<break> at position {place} is SSML") as told:
            stream = model.stream(given, ada)
            list(stream)
        assert len(told) == 1
        assert [word.text for word in stream.words] == "I am here Wait a bit It ends soon".split()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(model.stream('<speak>Wait <break time="1s"/> a bit.</speak>', ada))


def test_markup_that_arrives_is_followed(model: VoxClone, ada: Voice) -> None:
    text = "The boats went *out*. [pause 700ms] Nobody [read](/ɹˈɛd/) the [long list](duration=2s). They came back."
    whole = model.generate(text, ada)
    for size in (3, 40):
        stream = model.stream(iter([text[at : at + size] for at in range(0, len(text), size)]), ada)
        chunks = list(stream)
        assert [word.text for word in stream.words] == [word.text for word in whole.words]
        pauses = [words[4].start_seconds - words[3].end_seconds for words in (stream.words, whole.words)]
        assert pauses[0] == pytest.approx(pauses[1], abs=1e-6)
        assert stream.words[8].end_seconds - stream.words[7].start_seconds == pytest.approx(2.0, abs=256 / 22050)
        assert len(joined(chunks)) == round(stream.duration_seconds * 22050)
    with pytest.raises(ConfigError, match="a piece of the text is bytes"):
        list(model.stream(iter([b"One."]), ada))  # type: ignore[list-item]


def test_nothing_to_speak_is_an_error_with_its_place(model: VoxClone, ada: Voice) -> None:
    for text in ("", " ", iter([]), iter(["...", "  "])):
        with pytest.raises(TextError):
            list(model.stream(text, ada))
    stream = model.stream(iter([f"{SENTENCE} ", "Then \u65e5 came."]), ada)
    with pytest.raises(TextError, match=f"position {len(SENTENCE) + 6}:") as caught:
        list(stream)
    assert caught.value.position == len(SENTENCE) + 6
    assert stream.duration_seconds > 0.5  # what was before the fault was spoken


def test_what_cannot_be_is_refused_at_once(model: VoxClone, ada: Voice) -> None:
    for options in ({"speed": 9.0}, {"chunk_seconds": 0.01}, {"chunk_seconds": math.nan}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            model.stream("Hello.", ada, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="int"):
        model.stream(3, ada)  # type: ignore[arg-type]
    stranger = Voice("eve", ada.speaker_embedding, ada.spectrum, 200.0, ada.consents, "0" * 16)
    with pytest.raises(VoiceError, match="encoder"):
        model.stream("Hello.", stranger)


# asyncio


async def arriving(pieces: list[str]) -> AsyncIterator[str]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


def test_it_can_be_awaited(model: VoxClone, ada: Voice) -> None:
    async def listen(stream: SpeechStream) -> list[Speech]:
        return [chunk async for chunk in stream]

    async def both() -> list[list[Speech]]:
        streams = (model.stream(LONG, ada), model.stream(arriving([LONG[:70], LONG[70:]]), ada))
        return await asyncio.gather(*map(listen, streams))

    there, arrived = asyncio.run(both())
    np.testing.assert_allclose(joined(there), model.generate(LONG, ada).samples, atol=1e-4)
    by_hand = list(model.stream(iter([LONG[:70], LONG[70:]]), ada))
    np.testing.assert_allclose(joined(arrived), joined(by_hand), atol=1e-5)


def test_the_event_loop_goes_on(model: VoxClone, ada: Voice) -> None:
    async def count() -> int:
        ticks, stream = 0, model.stream(SENTENCE, ada)
        listening = asyncio.create_task(anext(stream))  # type: ignore[arg-type]
        while not listening.done():
            ticks += 1
            await asyncio.sleep(0.001)
        return ticks

    assert asyncio.run(count()) > 1


def test_a_cancelled_task_ends_the_work(model: VoxClone, ada: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    made = watch(monkeypatch)

    async def cancel() -> None:
        async def listen() -> None:
            async with model.stream(LONG * 5, ada) as stream:
                async for _ in stream:
                    pass

        task = asyncio.create_task(listen())
        while len(made) < 3:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    after = len(made)
    assert after < 30
    assert len(made) == after


def test_arriving_asynchronously_it_is_no_plain_iterator(model: VoxClone, ada: Voice) -> None:
    with pytest.raises(ConfigError, match="async for"):
        next(model.stream(arriving(["Hello."]), ada))
