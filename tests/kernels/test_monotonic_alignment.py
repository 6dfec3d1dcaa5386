"""Monotonic alignment search against enumeration, against its reference, and against the clock."""

from __future__ import annotations

from itertools import combinations
from time import perf_counter

import numpy as np
import pytest
import torch

from voxclone.kernels import monotonic_alignment as module
from voxclone.kernels.monotonic_alignment import monotonic_alignment, monotonic_alignment_reference


@pytest.fixture(params=["numba", "numpy"], autouse=True)
def _form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test holds for both forms of the search."""
    if request.param == "numpy":
        monkeypatch.setattr(module, "_fastest", lambda: module._search_rows)
    else:
        pytest.importorskip("numba")


SEARCHES = [monotonic_alignment, monotonic_alignment_reference]


def best_by_enumeration(log_probabilities: np.ndarray) -> tuple[float, list[int]]:
    """The best score of all ways to cut T frames into N runs, and its durations."""
    n_frames, n_phonemes = log_probabilities.shape
    candidates = []
    for cuts in combinations(range(1, n_frames), n_phonemes - 1):
        edges = [0, *cuts, n_frames]
        score = sum(
            float(log_probabilities[edges[n] : edges[n + 1], n].sum(dtype=np.float64)) for n in range(n_phonemes)
        )
        candidates.append((score, [edges[n + 1] - edges[n] for n in range(n_phonemes)]))
    return max(candidates)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(("n_frames", "n_phonemes"), [(1, 1), (5, 1), (2, 2), (3, 2), (6, 3), (9, 4), (8, 8), (10, 7)])
def test_finds_the_best_of_all_paths(search, n_frames, n_phonemes) -> None:
    rng = np.random.default_rng(n_frames * 100 + n_phonemes)
    for _ in range(20):
        table = rng.normal(size=(1, n_frames, n_phonemes)).astype(np.float32)
        durations = search(table, np.array([n_phonemes]), np.array([n_frames]))
        assert durations[0].tolist() == best_by_enumeration(table[0])[1]


def ragged_batch(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    phoneme_lengths = torch.tensor([40, 1, 33, 25])
    mel_lengths = torch.tensor([120, 90, 33, 77])
    return torch.randn(4, 130, 41, generator=generator).log_softmax(-1), phoneme_lengths, mel_lengths


@pytest.mark.parametrize("seed", range(5))
def test_equals_its_reference_on_ragged_batches(seed) -> None:
    table, phoneme_lengths, mel_lengths = ragged_batch(seed)
    assert torch.equal(
        monotonic_alignment(table, phoneme_lengths, mel_lengths),
        monotonic_alignment_reference(table, phoneme_lengths, mel_lengths),
    )


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("fill", [None, 0.0, float("-inf")])
def test_every_path_is_complete(search, fill) -> None:
    """Even where all paths tie, or none has any probability."""
    table, phoneme_lengths, mel_lengths = ragged_batch(0)
    if fill is not None:
        table = torch.full_like(table, fill)
    durations = search(table, phoneme_lengths, mel_lengths)
    assert durations.dtype == torch.int64 and durations.shape == (4, 41)
    assert torch.equal(durations.sum(1), mel_lengths)
    real = torch.arange(41) < phoneme_lengths[:, None]
    assert (durations[real] >= 1).all() and (durations[~real] == 0).all()


@pytest.mark.parametrize("search", SEARCHES)
def test_ties_enter_a_phoneme_early(search) -> None:
    assert search(torch.zeros(1, 5, 2), torch.tensor([2]), torch.tensor([5])).tolist() == [[1, 4]]


def test_bfloat16_is_read_and_padding_is_not() -> None:
    table, phoneme_lengths, mel_lengths = ragged_batch(1)
    table = table.bfloat16()
    poisoned = table.float()
    for item in range(4):
        poisoned[item, mel_lengths[item] :] = float("nan")
        poisoned[item, :, phoneme_lengths[item] :] = float("nan")
    durations = monotonic_alignment(table, phoneme_lengths, mel_lengths)
    assert torch.equal(monotonic_alignment(poisoned, phoneme_lengths, mel_lengths), durations)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("phoneme_lengths", "mel_lengths", "message"),
    [
        ([2, 4], [5, 3], "item 1 has 3 frames for 4 phonemes"),
        ([2, 0], [5, 3], "item 1 has 0 phonemes"),
        ([5, 2], [6, 3], "item 0 has 5 phonemes"),
        ([2, 2], [3, 7], "item 1 has 2 phonemes and 7 frames"),
        ([2], [3], "needed are"),
    ],
)
def test_impossible_lengths_are_refused(search, phoneme_lengths, mel_lengths, message) -> None:
    with pytest.raises(ValueError, match=message):
        search(torch.zeros(2, 6, 4), torch.tensor(phoneme_lengths), torch.tensor(mel_lengths))


def fastest(call, repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = perf_counter()
        call()
        seconds.append(perf_counter() - started)
    return min(seconds)


def test_compiled_is_50_times_faster_than_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(module, "_fastest", module.functools.cache(module._compiled))
    generator = torch.Generator().manual_seed(0)
    arguments = (torch.randn(1, 600, 100, generator=generator), torch.tensor([100]), torch.tensor([600]))
    monotonic_alignment(*arguments)
    plain = fastest(lambda: monotonic_alignment_reference(*arguments), 5)
    compiled = fastest(lambda: monotonic_alignment(*arguments), 50)
    assert plain / compiled >= 50, f"{plain / compiled:.0f}x: {plain * 1e3:.2f} ms against {compiled * 1e3:.3f} ms"
