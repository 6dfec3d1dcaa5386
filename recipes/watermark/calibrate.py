"""Score what has no mark with a model's detector, plain and through the channel, and write the thresholds of it."""

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone import hub
from voxclone.audio.resample import resample
from voxclone.cli.ending import run_script
from voxclone.config import AudioConfig
from voxclone.errors import ModelError
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.detection import SHORTEST_SECONDS, WINDOW_SECONDS
from voxclone.training.augmentation import simulate_rooms
from voxclone.training.channel import Channel
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.thresholds import (
    SEARCHED_SHARE,
    Scored,
    calibrated,
    cut_windows,
    for_training,
    passed,
    sampled_scores,
)

THRESHOLDS = (
    "speed_cost",
    "threshold",
    "doubt",
    "output_threshold",
    "threshold_short",
    "threshold_tail",
    "long_windows",
    "long_thresholds",
    "long_tails",
)
Floats = NDArray[np.float64]
LIKE_THE_MARK = ("hum",)  # a tone beats as the pilot does: a bar above it would be above marked speech in noise
CHUNK = 200  # recordings that a process takes at once

SPEED_STEP = 0.03  # from one speed that is tried to the next
SPEED_STEPS = 4  # below 1, and as many above


def speeds(step: float) -> tuple[float, ...]:
    """The speeds besides 1, as far as `SPEED_STEPS` of `SPEED_STEP` reach, nearest first."""
    reach = round(SPEED_STEPS * SPEED_STEP / step) if step > 0 else 0
    return tuple(round((1 + step) ** (sign * k), 4) for k in range(1, reach + 1) for sign in (1, -1))


def load_detector(folder: Path, tried: Sequence[float]) -> WatermarkDetector:
    """A model folder's detector, to listen at these speeds."""
    config = hub.read_config(folder).watermark
    if config is None:
        raise ModelError(f"{folder} has no detector: run recipes/watermark/train.py first")
    detector = WatermarkDetector(dataclasses.replace(config, speeds=tuple(tried)))
    hub.load_weights(detector, folder / "detector.safetensors")
    return detector.eval()


def plain(detector: WatermarkDetector, share: float, store: Path, seconds: float, entries: Sequence[Entry]) -> Scored:
    """Natural windows as they are."""
    torch.set_num_threads(1)
    return _in_a_row(
        detector,
        [
            (*sampled_scores(detector, windows, entry.key, share), entry.key)
            for entry, windows in cut_windows(FeatureStore(store), entries, detector.config.sample_rate, seconds)
        ],
    )


def sounds(detector: WatermarkDetector, store: Path, entries: Sequence[Entry]) -> Scored:
    """Windows of what is not speech, at all speeds."""
    torch.set_num_threads(1)
    rate = AudioConfig().sample_rate
    parts = []
    for entry, windows in cut_windows(FeatureStore(store), entries, rate):
        parts.append((*sampled_scores(detector, _resampled(windows, rate, detector), entry.key, 1.0), entry.key))
    return _in_a_row(detector, parts)


def distorted(detector: WatermarkDetector, share: float, store: Path, draws: int, entries: Sequence[Entry]) -> Scored:
    """Natural windows through one or two effects of the training channel, the same for all of a recording."""
    torch.set_num_threads(1)
    rate = AudioConfig().sample_rate
    channel = Channel(rate, simulate_rooms(12, rate, seed=2), counts=(0.0, 0.7, 0.3))
    parts = []
    for entry, windows in cut_windows(FeatureStore(store), entries, rate):
        rng = np.random.default_rng(int(hashlib.sha256(entry.key.encode()).hexdigest()[:8], 16))
        for draw in range(draws):
            whole = torch.from_numpy(windows).view(1, -1)
            sent, _ = channel(whole, torch.zeros(whole.shape), rng)
            heard, name = _resampled(sent.view(windows.shape).numpy(), rate, detector), f"{entry.key} {draw}"
            parts.append((*sampled_scores(detector, heard, name, share), name))
    return _in_a_row(detector, parts)


def _resampled(windows: NDArray[np.float32], rate: int, detector: WatermarkDetector) -> NDArray[np.float32]:
    """Windows (N, S) at the detector's rate."""
    return np.stack([resample(window, rate, detector.config.sample_rate) for window in windows])


