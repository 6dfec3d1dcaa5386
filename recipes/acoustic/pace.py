"""Teach the rate reader to count sounds, on the aligner's durations: it tells the acoustic model a voice's pace."""

import argparse
from pathlib import Path

from voxclone.cli.ending import run_script
from voxclone.config import AudioConfig
from voxclone.training.augmentation import Augmentation, simulate_rooms
from voxclone.training.backgrounds import recorded
from voxclone.training.checkpoint import Checkpoint, load_part, save_checkpoint
from voxclone.training.features import FeatureStore
from voxclone.training.pace import CountedSpeech, PaceStep, hear_speakers, set_doubt, split_speakers
from voxclone.training.settings import read_settings
from voxclone.training.speech_data import trusted_speech
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer, begin_training

AUDIO = AudioConfig()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store")
    parser.add_argument("--durations", type=Path, required=True, help="from align.py")
    parser.add_argument("--noise", type=Path, help="folder of noise recordings")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"), help="as for train.py")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--recordings", type=int, default=40, help="at most so many of each speaker")
    parser.add_argument("--rooms", type=int, default=30, help="that are simulated")
    parser.add_argument("--without", nargs="*", default=[], help="speakers that are left out")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    begin_training(args.threads)
    store, durations = FeatureStore.filled(args.features), FeatureStore.filled(args.durations)
    trusted = trusted_speech(store, durations, read_settings(args.config)["data"], "train")
    usable = [entry for entry in trusted if entry.about["speaker"] not in args.without]
    noises = recorded(args.noise, AUDIO.sample_rate) if args.noise else []
    augmentation = Augmentation(
        noises=noises,
        rooms=simulate_rooms(args.rooms, AUDIO.sample_rate),
        sample_rate=AUDIO.sample_rate,
        noise_probability=0.6 if noises else 0.0,
        codec_probability=0.1,
    )
    train, held_out = split_speakers(usable)
    speech = CountedSpeech(store, durations, train, AUDIO, augmentation, args.recordings)
    config = TrainerConfig(max_steps=args.steps, learning_rate=3e-3, warmup_steps=30, ema_decay=0.99)
    step = PaceStep()
    Trainer(step, speech, args.out, config).fit()
    if not held_out:
        print("too few speakers to tell how far to trust the reader: what it assumes stays")
        return
    load_part(step, args.out)
    rate = AUDIO.sample_rate / AUDIO.hop_length
    set_doubt(step.reader.eval(), hear_speakers(step.reader, store, durations, held_out, rate), rate)
    print(f"typical {step.reader.typical.tolist()}, doubt {step.reader.doubt.tolist()}")
    save_checkpoint(args.out, Checkpoint(args.steps + 1, 0.0, 0, 0, step.state_dict(), {}, {}))


if __name__ == "__main__":
    run_script(main)
