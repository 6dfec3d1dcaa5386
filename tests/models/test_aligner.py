"""The aligner's likelihoods: against the textbook formula, blind to padding, and learnt from a path."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from voxclone.config import AlignerConfig
from voxclone.errors import ConfigError
from voxclone.models.aligner import RANGE, Aligner

CONFIG = AlignerConfig(n_symbols=9, n_mels=12, dim=6, cepstra=5, states=2, components=3, pause_ids=(2, 5))


@pytest.fixture
def aligner() -> Aligner:
    torch.manual_seed(0)
    made = Aligner(CONFIG)
    made.scale.copy_(torch.rand(10) + 0.5)
    return made.eval()


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two items: 4 phonemes in 11 frames, 3 in 7."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.tensor([[1, 5, 2, 8], [3, 4, 6, 0]])
    return ids, torch.tensor([4, 3]), 3 * torch.randn(2, 12, 11, generator=generator) - 4, torch.tensor([11, 7])


def test_scores_are_the_mixture_s_log_likelihood(aligner: Aligner) -> None:
    ids, n, mel, t = batch()
    states = aligner.states(ids, n)
    features, mixture = aligner.features(mel, t), aligner.components(ids, states)
    means, deviations = mixture.means[0].double(), mixture.log_deviations[0].double().exp()
    weights = Categorical(logits=mixture.log_weights[0].double())
    density = MixtureSameFamily(weights, Independent(Normal(means, deviations), 1))  # of the first item's states
    wanted = density.log_prob(features[0].double()[:, None])
    scores = aligner(ids, n, mel, t)
    assert scores.shape == (2, 11, 6)
    torch.testing.assert_close(scores[0], wanted.float(), rtol=1e-4, atol=1e-3)


def test_a_pause_is_one_state_and_a_sound_several(aligner: Aligner) -> None:
    ids, n, _, _ = batch()  # 2 and 5 are pauses
    states = aligner.states(ids, n)
    assert states.lengths.tolist() == [6, 6]
    assert states.owners[0].tolist() == [0, 0, 1, 2, 3, 3]
    assert states.numbers[0].tolist() == [0, 1, 0, 0, 0, 1]
    assert states.owners[1].tolist() == [0, 0, 1, 1, 2, 2]
    weights = aligner.components(ids, states).log_weights[0].exp()
    torch.testing.assert_close(weights[0], torch.tensor([1.0, 0.0, 0.0]))
    assert (weights[2] > 0.01).all()


def test_the_path_s_likelihood_is_that_of_its_cells_and_the_best(aligner: Aligner) -> None:
    ids, n, mel, t = batch()
    found = aligner.align(ids, n, mel, t)
    assert found.durations.sum(1).tolist() == [11, 7] and (found.durations[0] >= 1).all()
    assert found.durations[1, 3] == 0
    own = aligner.path_likelihood(ids, n, mel, t, found.states)
    torch.testing.assert_close(own, found.likelihoods, rtol=1e-4, atol=1e-3)
    even = aligner.path_likelihood(ids, n, mel, t, aligner.even_path(ids, n, found.durations))
    assert float(own[0].sum()) >= float(even[0].sum()) - 1e-3


def test_an_even_path_shares_a_phoneme_s_frames_among_its_states(aligner: Aligner) -> None:
    ids, n, _, _ = batch()
    path = aligner.even_path(ids, n, torch.tensor([[4, 2, 1, 4], [2, 2, 3, 0]]))
    assert path[0].tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 5]
    assert path[1].tolist() == [0, 1, 2, 3, 4, 4, 5, 5, 5, 5, 5]


def test_features_are_cosines_of_the_mel_and_their_slopes(aligner: Aligner) -> None:
    from scipy.fft import dct

    _, _, mel, t = batch()
    features = aligner.features(mel, t)
    energy = mel[0].amax(0).numpy()
    floor = np.quantile(energy, 0.9) - RANGE
    cepstra = dct(np.maximum(mel[0].numpy(), floor), axis=0, type=2)[:5].T / 2 * math.sqrt(2 / 12)
    cepstra -= cepstra[energy > floor + RANGE / 2].mean(0)
    np.testing.assert_allclose(features[0, :, :5], cepstra / aligner.scale[:5], atol=1e-4)
    padded = np.pad(cepstra, ((2, 2), (0, 0)), mode="edge")
    np.testing.assert_allclose(features[0, :, 5:], (padded[4:] - padded[:-4]) / aligner.scale[5:], atol=1e-4)
    assert (features[1, 7:] == 0).all()


def test_padding_and_loudness_do_not_count(aligner: Aligner) -> None:
    ids, n, mel, t = batch()
    alone = aligner(ids[1:, :3], n[1:], mel[1:, :, :7], t[1:])
    padded = mel.clone()
    padded[1, :, 7:] = 50.0
    torch.testing.assert_close(aligner(ids, n, padded, t)[1, :7], alone[0], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(aligner(ids, n, mel + 2.0, t), aligner(ids, n, mel, t), rtol=1e-4, atol=1e-3)


def test_every_symbol_is_scored_between_its_own_kind(aligner: Aligner) -> None:
    _, _, mel, t = batch()
    scores = aligner.sound_scores(mel, t)
    assert scores.shape == (2, 11, 8)
    three = aligner(torch.tensor([[4, 4, 4], [5, 5, 5]]), torch.tensor([3, 3]), mel, t)
    torch.testing.assert_close(scores[0, :, 3], three[0, :, 2:4].amax(1), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(scores[1, :, 4], three[1, :, 1], rtol=1e-4, atol=1e-3)


def test_it_learns_where_sounds_are_from_a_path() -> None:
    torch.manual_seed(0)
    aligner = Aligner(AlignerConfig(n_symbols=5, n_mels=8, dim=8, cepstra=6, states=2))
    ids, n, t = torch.tensor([[1, 2, 3, 4]]), torch.tensor([4]), torch.tensor([12])
    mel = 3 * torch.eye(8)[:, :4].repeat_interleave(3, 1)[None]
    path = aligner.even_path(ids, n, torch.tensor([[3, 3, 3, 3]]))
    optimizer = torch.optim.Adam(aligner.parameters(), lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        (-aligner.path_likelihood(ids, n, mel, t, path).mean()).backward()
        optimizer.step()
    for name, parameter in aligner.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all() and parameter.grad.any(), name
    assert aligner.align(ids, n, mel, t).durations.tolist() == [[3, 3, 3, 3]]


def test_more_cepstra_than_bands_are_refused() -> None:
    with pytest.raises(ConfigError, match="at most n_mels"):
        AlignerConfig(n_symbols=3, n_mels=8, cepstra=9)