def _in_a_row(detector: WatermarkDetector, parts: Sequence[tuple[Floats, Floats, str]]) -> Scored:
    """Scores and weights of recordings."""
    nothing = (np.zeros((0, 1 + len(detector.config.speeds))), np.zeros(0), "")
    scores, weight, _ = zip(nothing, *parts, strict=True)
    recordings = [key for _, each, key in parts for _ in each]
    return Scored(np.concatenate(scores), np.concatenate(weight), recordings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder with a detector")
    parser.add_argument("--natural", type=Path, required=True, help="folder of the stores made by prepare.py")
    parser.add_argument("--out", type=Path, required=True, help="where the scores go")
    parser.add_argument("--draws", type=int, default=4, help="times that each window goes through the channel")
    parser.add_argument("--share", type=float, default=1.0, help="of the natural speech, for a trial")
    parser.add_argument("--searched", type=float, default=SEARCHED_SHARE, help="of it, at all speeds")
    parser.add_argument("--speed-step", type=float, default=SPEED_STEP, help="between the speeds; 0 for no search")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()

    detector = load_detector(args.model, speeds(args.speed_step))
    stores = {name: args.natural / name for name in ("calibration", "channel", "sounds")}
    entries = {
        name: [e for e in FeatureStore.filled(path).entries if not for_training(e)] for name, path in stores.items()
    }
    entries["sounds"] = [e for e in entries["sounds"] if e.about["kind"] not in LIKE_THE_MARK]
    rng = np.random.default_rng(0)
    for name, all_entries in entries.items():
        count = round(args.share * len(all_entries))
        entries[name] = [all_entries[i] for i in rng.permutation(len(all_entries))[:count]]
    natural, sent = entries["calibration"], entries["channel"]
    tasks: dict[str, tuple[Callable[[Sequence[Entry]], Scored], list[Entry]]] = {
        "natural": (partial(plain, detector, args.searched, stores["calibration"], WINDOW_SECONDS), natural),
        "short": (partial(plain, detector, args.searched, stores["calibration"], SHORTEST_SECONDS), natural[::6]),
        "distorted": (partial(distorted, detector, min(1, 2 * args.searched), stores["channel"], args.draws), sent),
        "sounds": (partial(sounds, detector, stores["sounds"]), entries["sounds"]),
    }
    digest = hashlib.sha256((args.model / "detector.safetensors").read_bytes()).hexdigest()[:16]
    args.out.mkdir(parents=True, exist_ok=True)
    scored: dict[str, Scored] = {}
    with get_context("spawn").Pool(args.processes) as pool:
        for name, (task, chosen) in tasks.items():
            path = args.out / f"{name}-{digest}-{args.share:g}-{args.searched:g}-{args.speed_step:g}.npz"
            if not path.exists():
                chunks = [chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)]
                parts = pool.map(task, chunks, chunksize=1)
                np.savez(
                    path,
                    scores=np.concatenate([part.scores for part in parts]),
                    weight=np.concatenate([part.weight for part in parts]),
                    keys=[key for part in parts for key in part.recordings],
                )
            saved = np.load(path)
            scored[name] = Scored(saved["scores"], saved["weight"], saved["keys"].tolist())
            heard = scored[name].scores[np.isfinite(scored[name].scores[:, 0]), 0]
            levels = {share: round(float(np.quantile(heard, 1 - share)), 2) for share in (0.5, 0.01, 0.001)}
            searched = np.count_nonzero(scored[name].weight)
            print(f"{name}: {len(heard)} windows, {searched} at all speeds; at their own, passed by a share of them:")
            print(f"  {json.dumps(levels)}", flush=True)
    config = calibrated(detector.config, scored["natural"], scored["distorted"], scored["short"], scored["sounds"])
    hub.save_detector(args.model, detector, config)
    print(json.dumps({key: getattr(config, key) for key in THRESHOLDS}))
    alarms = {name: passed(each, config.speed_cost, config.threshold) for name, each in scored.items()}
    print("false alarms:", json.dumps(alarms))


if __name__ == "__main__":
    run_script(main)
