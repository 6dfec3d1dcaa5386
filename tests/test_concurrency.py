"""One model, many threads, child processes: each call gives what it would alone."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from voxclone import ModelError, Voice, VoxClone

TEXTS = ("Hello there.", "The boats went out.", "One two three four.", "Come in, and sit down.")
FORK_SECONDS = 60.0


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> VoxClone:
    return VoxClone.from_pretrained(tiny_folder, device="cpu", dtype=torch.float32)


def test_sixteen_threads_with_different_voices_are_as_one(model: VoxClone) -> None:
    ada, bob = model.voices.values()
    voices = [Voice.mix({ada: 1 + n, bob: 4 - n}, name=f"mix {n}") for n in range(4)]
    calls = [(text, voice) for text in TEXTS for voice in voices]
    alone = [model.generate(*call).samples for call in calls]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda call: model.generate(*call).samples, calls))
        streamed = list(pool.map(lambda call: np.concatenate([c.samples for c in model.stream(*call)]), calls))
    for expected, speech, chunks in zip(alone, together, streamed, strict=True):
        np.testing.assert_array_equal(speech, expected)
        np.testing.assert_allclose(chunks, expected, atol=1e-4)
    assert len({speech.tobytes() for speech in alone}) == len(calls)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_speaks_with_its_parents_model_or_says_why_not(model: VoxClone) -> None:
    # The parent's compute threads are not in the child, where waiting for them would take for ever.
    def speak() -> NDArray[np.float32]:
        return model.generate(TEXTS[0], model.voices["ada"]).samples

    expected = speak()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(2)
            with pytest.raises(ModelError, match="forked"):
                speak()
            torch.set_num_threads(1)
            os.write(write, speak().tobytes()[:60_000])
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    deadline = time.monotonic() + FORK_SECONDS
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the child never came to an end")
        time.sleep(0.02)
    with open(read, "rb") as pipe:
        data = pipe.read()
    assert ended[1] == 0
    np.testing.assert_allclose(np.frombuffer(data, np.float32), expected[:15_000], atol=1e-5)  # fewer threads
