"""Give a model the voices that comparisons of two speakers are held to, each the mean of several training speakers."""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch

from voxclone import hub
from voxclone.cli.ending import run_script
from voxclone.config import VerificationConfig
from voxclone.models.cohort import Cohort
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.cohort import means_of_neighbours
from voxclone.training.distillation import speaker_means
from voxclone.training.embeddings import embed_store
from voxclone.training.features import FeatureStore
from voxclone.training.settings import read_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder; it is changed")
    parser.add_argument("--features", type=Path, required=True, help="the `speaker` store")
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"), help="as for train.py")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    told = read_settings(args.config)["verification"].of("people", "seconds", "nearest", "threshold")
    config = hub.read_config(args.model)
    weights = args.model / "speaker_encoder.safetensors"
    encoder = hub.build(lambda: SpeakerEncoder(config.speaker_encoder), weights).eval()
    store = FeatureStore.filled(args.features)
    train = [entry for entry in store.entries if entry.about["split"] == "train"]
    keys = {entry.key for entry in train}
    embeddings = embed_store(encoder, store, encoder.sample_rate, keys, told["seconds"])
    speakers = np.stack(list(speaker_means(train, embeddings).values()))
    if len(speakers) < told["people"] * told["nearest"]:
        parser.error(f"{len(speakers)} speakers are too few for {told['nearest']} means of {told['people']}")
    voices = torch.from_numpy(means_of_neighbours(speakers, told["people"]))
    verification = VerificationConfig(len(voices), told["nearest"], told.get("threshold"))
    cohort = Cohort(verification, config.speaker_encoder.embedding_dim)
    cohort.embeddings.copy_(voices)
    hub.save_part(args.model, "cohort", cohort, dataclasses.replace(config, verification=verification))
    print(f"{len(voices)} voices of {len(speakers)} speakers in {args.model / 'cohort.safetensors'}")


if __name__ == "__main__":
    run_script(main)
