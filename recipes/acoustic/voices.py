"""Measure voices of many speakers for train.py --voices, each of one recording, which needs no text."""

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from voxclone import AudioError, hub
from voxclone.cli.ending import run_script
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.manner import manner
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.synthesis.reference import SpeakerMeasures, measure_speaker
from voxclone.training.features import Entry, FeatureStore

LEAST_SECONDS, MOST_SECONDS = 2.5, 6.0  # of a recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder, whose speaker encoder hears")
    parser.add_argument("--features", type=Path, required=True, help="the `speaker` store")
    parser.add_argument("--out", type=Path, required=True, help=".npz file")
    parser.add_argument("--recordings", type=int, default=2, help="of each speaker at most")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    config = hub.read_config(args.model)
    weights = args.model / "speaker_encoder.safetensors"
    encoder = hub.build(lambda: SpeakerEncoder(config.speaker_encoder), weights).eval()
    acoustic = hub.build(lambda: AcousticModel(config.acoustic), args.model / "acoustic.safetensors").eval()

    store = FeatureStore.filled(args.features)
    found: list[SpeakerMeasures] = []
    for entry in tqdm(list(choose(store, args.recordings, encoder.sample_rate)), desc="voices", disable=None):
        sound = read(store, entry, encoder.sample_rate), encoder.sample_rate
        try:
            found.append(measure_speaker(encoder, config.audio, [sound], rate_reader=acoustic.rate_reader))
        except AudioError as error:
            tqdm.write(f"{entry.key} is left out: {error}")
    if not found:
        parser.error(f"{args.features} has no recording to train on of {LEAST_SECONDS} s that is fit to clone from")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    partial = args.out.with_suffix(".partial.npz")
    np.savez(
        partial,
        speaker_embedding=np.stack([each.speaker_embedding for each in found]),
        spectrum=np.stack([each.spectrum for each in found]),
        f0_median=np.array([each.f0_median for each in found], np.float32),
        manner=np.stack([manner(each.phoneme_seconds, each.f0_spread).numpy() for each in found]),
    )
    os.replace(partial, args.out)
    print(f"{len(found)} voices in {args.out}")


def choose(store: FeatureStore, recordings: int, sample_rate: int) -> Iterator[Entry]:
    """Some recordings of every training speaker, drawn at random but always the same."""
    by_speaker: dict[str, list[Entry]] = defaultdict(list)
    for entry in store.entries:
        if entry.about["split"] == "train" and entry.rows["waveform"][1] >= LEAST_SECONDS * sample_rate:
            by_speaker[entry.about["speaker"]].append(entry)
    rng = np.random.default_rng(0)
    for speaker in sorted(by_speaker):
        own = by_speaker[speaker]
        yield from (own[i] for i in rng.permutation(len(own))[:recordings])


def read(store: FeatureStore, entry: Entry, sample_rate: int) -> NDArray[np.float32]:
    """(S,) the recording's first seconds."""
    length = min(entry.rows["waveform"][1], round(MOST_SECONDS * sample_rate))
    return np.asarray(store.read(entry, "waveform", 0, length), np.float32) / np.float32(32768)


if __name__ == "__main__":
    run_script(main)
