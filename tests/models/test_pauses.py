"""Pauses that the text does not mark: which spaces become commas, and that nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from voxclone.config import AcousticConfig
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.pauses import BLOCKS
from voxclone.text.symbols import SILENCES, SYMBOLS, symbol_ids

SPACE, COMMA = symbol_ids([" ", ","])
LENGTHS = torch.tensor([30, 21])


@pytest.fixture
def model() -> AcousticModel:
    torch.manual_seed(0)
    sizes = {"n_symbols": len(SYMBOLS), "speaker_embedding_dim": 8, "hidden_dim": 16, "attention_heads": 2}
    return AcousticModel(AcousticConfig(**sizes, encoder_layers=BLOCKS + 1, decoder_layers=1, pauses=True)).eval()


@pytest.fixture
def ids() -> Tensor:
    torch.manual_seed(1)
    drawn = torch.randint(len(SILENCES), len(SYMBOLS), (2, 30))
    drawn[:, 4::5] = SPACE
    drawn[0, 9] = COMMA
    drawn[1, 21:] = 0
    return drawn


def voices(count: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    embedding = torch.nn.functional.normalize(torch.randn(2, 8, generator=torch.Generator().manual_seed(2)), dim=1)
    return embedding[:count], torch.tensor([120.0, 210.0])[:count], torch.full((count, 80), -5.0)


def marked_by(model: AcousticModel, ids: Tensor) -> Tensor:
    with torch.no_grad():
        return model.encode_with_pauses(ids, LENGTHS, model.condition(*voices()))[0]


def test_only_spaces_become_commas_and_the_bar_says_how_many(model: AcousticModel, ids: Tensor) -> None:
    assert model.pauses is not None
    counts = []
    for bar in (-100.0, 0.0, 100.0):
        model.pauses.bar.fill_(bar)
        marked = marked_by(model, ids)
        changed = marked != ids
        assert bool((ids[changed] == SPACE).all() and (marked[changed] == COMMA).all())
        counts.append(int(changed.sum()))
    assert counts[0] == int((ids == SPACE).sum()) > 0 == counts[2]
    assert counts[0] >= counts[1] >= counts[2]


def test_the_rest_is_read_as_if_the_text_had_the_commas(model: AcousticModel, ids: Tensor) -> None:
    assert model.pauses is not None
    model.pauses.bar.fill_(-100.0)
    found = model.plan(ids, LENGTHS, *voices())
    written = torch.where(ids == SPACE, COMMA, ids)
    model.pauses.bar.fill_(100.0)
    expected = model.plan(written, LENGTHS, *voices())
    assert torch.equal(found.encodings, expected.encodings)
    assert torch.equal(found.predicted.durations, expected.predicted.durations)
    assert torch.equal(found.silent, expected.silent)
    assert not torch.equal(model.plan(ids, LENGTHS, *voices()).encodings, expected.encodings)


def test_a_text_pauses_in_a_batch_as_alone(model: AcousticModel, ids: Tensor) -> None:
    assert model.pauses is not None
    with torch.no_grad():
        x, mask = model.begin(ids, LENGTHS, model.condition(*voices()))
        odds = model.pauses(x, mask, model.condition(*voices()))
        model.pauses.bar.copy_(odds[ids == SPACE].median())
        together = marked_by(model, ids)
        condition = model.condition(*voices())[1:]
        alone, _, _ = model.encode_with_pauses(ids[1:, :21], LENGTHS[1:], condition)
    assert torch.equal(together[1:, :21], alone)
    assert 0 < int((together != ids).sum()) < int((ids == SPACE).sum())
