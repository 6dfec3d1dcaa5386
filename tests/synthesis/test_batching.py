"""Batches hold like lengths of one voice, and every chunk once."""

from __future__ import annotations

import random

import numpy as np
import pytest

from voxclone import Consent, Voice
from voxclone.synthesis.batching import BATCH_SIZE, buckets


def a_voice(name: str) -> Voice:
    consent = Consent.attest(name, basis="a test's own random numbers")
    return Voice(name, np.eye(4)[0], np.zeros(8), 100.0, (consent,), "0" * 16)


@pytest.mark.parametrize("count", [0, 1, BATCH_SIZE, BATCH_SIZE + 1, 100])
def test_every_chunk_is_in_one_batch(count: int) -> None:
    draw = random.Random(count)
    voices = [draw.choice([a_voice("ada"), a_voice("bob")]) for _ in range(count)]
    lengths = [draw.randrange(1, 200) for _ in range(count)]
    found = buckets(voices, lengths, "cuda")
    assert sorted(index for batch in found for index in batch) == list(range(count))
    for batch in found:
        assert 0 < len(batch) <= BATCH_SIZE
        assert len({voices[index] for index in batch}) == 1
        assert [lengths[index] for index in batch] == sorted(lengths[index] for index in batch)


def test_little_is_padding() -> None:
    lengths = [10, 200] * BATCH_SIZE
    assert all(
        len({lengths[index] for index in batch}) == 1
        for batch in buckets([a_voice("ada")] * len(lengths), lengths, "cuda")
    )


def test_on_a_cpu_none_is_rounded_by_another() -> None:
    assert buckets([a_voice("ada")] * 3, [5, 4, 6], "cpu") == [[1], [0], [2]]
