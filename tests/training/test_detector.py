"""Training the detector alone, and its thresholds."""

import dataclasses

import numpy as np
import pytest
import torch

from voxclone.config import WatermarkConfig
from voxclone.errors import VoxcloneError
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.detection import MarkFinder
from voxclone.safety.hearing import at_speed
from voxclone.training.channel import Channel
from voxclone.training.detector import DetectorSegments, DetectorStep, Drawn, NaturalSpeech, as_segments, as_waveform
from voxclone.training.features import FeatureStore
from voxclone.training.thresholds import (
    Scored,
    _quantile,
    best_scores,
    calibrated,
    cut_windows,
    for_training,
    passed,
    sampled_scores,
    searched_scores,
    window_scores,
)
from voxclone.training.watermark import CollaborativeMark

RATE = 22050
TINY = WatermarkConfig(channels=8, dilations=(1, 2))
SEARCHING = dataclasses.replace(TINY, speeds=(1.05, 0.95))


@pytest.fixture
def store(tmp_path):
    """Three recordings of 1, 2 and 5 seconds at 16 kHz."""
    store, rng = FeatureStore(tmp_path / "store"), np.random.default_rng(0)
    for seconds in (1, 2, 5):
        about = {"corpus": "c", "language": "en", "speaker": f"s{seconds}", "split": "train"}
        store.append(str(seconds), about, {"waveform": rng.integers(-3000, 3000, seconds * 16000).astype(np.int16)})
    return store


def test_batches_are_of_natural_and_marked_speech(store):
    marked = np.full((3, 2 * RATE), 100, np.int16)
    segments = DetectorSegments([NaturalSpeech(store, store.entries, 16000)], marked, RATE, 4)
    batch = next(iter(segments))
    assert batch["natural"].shape == batch["made"].shape == (4, 2 * RATE)
    assert {entry.key for entry in segments.sources[0].entries} == {"2", "5"}
    assert batch["natural"].std() > 0.02 and (batch["made"] == 100 / 32768).all()
    with pytest.raises(VoxcloneError, match="no recording"):
        DetectorSegments([NaturalSpeech(store, store.entries, 16000)], np.zeros((1, 9 * RATE), np.int16), RATE, 4)


def test_step_trains_the_detector_alone(store):
    torch.manual_seed(0)
    mark = CollaborativeMark(TINY, Channel(RATE, weights={"noise": 1.0}), [Drawn(np.zeros((2, RATE), np.int16))])
    step = DetectorStep(mark)
    losses = step({"natural": 0.1 * torch.randn(3, RATE), "made": 0.1 * torch.randn(3, RATE)}, "detector")
    losses["total"].backward()
    assert all(p.grad is not None for p in step.parameters_of("detector"))
    assert set(losses) == {"total", "found", "false"}


def test_segments_keep_their_samples():
    waveform = torch.linspace(-1, 1, 64)[None]
    pieces = as_segments(waveform, 20)
    assert pieces.shape == (3, 20)
    torch.testing.assert_close(as_waveform(pieces).flatten(), waveform[0, :60], atol=1 / 32768, rtol=0)


def test_a_window_has_the_score_that_the_finder_gives(store, random_detector):
    detector, ear = random_detector(TINY)
    (_, windows), *_ = cut_windows(store, [store.entries[2]], 16000)
    assert windows.shape == (2, 32000)
    scores = window_scores(detector, windows)
    finder = MarkFinder(ear, "random")
    np.testing.assert_allclose(scores, [finder.score(window, 16000) for window in windows], atol=1e-4)
    assert np.isnan(window_scores(detector, np.zeros((1, 32000), np.float32))).all()


