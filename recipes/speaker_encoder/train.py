"""Train the speaker encoder on a feature store made by recipes/prepare."""

import argparse
import json
from pathlib import Path

import torch

from voxclone import hub
from voxclone.audio.io import read_audio
from voxclone.audio.resample import resample
from voxclone.config import SpeakerEncoderConfig
from voxclone.training.augmentation import Augmentation, simulate_rooms
from voxclone.training.checkpoint import export_part
from voxclone.training.extraction import audio_files
from voxclone.training.features import FeatureStore
from voxclone.training.speaker import SpeakerCrops, SpeakerStep, VerificationTrials
from voxclone.training.trainer import Trainer, TrainerConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="the `speaker` store")
    parser.add_argument("--noise", type=Path, help="folder of noise recordings")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"))
    parser.add_argument("--start-from", type=Path, help="model or run folder whose encoder is trained further")
    parser.add_argument("--minutes", type=float, help="instead of the config's max_minutes")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    settings = json.loads(args.config.read_text())
    model = SpeakerEncoderConfig.from_dict(settings["model"])
    data = settings["data"]
    store = FeatureStore(args.features)
    train = [entry for entry in store.entries if entry.about["split"] == "train"]
    valid = [entry for entry in store.entries if entry.about["split"] == "valid"]

    noises = [read_audio(path) for path in audio_files(args.noise)] if args.noise else []
    augmentation = Augmentation(
        noises=[torch.from_numpy(resample(noise, rate, model.sample_rate)) for noise, rate in noises],
        rooms=simulate_rooms(data["rooms"], model.sample_rate),
        sample_rate=model.sample_rate,
        codec_probability=data["codec_probability"],
    )
    crops = SpeakerCrops(
        store, train, augmentation, data["batch_size"], data["crop_seconds"], model.sample_rate,
        data["speed_probability"],
    )  # fmt: skip
    trials = VerificationTrials(store, valid, data["trial_seconds"], model.sample_rate)
    step = SpeakerStep(model, crops.n_classes, trials, **settings["loss"])
    if args.start_from:
        weights = args.start_from / "speaker_encoder.safetensors"
        if weights.exists():
            hub.load_weights(step.encoder, weights)
        else:
            step.encoder.load_state_dict(export_part(args.start_from, "encoder."))
        with torch.no_grad():
            prototypes = crops.prototypes(step.encoder.eval())
            step.prototypes.copy_(prototypes.repeat_interleave(step.sub_centres, 0))
    trainer = settings["trainer"] | ({"max_minutes": args.minutes} if args.minutes else {})
    Trainer(step, crops, args.out, TrainerConfig.from_dict(trainer)).fit()


if __name__ == "__main__":
    main()
