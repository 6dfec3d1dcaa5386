"""Train the aligner on a feature store and write the durations that it finds beside it."""

import argparse
from itertools import islice
from pathlib import Path

from accelerate import PartialState
from torch.utils.data import DataLoader

from voxclone.cli.ending import run_script
from voxclone.training.alignment import AlignmentStep, aligner_config, set_scale, store_durations
from voxclone.training.checkpoint import load_part
from voxclone.training.features import FeatureStore
from voxclone.training.speech_data import LengthBuckets, TranscribedSpeech, drop_stretched, pad_batch
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer, begin_training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store")
    parser.add_argument("--durations", type=Path, required=True, help="store that gets the durations")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first-durations", type=Path, help="store of durations to start from, not from equal lengths")
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    begin_training(args.threads)
    store = FeatureStore.filled(args.features)
    first = FeatureStore.filled(args.first_durations) if args.first_durations else None
    entries = [entry for entry in store.entries if entry.about["split"] == "train"]
    train = TranscribedSpeech(store, drop_stretched(entries, store, first) if first else entries, first)
    valid = TranscribedSpeech(store, [e for e in store.entries if e.about["split"] == "valid"])
    lengths = [entry.rows["mel"][1] for entry in train.entries]
    sampler = LengthBuckets(lengths, batch_frames=8000)
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=pad_batch)
    sample = pad_batch([valid[i] for i in range(0, len(valid), max(1, len(valid) // 4))][:4]) if len(valid) else None
    step = AlignmentStep(aligner_config(), sample)
    config = TrainerConfig(
        max_minutes=args.minutes, learning_rate=1e-3, warmup_steps=100, ema_decay=0.99, validate_every=250
    )
    set_scale(step.aligner, islice(loader, 20))
    Trainer(step, loader, args.out, config).fit()
    if PartialState().is_main_process:
        load_part(step, args.out)
        store_durations(step.aligner.eval(), store, FeatureStore(args.durations))


if __name__ == "__main__":
    run_script(main)