def scored(rng: np.random.Generator, mean: float, spread: float, count: int, weight: float = 1.0) -> Scored:
    scores = rng.normal(mean, spread, (count, 1 + len(SEARCHING.speeds)))
    return Scored(scores, np.full(count, weight), [str(index // 10) for index in range(count)])


def test_thresholds_are_what_few_natural_windows_pass():
    rng = np.random.default_rng(0)
    natural, distorted, short = (scored(rng, *each) for each in ((-3, 1, 100000), (-2, 1, 100000), (-3, 1.5, 5000)))
    sounds = scored(rng, -4, 1, 2000)
    config = calibrated(SEARCHING, natural, distorted, short, sounds)
    assert passed(natural, config.speed_cost, config.threshold) < 1e-3
    assert passed(distorted, config.speed_cost, config.threshold) == pytest.approx(1e-3, abs=2e-4)
    assert passed(distorted, config.speed_cost, config.doubt) == pytest.approx(1e-2, abs=2e-3)
    assert passed(short, config.speed_cost, config.threshold + config.threshold_short) < 2e-3
    assert config.long_windows == (4.0, 8.0, 12.0)  # of independent windows, the mean varies less
    assert config.threshold > config.long_thresholds[0] > config.long_thresholds[1] > config.long_thresholds[2]
    assert 0.1 < config.threshold_tail < 1 and config.channels == TINY.channels
    assert (natural.scores[:, 0] >= config.output_threshold).mean() == pytest.approx(1e-2, abs=1e-3)
    own, others = distorted.scores[:, 0], distorted.scores[:, 1:].max(1) - config.speed_cost
    assert (own >= config.threshold).mean() == pytest.approx(5e-4, abs=2e-4)  # half of all for the speed as it is
    assert (others >= config.threshold).mean() == pytest.approx(5e-4, abs=2e-4)
    with pytest.raises(VoxcloneError, match="needs 1000"):
        calibrated(SEARCHING, natural, scored(rng, -2, 1, 10), short, sounds)
    loud = calibrated(SEARCHING, natural, distorted, short, scored(rng, 3, 1, 2000))
    assert loud.threshold > 4 > config.threshold and loud.long_thresholds[0] > 4 > config.long_thresholds[0]


def test_windows_that_stand_for_others_count_as_many():
    rng = np.random.default_rng(0)
    all_of_them = scored(rng, -3, 1, 40000)
    kept = (all_of_them.scores[:, 0] > -2) | (rng.random(40000) < 0.25)
    weight = np.where(all_of_them.scores[:, 0] > -2, 1.0, np.where(kept, 4.0, 0.0))
    sampled = Scored(np.where(kept[:, None], all_of_them.scores, np.nan), weight, all_of_them.recordings)
    sampled.scores[:, 0] = all_of_them.scores[:, 0]
    for threshold in (-1.5, -1.0, -0.5):
        assert passed(sampled, 0.3, threshold) == pytest.approx(passed(all_of_them, 0.3, threshold), rel=0.2)
    one, other = (calibrated(SEARCHING, each, all_of_them, all_of_them, all_of_them) for each in (sampled, all_of_them))
    assert one.threshold == pytest.approx(other.threshold, abs=0.15)


def test_a_bar_that_few_windows_pass_is_that_of_their_tail():
    rng = np.random.default_rng(0)
    bars = [_quantile(rng.exponential(2.0, 2000), np.ones(2000), 1e-3) for _ in range(200)]
    assert np.mean(bars) == pytest.approx(-2 * np.log(1e-3), rel=0.06) and np.std(bars) < 1.5
    scores = np.arange(20000.0)
    assert _quantile(scores, np.ones(20000), 1e-3) == 19979


def test_a_recording_is_searched_for_certain_or_by_lot(store):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        detector = WatermarkDetector(SEARCHING).eval()
    (_, windows), *_ = cut_windows(store, [store.entries[2]], 16000)
    every = searched_scores(detector, windows)
    assert every.shape == (2, 3) and np.isfinite(every).all()
    np.testing.assert_allclose(every[:, 1], window_scores(detector, at_speed(windows, 1.05)), atol=1e-5)
    scores, weight = sampled_scores(detector, windows, "any", share=1.0)
    np.testing.assert_allclose(scores, every)
    assert weight.tolist() == [1.0, 1.0]
    detector.config = TINY
    assert sampled_scores(detector, windows, "any", share=0.0)[1].tolist() == [1.0, 1.0]  # there is nothing to search
    detector.config = SEARCHING
    detector.head.bias.data[0] -= 20  # nothing is near the mark: searched by lot alone
    weights = [sampled_scores(detector, windows, f"recording {i}", share=0.25)[1][0] for i in range(40)]
    assert set(weights) == {0.0, 4.0} and 3 < np.count_nonzero(weights) < 20


def test_the_best_speed_counts_at_a_cost():
    scores = np.array([[1.0, 3.0], [2.0, 2.5], [np.nan, 9.0], [1.0, np.nan]])
    np.testing.assert_allclose(best_scores(scores, 1.0), [2.0, 2.0, np.nan, 1.0])


def test_what_is_trained_on_sets_no_thresholds(store):
    def drawn(speaker: str, split: str) -> bool:
        return for_training(dataclasses.replace(store.entries[0], about={"speaker": speaker, "split": split}))

    names = [f"speaker {index}" for index in range(1000)]
    assert 0.25 < np.mean([drawn(name, "train") for name in names]) < 0.35
    assert not any(drawn(name, "valid") for name in names)
