"""Decode what carries no mark into stores: speech of many languages, much of it at the detector's rate and some at the
vocoder's, and other sound."""

import argparse
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from voxclone.audio.io import audio_files, read_audio
from voxclone.audio.resample import resample
from voxclone.audio.samples import as_pcm16
from voxclone.cli.ending import run_script
from voxclone.config import AudioConfig, WatermarkConfig
from voxclone.errors import AudioError, VoxcloneError
from voxclone.training.extraction import Recording, read_manifest
from voxclone.training.features import FeatureStore
from voxclone.training.noises import KINDS, make_noise

NOISES_OF_EACH_KIND = 60
NOISE_SECONDS = 6.0
GENDERS = {"f": "f", "female": "f", "female_feminine": "f", "m": "m", "male": "m", "male_masculine": "m"}


def seconds_of(row: Recording) -> float:
    """A recording's length by its manifest."""
    if "seconds" not in row.about:
        raise VoxcloneError(f"the manifest does not say how many seconds {row.key} has: it needs a column seconds")
    return float(row.about["seconds"])


def chosen(rows: list[Recording], hours: float) -> list[Recording]:
    """At most so many hours of each language of each corpus, drawn speaker by speaker."""
    groups = defaultdict(list)
    for index in np.random.default_rng(0).permutation(len(rows)):
        about = rows[index].about
        groups[about["corpus"], about["language"]].append(rows[index])
    kept = []
    for group in groups.values():
        spoken: dict[str, int] = defaultdict(int)
        turn = {}
        for row in group:
            spoken[row.about["speaker"]] += 1
            turn[row.key] = spoken[row.about["speaker"]]
        seconds = 0.0
        for row in sorted(group, key=lambda row: turn[row.key]):
            if seconds < 3600 * hours:
                kept.append(row)
                seconds += seconds_of(row)
    return kept


def store_sounds(folders: list[Path], out: Path) -> None:
    """Recordings of anything but speech, at the vocoder's rate, and sounds that are made."""
    store, sample_rate = FeatureStore(out), AudioConfig().sample_rate
    files = [(folder, file) for folder in folders for file in audio_files(folder)]
    for folder, file in tqdm(files, desc="sounds", mininterval=30):
        key = str(Path(folder.name) / file.relative_to(folder))
        if key not in store.keys:
            source = re.search(r"\d{4,}", file.stem)  # ESC names its clips by the recording that they were cut from
            about = {"corpus": folder.name, "kind": file.parent.name, "speaker": source[0] if source else file.stem}
            store.append(key, about | {"split": ""}, {"waveform": as_pcm16(resample(*read_audio(file), sample_rate))})
    for kind in KINDS:
        for seed in range(NOISES_OF_EACH_KIND):
            key = f"{kind} {seed}"
            if key not in store.keys:
                about = {"corpus": "made", "kind": kind, "speaker": key, "split": ""}
                store.append(key, about, {"waveform": as_pcm16(make_noise(kind, NOISE_SECONDS, sample_rate, seed))})
    print(f"sounds: {sum(entry.rows['waveform'][1] for entry in store.entries) / sample_rate / 3600:.1f} h")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.tsv and the audio it names")
    parser.add_argument("--out", type=Path, required=True, help="folder of the stores")
    parser.add_argument("--hours", type=float, default=3.5, help="most of each language of a corpus, for calibration")
    parser.add_argument("--channel-hours", type=float, default=0.03, help="the same, for what goes through the channel")
    parser.add_argument(
        "--sounds", type=Path, nargs="+", required=True, help="folders of recordings without speech, such as ESC-10"
    )
    args = parser.parse_args()
    rows = read_manifest(args.data / "manifest.tsv", args.data)
    plans = (
        ("calibration", WatermarkConfig().sample_rate, chosen(rows, args.hours)),
        ("channel", AudioConfig().sample_rate, chosen(rows, args.channel_hours)),
        ("channel", AudioConfig().sample_rate, [row for row in rows if row.about["split"] == "valid"]),
    )
    store_sounds(args.sounds, args.out / "sounds")
    for name, sample_rate, wanted in reversed(plans):
        store = FeatureStore(args.out / name)
        for row in tqdm(wanted, desc=name, mininterval=30):
            if row.key in store.keys or seconds_of(row) < 2:
                continue
            try:
                samples = resample(*read_audio(row.path), sample_rate)
            except AudioError as error:
                print(f"left out: {error}")
                continue
            about = {key: row.about[key] for key in ("corpus", "language", "speaker", "split")}
            about["gender"] = GENDERS.get(row.about.get("gender", ""), "unknown")
            store.append(row.key, about, {"waveform": as_pcm16(samples)})
        stored = sum(entry.rows["waveform"][1] for entry in store.entries)
        print(f"{name}: {stored / sample_rate / 3600:.1f} h")


if __name__ == "__main__":
    run_script(main)
