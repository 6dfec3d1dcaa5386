"""What the acoustic model is told of a voice, and reads of it once."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from voxclone import Consent, Voice
from voxclone.config import AcousticConfig
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.manner import manner
from voxclone.models.adapter import Adapter
from voxclone.synthesis.speaking import AcousticModels
from voxclone.text.symbols import SYMBOLS

IDS = torch.randint(10, len(SYMBOLS), (1, 30), generator=torch.Generator().manual_seed(0))
LENGTHS = torch.tensor([30])


@pytest.fixture(scope="module")
def acoustic() -> AcousticModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"speaker_embedding_dim": 8, "hidden_dim": 16, "attention_heads": 2}
        return AcousticModel(AcousticConfig(len(SYMBOLS), manner=True, **sizes)).eval()


def voice(index: int, adapter: Adapter | None = None) -> Voice:
    embedding = np.eye(8, dtype=np.float32)[index]
    consent = (Consent.attest("nobody", basis="a test"),)
    about: dict[str, Any] = {"f0_spread": 0.4, "phoneme_seconds": 0.1}
    return Voice(f"voice {index}", embedding, np.full(80, -5.0), 150.0, consent, "e" * 16, adapter, **about)


def count_habits(acoustic: AcousticModel, patch: pytest.MonkeyPatch) -> list[Tensor]:
    found: list[Tensor] = []
    habits = AcousticModel.habits

    def counted(self: AcousticModel, condition: Tensor) -> Tensor:
        found.append(habits(self, condition))
        return found[-1]

    patch.setattr(AcousticModel, "habits", counted)
    return found


def test_habits_are_read_once_and_change_nothing(acoustic: AcousticModel, monkeypatch: pytest.MonkeyPatch) -> None:
    models, ada = AcousticModels(acoustic, "tiny"), voice(0)
    told = (torch.tensor(ada.speaker_embedding)[None], torch.tensor([150.0]), torch.tensor(ada.spectrum)[None])
    asked = manner(ada.phoneme_seconds, ada.f0_spread)[None]
    expected = acoustic.plan(IDS, LENGTHS, *told, asked).predicted
    read = count_habits(acoustic, monkeypatch)
    for _ in range(3):
        found = models.speaking(ada).plan(IDS, LENGTHS, None).predicted
        assert torch.equal(found.durations, expected.durations)
        assert torch.equal(found.f0, expected.f0)
    assert len(read) == 1
    models.speaking(voice(1)).plan(IDS, LENGTHS, None)
    assert len(read) == 2
    plain = acoustic.plan(IDS, LENGTHS, *told, asked, in_manner=False).predicted
    assert not torch.equal(plain.durations, expected.durations)


def test_a_batch_and_threads_share_them(acoustic: AcousticModel) -> None:
    models, voices = AcousticModels(acoustic, "tiny"), [voice(index) for index in range(4)]
    alone = [
        AcousticModels(acoustic, "tiny").speaking(each).plan(IDS, LENGTHS, 3).predicted.durations for each in voices
    ]
    with ThreadPoolExecutor(8) as pool:
        calls = voices * 8
        found = list(pool.map(lambda each: models.speaking(each).plan(IDS, LENGTHS, 3).predicted.durations, calls))
    for index, durations in enumerate(found):
        assert torch.equal(durations, alone[index % 4])
    two = models.speaking(voices[0]).plan(IDS.expand(2, -1), LENGTHS.expand(2), 3).predicted.durations
    torch.testing.assert_close(two, alone[0].expand(2, -1))


def test_they_are_forgotten_with_the_voice(acoustic: AcousticModel) -> None:
    models, ada = AcousticModels(acoustic, "tiny"), voice(0)
    kept = weakref.ref(models.speaking(ada))
    assert models.speaking(voice(0)) is kept()  # an equal voice
    del ada
    gc.collect()
    assert kept() is None


def test_a_fine_tuned_voice_reads_as_it_was_taught(acoustic: AcousticModel, monkeypatch: pytest.MonkeyPatch) -> None:
    models = AcousticModels(acoustic, "tiny")
    predictor = "prosody_predictor.project.bias"
    changes = {predictor: torch.zeros_like(acoustic.get_parameter(predictor))}
    tuned = voice(0, Adapter(changes, models.base_id, "tiny", "norms"))
    read = count_habits(acoustic, monkeypatch)
    speaking = models.speaking(tuned)
    speaking.plan(IDS, LENGTHS, None)
    assert read == [] and speaking.acoustic is not acoustic


def test_a_voice_whose_sound_alone_was_tuned_reads_as_its_clone(acoustic: AcousticModel) -> None:
    models = AcousticModels(acoustic, "tiny")
    changes = {"head.bias": torch.ones_like(acoustic.head.bias)}
    tuned = models.speaking(voice(0, Adapter(changes, models.base_id, "tiny", "norms")))
    assert tuned.acoustic is not acoustic
    found, expected = (each.plan(IDS, LENGTHS, None).predicted for each in (tuned, models.speaking(voice(0))))
    assert torch.equal(found.durations, expected.durations) and torch.equal(found.f0, expected.f0)
