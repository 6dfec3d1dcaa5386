"""Train the phoneme recogniser that train.py --recognizer listens to made speech with."""

import argparse
from pathlib import Path

from torch.utils.data import DataLoader

from voxclone.cli.ending import run_script
from voxclone.training.features import FeatureStore
from voxclone.training.recognition import PhonemeRecognizer, RecognitionStep
from voxclone.training.settings import read_settings
from voxclone.training.speech_data import (
    SPEECH_DATA,
    LengthBuckets,
    TranscribedSpeech,
    corpus_weights,
    held_out_batches,
    pad_batch,
    trusted_speech,
)
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer, begin_training

VALIDATION_ITEMS = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store")
    parser.add_argument("--durations", type=Path, required=True, help="from align.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("recognizer.json"))
    parser.add_argument("--minutes", type=float, help="instead of the config's max_minutes")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    settings = read_settings(args.config)
    begin_training(args.threads, settings["trainer"].get("seed", 0))
    data = settings["data"].of(*SPEECH_DATA)
    store, durations = FeatureStore.filled(args.features), FeatureStore.filled(args.durations)
    usable, weights = trusted_speech(store, durations, data), corpus_weights(store.entries, data["corpus_weights"])
    train, valid = (
        TranscribedSpeech(store, [e for e in usable if e.about["split"] == split], durations)
        for split in ("train", "valid")
    )
    lengths = [e.rows["mel"][1] for e in train.entries]
    sampler = LengthBuckets(lengths, data["batch_frames"], [weights[e.key] for e in train.entries])
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=pad_batch)
    trainer = settings["trainer"] | ({"max_minutes": args.minutes} if args.minutes else {})
    step = RecognitionStep(PhonemeRecognizer(), held_out_batches(valid, VALIDATION_ITEMS, pad_batch))
    Trainer(step, loader, args.out, TrainerConfig.from_dict(trainer)).fit()


if __name__ == "__main__":
    run_script(main)
