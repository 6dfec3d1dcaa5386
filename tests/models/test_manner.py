"""What the acoustic model is told of a speaker's manner, and that it follows."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from voxclone.config import AcousticConfig
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.manner import (
    F0_SPREAD,
    MANNER_DIMS,
    NEUTRAL,
    PHONEME_SECONDS,
    SCALES,
    TRUST,
    manner,
    pitch_variance,
)
from voxclone.text.phonemes import phonemize
from voxclone.text.symbols import SYMBOLS


def test_a_typical_speaker_is_zero_and_so_is_what_is_not_known() -> None:
    assert torch.equal(manner(PHONEME_SECONDS, F0_SPREAD), torch.zeros(MANNER_DIMS))
    assert torch.equal(manner(None, None), torch.zeros(MANNER_DIMS))


def test_slower_and_livelier_are_more_and_bounded() -> None:
    slow = manner(1.2 * PHONEME_SECONDS, 1.3 * F0_SPREAD)
    assert bool((slow > 0.5).all())
    assert manner(5.0, 1e-9).abs().max() == 3


def test_neutral_sentences_are_what_they_say() -> None:
    texts = (
        "In the morning, the boats go out before the sun is up.",
        "The company was founded in the last century, and its first office stood near the river.",
        "The school teaches music, history, and two foreign languages.",
    )
    assert tuple(tuple(phonemize(text, "en-us").symbols) for text in texts) == NEUTRAL


def test_pitch_variance_leaves_out_octave_errors_silences_and_voiceless_sounds() -> None:
    prosody = torch.tensor([[[0.3, 1.0, 0.0], [-0.3, 0.9, 0.0], [-3.0, 1.0, 0.0], [2.0, 0.1, 0.0], [1.5, 1.0, 0.0]]])
    sounds = torch.tensor([[1.0, 1.0, 1.0, 1.0, 0.0]])
    assert pitch_variance(prosody, sounds).item() == pytest.approx(0.1**2)  # +-0.1 octaves


def test_habits_of_a_batch_are_those_of_each_voice() -> None:
    torch.manual_seed(0)
    config = AcousticConfig(len(SYMBOLS), speaker_embedding_dim=8, hidden_dim=16, attention_heads=2, manner=True)
    model = AcousticModel(config).eval()
    conditions = torch.randn(3, 16)
    with torch.no_grad():
        alone = torch.cat([model.habits(condition[None]) for condition in conditions])
        torch.testing.assert_close(model.habits(conditions), alone, rtol=1e-4, atol=1e-5)
    assert alone.std(0).min() > 0


def test_a_reading_is_brought_to_the_manner_of_the_reference() -> None:
    torch.manual_seed(0)
    config = AcousticConfig(len(SYMBOLS), speaker_embedding_dim=8, hidden_dim=16, attention_heads=2, manner=True)
    model = AcousticModel(config).eval()
    ids = torch.randint(10, len(SYMBOLS), (1, 60))
    embedding = torch.nn.functional.normalize(torch.ones(1, 8), dim=1)
    spectrum = torch.full((1, 80), -5.0)

    def plan(asked: Tensor | None, in_manner: bool = True) -> tuple[float, float]:
        """Median frames of a sound, and deviation of log2 f0."""
        arguments = (ids, torch.tensor([60]), embedding, torch.tensor([150.0]), spectrum, asked)
        found = model.plan(*arguments, in_manner=in_manner).predicted
        return float(found.durations.median()), float(torch.log2(found.f0[found.f0 > 0]).std())

    with torch.no_grad():  # the condition alone changes nothing here, so that what is enforced shows
        model.speaker[0].weight[:, -MANNER_DIMS:] = 0
        condition = model.condition(embedding, torch.tensor([150.0]), spectrum)
        model.typical_habits.copy_(model.habits(condition)[0])
    plain = plan(None)
    assert plan(torch.zeros(1, MANNER_DIMS)) == pytest.approx(plain, rel=1e-3)
    slow = plan(torch.tensor([[1.0, 0.0]]))
    assert slow[0] == pytest.approx(plain[0] * math.exp(TRUST[0] * SCALES[0]), rel=1e-3)
    assert slow[1] == pytest.approx(plain[1])
    lively = plan(torch.tensor([[0.0, 1.0]]))
    assert lively[1] == pytest.approx(plain[1] * math.exp(TRUST[1] * SCALES[1]), rel=1e-3)
    assert plan(torch.tensor([[1.0, 1.0]]), in_manner=False) == pytest.approx(plain, rel=1e-3)
