"""Train the acoustic model on a feature store, the aligner's durations and a trained speaker encoder."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from voxclone.config import AcousticConfig, SpeakerEncoderConfig
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.text.symbols import SYMBOLS
from voxclone.training.acoustic import AcousticStep, VoicedSpeech, voiced_batch
from voxclone.training.checkpoint import export_part
from voxclone.training.embeddings import kept_embeddings
from voxclone.training.features import FeatureStore
from voxclone.training.speech_data import LengthBuckets, corpus_weights, drop_least_confident
from voxclone.training.trainer import Trainer, TrainerConfig

SPEAKER_CONFIG = Path(__file__).resolve().parent.parent / "speaker_encoder/config.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store")
    parser.add_argument("--durations", type=Path, required=True, help="from align.py")
    parser.add_argument("--speaker-features", type=Path, required=True, help="the `speaker` store")
    parser.add_argument("--speaker-run", type=Path, required=True, help="run folder of recipes/speaker_encoder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"))
    parser.add_argument(
        "--speaker-config", type=Path, default=SPEAKER_CONFIG, help="what --speaker-run was trained with"
    )
    parser.add_argument("--minutes", type=float, help="instead of the config's max_minutes")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    settings = json.loads(args.config.read_text())
    data = settings["data"]
    speaker = SpeakerEncoderConfig.from_dict(json.loads(args.speaker_config.read_text())["model"])
    encoder = SpeakerEncoder(speaker)
    encoder.load_state_dict(export_part(args.speaker_run, "encoder."))
    store, durations = FeatureStore(args.features), FeatureStore(args.durations)
    spoken = {entry.key for entry in store.entries if "phoneme_ids" in entry.rows}
    embeddings = kept_embeddings(
        args.out / "embeddings.npz", encoder.eval(), FeatureStore(args.speaker_features), spoken
    )

    confidence = {entry.key: entry.about["confidence"] for entry in durations.entries}
    weights = corpus_weights(store.entries, data["corpus_weights"])
    candidates = [entry for entry in store.entries if entry.key in weights]
    usable = drop_least_confident(candidates, confidence, data["drop_least_confident"])
    train = VoicedSpeech(store, durations, [e for e in usable if e.about["split"] == "train"], embeddings)
    valid = VoicedSpeech(store, durations, [e for e in usable if e.about["split"] == "valid"], embeddings)
    lengths = [e.rows["mel"][1] for e in train.entries]
    sampler = LengthBuckets(lengths, data["batch_frames"], [weights[e.key] for e in train.entries])
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=voiced_batch)
    chosen = np.random.default_rng(0).choice(len(valid), min(len(valid), data["validation_items"]), replace=False)
    parts = np.array_split(chosen, max(1, len(chosen) // 8)) if len(chosen) else []
    held_out = [voiced_batch([valid[int(i)] for i in part]) for part in parts]
    sizes = {"n_symbols": len(SYMBOLS), "speaker_embedding_dim": speaker.embedding_dim} | settings["model"]
    step = AcousticStep(AcousticConfig.from_dict(sizes), held_out)
    step.model.mean_spectrum.copy_(train.mean_spectrum())
    trainer = settings["trainer"] | ({"max_minutes": args.minutes} if args.minutes else {})
    Trainer(step, loader, args.out, TrainerConfig.from_dict(trainer)).fit()


if __name__ == "__main__":
    main()
