"""The aligner's prior against scipy, its loss against every monotonic alignment, its masks and gradients."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import betabinom
from torch import Tensor

from voxclone.config import AlignerConfig
from voxclone.models.aligner import Aligner, forward_sum_loss


@pytest.fixture
def aligner() -> Aligner:
    torch.manual_seed(0)
    return Aligner(AlignerConfig(n_symbols=9, n_mels=4, dim=6, key_dim=5))


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0]])
    mel = torch.randn(2, 4, 12, generator=generator) - 5
    return ids, torch.tensor([5, 3]), mel, torch.tensor([12, 8])


@pytest.mark.parametrize(("phonemes", "frames"), [(1, 1), (1, 5), (4, 4), (7, 30), (60, 600)])
def test_prior_is_the_beta_binomial(aligner: Aligner, phonemes: int, frames: int) -> None:
    lengths = torch.tensor([phonemes]), torch.tensor([frames])
    prior = aligner._log_prior(*lengths, torch.Size([1, frames, phonemes]))[0].numpy()
    t = np.arange(frames)[:, None]
    expected = betabinom.logpmf(np.arange(phonemes), phonemes - 1, t + 1, frames - t)
    np.testing.assert_allclose(prior, expected, atol=0.01)  # log-factorials in float32 lose some
    np.testing.assert_allclose(np.exp(prior).sum(1), 1, rtol=0.01)


def test_prior_is_added_to_the_log_probabilities(aligner: Aligner) -> None:
    ids, n, mel, t = batch()
    with_prior, without = aligner(ids, n, mel, t), aligner(ids, n, mel, t, prior=False)
    prior = aligner._log_prior(n, t, with_prior.shape)
    for item in range(2):
        rows, columns = slice(int(t[item])), slice(int(n[item]))
        found = with_prior[item, rows, columns] - prior[item, rows, columns]
        torch.testing.assert_close(found, without[item, rows, columns].log_softmax(1), atol=1e-5, rtol=1e-5)


def test_scores_are_distances(aligner: Aligner) -> None:
    ids, n, mel, t = batch()
    scores = aligner(ids[:1], n[:1], mel[:1], t[:1], prior=False)[0]
    queries = aligner.queries(mel[:1] - mel[:1].mean(2, keepdim=True))[0]
    keys = aligner.keys(aligner.embedding(ids[:1]).transpose(1, 2))[0]
    expected = -0.0005 * (queries[:, :, None] - keys[:, None, :]).square().sum(0)
    torch.testing.assert_close(scores, expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("prior", [True, False])
def test_padding(aligner: Aligner, prior: bool) -> None:
    ids, n, mel, t = batch()
    scores = aligner(ids, n, mel, t, prior)
    assert scores.shape == (2, 12, 5)
    assert torch.isfinite(scores).all()
    assert (scores[1, :, 3:] == -1e4).all()
    dirty = mel.clone()
    dirty[1, :, 8:] = 7.0
    torch.testing.assert_close(aligner(ids, n, dirty, t, prior)[:, :8], scores[:, :8])
    alone = aligner(ids[1:, :3], n[1:], mel[1:, :, :8], t[1:], prior)
    torch.testing.assert_close(scores[1, :7, :3], alone[0, :7], atol=1e-5, rtol=1e-5)


def test_level_does_not_matter(aligner: Aligner) -> None:
    ids, n, mel, t = batch()
    torch.testing.assert_close(aligner(ids, n, mel + 2, t), aligner(ids, n, mel, t), atol=1e-4, rtol=1e-4)


def all_alignments(scores: np.ndarray, blank: float) -> float:
    """-log of the summed probability of every path, counted one by one.

    In a path the phonemes come in order, each as one run of frames, with blank frames before, between and after them.
    """
    frames, phonemes = scores.shape
    logits = np.concatenate([np.full((frames, 1), blank), scores], 1)
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    paths = []
    for path in itertools.product(range(phonemes + 1), repeat=frames):
        runs = [label for label, _ in itertools.groupby(path) if label]
        if runs == list(range(1, phonemes + 1)):
            paths.append(sum(log_probs[t, label] for t, label in enumerate(path)))
    return -float(np.logaddexp.reduce(paths))


@pytest.mark.parametrize(("phonemes", "frames"), [(1, 1), (1, 4), (2, 2), (2, 5), (3, 5), (3, 6)])
@pytest.mark.parametrize("blank", [-1.0, 0.5])
def test_forward_sum_is_the_sum_over_all_alignments(phonemes: int, frames: int, blank: float) -> None:
    scores = torch.randn(1, frames, phonemes, generator=torch.Generator().manual_seed(frames))
    loss = forward_sum_loss(scores, torch.tensor([phonemes]), torch.tensor([frames]), blank)
    assert float(loss) == pytest.approx(all_alignments(scores[0].double().numpy(), blank) / frames, rel=1e-4)


def test_forward_sum_of_a_padded_batch_is_the_mean_of_its_items() -> None:
    scores = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    scores[1, :, 2:] = -1e4
    n, t = torch.tensor([4, 2]), torch.tensor([6, 5])
    first = forward_sum_loss(scores[:1], n[:1], t[:1])
    second = forward_sum_loss(scores[1:, :5, :2], n[1:], t[1:])
    torch.testing.assert_close(forward_sum_loss(scores, n, t), (first + second) / 2)


def test_the_right_alignment_costs_least_and_too_few_frames_cost_nothing() -> None:
    path = torch.tensor([0, 0, 1, 2, 2])
    right = 8 * torch.nn.functional.one_hot(path, 3).float()[None]
    n, t = torch.tensor([3]), torch.tensor([5])
    assert forward_sum_loss(right, n, t) < 0.05
    assert forward_sum_loss(right.flip(1), n, t) > 1
    assert forward_sum_loss(right[:, :2], n, torch.tensor([2])) == 0  # impossible: no infinite loss


def test_gradients(aligner: Aligner) -> None:
    ids, n, mel, t = batch()
    forward_sum_loss(aligner(ids, n, mel, t), n, t).backward()
    for name, parameter in aligner.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all() and parameter.grad.any(), name
    scores = torch.randn(1, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    n, t = torch.tensor([2]), torch.tensor([4])
    assert torch.autograd.gradcheck(lambda x: forward_sum_loss(x, n, t), (scores,))


def test_it_learns_a_diagonal() -> None:
    torch.manual_seed(0)
    aligner = Aligner(AlignerConfig(n_symbols=5, n_mels=4, dim=8, key_dim=8))
    ids, n, t = torch.tensor([[1, 2, 3, 4]]), torch.tensor([4]), torch.tensor([12])
    mel = 3 * torch.eye(4).repeat_interleave(3, 1)[None]
    optimizer = torch.optim.Adam(aligner.parameters(), lr=0.02)
    before = forward_sum_loss(aligner(ids, n, mel, t, prior=False), n, t).item()
    for _ in range(60):
        optimizer.zero_grad()
        forward_sum_loss(aligner(ids, n, mel, t, prior=False), n, t).backward()
        optimizer.step()
    scores = aligner(ids, n, mel, t, prior=False)
    assert forward_sum_loss(scores, n, t).item() < before - math.log(1.5)
