"""Score natural speech with a model's detector, plain and through the channel, and write the thresholds that follow."""

import argparse
import hashlib
import json
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone import hub
from voxclone.audio.resample import resample
from voxclone.config import AudioConfig
from voxclone.models.watermark import WatermarkDetector
from voxclone.training.augmentation import simulate_rooms
from voxclone.training.channel import Channel
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.thresholds import (
    SHORTEST_SECONDS,
    WINDOW_SECONDS,
    calibrated,
    cut_windows,
    for_training,
    window_scores,
)

THRESHOLDS = (
    "threshold",
    "doubt",
    "threshold_short",
    "threshold_tail",
    "long_windows",
    "long_thresholds",
    "long_tails",
)
CHUNK = 200  # recordings that a process takes at once

Scored = tuple[NDArray[np.float64], list[str]]  # scores, and the recording of each


def load_detector(folder: Path) -> WatermarkDetector:
    """A model folder's detector."""
    config = hub.read_config(folder).watermark
    if config is None:
        raise SystemExit(f"{folder} has no detector: run recipes/watermark/train.py first")
    detector = WatermarkDetector(config)
    hub.load_weights(detector, folder / "detector.safetensors")
    return detector.eval()


def plain(folder: Path, store: Path, seconds: float, entries: Sequence[Entry]) -> Scored:
    """Natural windows as they are."""
    torch.set_num_threads(1)
    detector = load_detector(folder)
    scores, keys = [], []
    for entry, windows in cut_windows(FeatureStore(store), entries, detector.config.sample_rate, seconds):
        scores.append(window_scores(detector, windows))
        keys += [entry.key] * len(windows)
    return np.concatenate(scores) if scores else np.zeros(0), keys


def distorted(folder: Path, store: Path, draws: int, entries: Sequence[Entry]) -> Scored:
    """Natural windows through one or two effects of the training channel."""
    torch.set_num_threads(1)
    detector, rate = load_detector(folder), AudioConfig().sample_rate
    channel = Channel(rate, simulate_rooms(12, rate, seed=2), counts=(0.0, 0.7, 0.3))
    scores, keys = [], []
    for entry, windows in cut_windows(FeatureStore(store), entries, rate):
        rng = np.random.default_rng(int(hashlib.sha256(entry.key.encode()).hexdigest()[:8], 16))
        for _ in range(draws):
            sent, _ = channel(torch.from_numpy(windows), torch.zeros(windows.shape), rng)
            heard = [resample(window, rate, detector.config.sample_rate) for window in sent.numpy()]
            scores.append(window_scores(detector, np.stack(heard)))
            keys += [entry.key] * len(windows)
    return np.concatenate(scores) if scores else np.zeros(0), keys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder with a detector")
    parser.add_argument("--natural", type=Path, required=True, help="folder of the stores made by prepare.py")
    parser.add_argument("--out", type=Path, required=True, help="where the scores go")
    parser.add_argument("--draws", type=int, default=4, help="times that each window goes through the channel")
    parser.add_argument("--share", type=float, default=1.0, help="of the natural speech, for a trial")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()

    stores = {name: args.natural / name for name in ("calibration", "channel")}
    entries = {name: [e for e in FeatureStore(path).entries if not for_training(e)] for name, path in stores.items()}
    rng = np.random.default_rng(0)
    for name, all_entries in entries.items():
        count = round(args.share * len(all_entries))
        entries[name] = [all_entries[i] for i in rng.permutation(len(all_entries))[:count]]
    tasks = {
        "natural": (partial(plain, args.model, stores["calibration"], WINDOW_SECONDS), entries["calibration"]),
        "short": (partial(plain, args.model, stores["calibration"], SHORTEST_SECONDS), entries["calibration"][::6]),
        "distorted": (partial(distorted, args.model, stores["channel"], args.draws), entries["channel"]),
    }
    digest = hashlib.sha256((args.model / "detector.safetensors").read_bytes()).hexdigest()[:16]
    args.out.mkdir(parents=True, exist_ok=True)
    scored: dict[str, NDArray[np.float64]] = {}
    recordings: list[str] = []
    with get_context("spawn").Pool(args.processes) as pool:
        for name, (task, chosen) in tasks.items():
            path = args.out / f"{name}-{digest}-{args.share:g}.npz"
            if not path.exists():
                chunks = [chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)]
                parts = pool.map(task, chunks, chunksize=1)
                scores, keys = np.concatenate([part[0] for part in parts]), [key for part in parts for key in part[1]]
                np.savez(path, scores=scores, keys=np.array(keys))
            scored[name] = np.load(path)["scores"]
            recordings = np.load(path)["keys"].tolist() if name == "natural" else recordings
            finite = scored[name][np.isfinite(scored[name])]
            levels = {share: round(float(np.quantile(finite, 1 - share)), 2) for share in (0.5, 0.01, 0.001)}
            print(f"{name}: {len(finite)} windows, passed by a share of them: {json.dumps(levels)}", flush=True)
    detector = load_detector(args.model)
    config = calibrated(detector.config, scored["natural"], recordings, scored["distorted"], scored["short"])
    hub.save_detector(args.model, detector, config)
    print(json.dumps({key: getattr(config, key) for key in THRESHOLDS}))


if __name__ == "__main__":
    main()
