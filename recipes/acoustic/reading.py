"""Teach a trained model where speakers pause, and measure how it reads by itself; both go into its folder."""

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from voxclone import hub
from voxclone.cli.ending import run_script
from voxclone.models.acoustic import AcousticModel
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.calibration import typical_habits
from voxclone.training.checkpoint import Checkpoint, load_part, save_checkpoint, start_from
from voxclone.training.embeddings import embed_store
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.manner import measure_manners
from voxclone.training.pace import split_speakers
from voxclone.training.pauses import PausedSpeech, PauseStep, set_bar
from voxclone.training.settings import read_settings
from voxclone.training.speech_data import trusted_speech
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer, begin_training
from voxclone.training.voiced_speech import VoicedSpeech

STEPS = 700
DONE = STEPS + 1  # of the checkpoint that has the bar as well
TRAINER = TrainerConfig(max_steps=STEPS, learning_rate=2e-3, warmup_steps=50, ema_decay=0.99)
HEARD = 1500  # recordings that say what is typical


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder; it is changed")
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store")
    parser.add_argument("--durations", type=Path, required=True, help="from align.py")
    parser.add_argument("--out", type=Path, required=True, help="run folder of the pauses; one that is done is taken")
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"), help="as for train.py")
    parser.add_argument("--without", nargs="*", default=[], help="speakers that are left out")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    begin_training(args.threads)
    config = hub.read_config(args.model)
    weights = args.model / "speaker_encoder.safetensors"
    encoder = hub.build(lambda: SpeakerEncoder(config.speaker_encoder), weights).eval()
    sizes = dataclasses.replace(config.acoustic, pauses=True)
    model = AcousticModel(sizes).eval()
    fresh = start_from(model, hub.read_tensors(args.model / "acoustic.safetensors")[0])
    if model.rate_reader is None or any(name.split(".")[0] != "pauses" for name in fresh):
        parser.error(f"{args.model} is not told of pace, or its acoustic model lacks {', '.join(fresh)}")

    store, durations = FeatureStore.filled(args.features), FeatureStore.filled(args.durations)
    trusted = trusted_speech(store, durations, read_settings(args.config)["data"], "train")
    usable = [entry for entry in trusted if entry.about["speaker"] not in args.without]
    frame_rate = config.audio.sample_rate / config.audio.hop_length

    def voiced(entries: list[Entry]) -> VoicedSpeech:
        assert model.rate_reader is not None
        embeddings = embed_store(encoder, store, config.audio.sample_rate, {entry.key for entry in entries})
        manners = measure_manners(store, entries, frame_rate, model.rate_reader)
        return VoicedSpeech(store, durations, entries, embeddings, manners)

    assert model.pauses is not None
    if not any(args.out.glob(f"checkpoint-{DONE:08d}-*.pt")):
        taught, apart = split_speakers(usable)
        step = PauseStep(model)
        if not Trainer(step, PausedSpeech(model, voiced(taught)), args.out, TRAINER).fit():
            return  # it was stopped; the same command goes on
        load_part(step, args.out)
        if apart:
            print(f"pauses: {set_bar(step.pauses.eval(), PausedSpeech(model, voiced(apart)).in_order())}")
        else:
            print("pauses: too few speakers to hold some apart, so that the bar is even odds, not as many as are real")
        save_checkpoint(args.out, Checkpoint(DONE, 0.0, 0, 0, step.state_dict(), {}, {}))
    load_part(model.pauses, args.out, "pauses.")
    chosen = np.random.default_rng(0).permutation(len(usable))[:HEARD].tolist()
    model.typical_habits.copy_(typical_habits(model, voiced([usable[place] for place in chosen])))
    print(f"typical habits {[round(each, 3) for each in model.typical_habits.tolist()]}")
    hub.save_part(args.model, "acoustic", model, dataclasses.replace(config, acoustic=sizes))


if __name__ == "__main__":
    run_script(main)
