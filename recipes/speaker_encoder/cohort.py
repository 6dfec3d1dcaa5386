"""Give a model the voices that comparisons of two speakers are held to, each the mean of several training speakers."""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch

from voxclone import hub
from voxclone.cli.ending import run_script
from voxclone.config import ModelConfig, VerificationConfig
from voxclone.models.cohort import Cohort
from voxclone.models.identity import weights_id
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.cohort import means_of_neighbours
from voxclone.training.distillation import speaker_means
from voxclone.training.embeddings import embed_store
from voxclone.training.features import FeatureStore
from voxclone.training.settings import Section, read_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder; it is changed")
    parser.add_argument("--features", type=Path, help="the `speaker` store; without it the model keeps its cohort")
    parser.add_argument("--threshold", type=float, help="score that benchmarks/consent.py found for 1 %% of strangers")
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"), help="as for train.py")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    hub.check_integrity(args.model)
    config = hub.read_config(args.model)
    if args.features is not None:
        cohort, verification = made(args.features, args.model, config, read_settings(args.config)["verification"])
    elif (own := config.verification) is not None:
        weights = args.model / "cohort.safetensors"
        cohort, verification = hub.build(lambda: Cohort(own, config.speaker_encoder.embedding_dim), weights), own
    else:
        parser.error(f"{args.model} has no cohort: name the --features that it is to be made of")
    if args.threshold is not None:
        verification = dataclasses.replace(verification, threshold=args.threshold)
    hub.save_part(args.model, "cohort", cohort, dataclasses.replace(config, verification=verification))
    print(f"{args.model / 'cohort.safetensors'}: {verification}")
    if verification.threshold is None:
        print(
            "measure its threshold with benchmarks/consent.py and set it by --threshold: until then it verifies no one"
        )


def made(features: Path, model: Path, config: ModelConfig, told: Section) -> tuple[Cohort, VerificationConfig]:
    """A cohort of the store's training speakers, by the model's encoder."""
    told = told.of("people", "seconds", "nearest")
    weights = model / "speaker_encoder.safetensors"
    encoder = hub.build(lambda: SpeakerEncoder(config.speaker_encoder), weights).eval()
    store = FeatureStore.filled(features)
    train = [entry for entry in store.entries if entry.about["split"] == "train"]
    keys = {entry.key for entry in train}
    embeddings = embed_store(encoder, store, encoder.sample_rate, keys, told["seconds"])
    speakers = np.stack(list(speaker_means(train, embeddings).values()))
    voices = torch.from_numpy(means_of_neighbours(speakers, told["people"]))
    verification = VerificationConfig(len(voices), weights_id(encoder), told["nearest"])
    cohort = Cohort(verification, config.speaker_encoder.embedding_dim)
    cohort.embeddings.copy_(voices)
    return cohort, verification


if __name__ == "__main__":
    run_script(main)
