"""Train the speaker encoder on a feature store made by recipes/prepare."""

import argparse
import dataclasses
from pathlib import Path

import torch

from voxclone import hub
from voxclone.cli.ending import run_script
from voxclone.config import SpeakerEncoderConfig
from voxclone.errors import ConfigError
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.synthesis.reference import encoder_id
from voxclone.training.augmentation import Augmentation, simulate_rooms
from voxclone.training.backgrounds import babble, coloured_noise, recorded
from voxclone.training.checkpoint import export_weights, load_part
from voxclone.training.distillation import DistilledSpeakerStep, speaker_prototypes, speaker_targets
from voxclone.training.embeddings import kept_embeddings
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.settings import Section, read_settings
from voxclone.training.speaker import SpeakerCrops, SpeakerStep, VerificationTrials
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer, begin_training

DATA = (
    "batch_size", "crop_seconds", "trial_seconds", "rooms", "speed_probability", "babbles", "coloured_noises",
    "augmentation",
    "whole_seconds", "teacher_seconds", "speaker_share",  # for --teacher
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="the `speaker` store")
    parser.add_argument("--noise", type=Path, help="folder of noise recordings")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"))
    parser.add_argument("--start-from", type=Path, help="model or run folder whose encoder is trained further")
    parser.add_argument("--teacher", type=Path, help="model or run folder whose embeddings are kept (robust.json)")
    parser.add_argument("--minutes", type=float, help="instead of the config's max_minutes")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    settings = read_settings(args.config).of("model", "data", "loss", "verification", "trainer")
    begin_training(args.threads, settings["trainer"].get("seed", 0))
    model = SpeakerEncoderConfig.from_dict(settings["model"])
    data = settings["data"].of(*DATA)
    store = FeatureStore.filled(args.features)
    train = [entry for entry in store.entries if entry.about["split"] == "train"]
    valid = [entry for entry in store.entries if entry.about["split"] == "valid"]

    backgrounds = recorded(args.noise, model.sample_rate) if args.noise else []
    backgrounds += babble(store, train, data.get("babbles", 0), model.sample_rate)
    backgrounds += coloured_noise(data.get("coloured_noises", 0), model.sample_rate)
    rooms = simulate_rooms(data["rooms"], model.sample_rate)
    augmentation = Augmentation(backgrounds, rooms, model.sample_rate, **data["augmentation"].arguments(Augmentation))
    crops = SpeakerCrops(
        store, train, augmentation, data["batch_size"], data["crop_seconds"], model.sample_rate,
        data["speed_probability"],
    )  # fmt: skip
    trials = VerificationTrials(store, valid, data["trial_seconds"], model.sample_rate)
    step = (
        distilled(args, model, settings, crops, trials, valid)
        if args.teacher
        else SpeakerStep(model, crops.n_classes, trials, **settings["loss"].arguments(SpeakerStep))
    )
    if args.start_from:
        begin(step, crops, args.start_from)
    trainer = settings["trainer"] | ({"max_minutes": args.minutes} if args.minutes else {})
    Trainer(step, crops, args.out, TrainerConfig.from_dict(trainer)).fit()


def distilled(
    args: argparse.Namespace,
    model: SpeakerEncoderConfig,
    settings: Section,
    crops: SpeakerCrops,
    trials: VerificationTrials,
    valid: list[Entry],
) -> DistilledSpeakerStep:
    """The step that keeps the teacher's embedding space; the crops get their targets, once for the run."""
    data, store = settings["data"], crops.store
    if data["speed_probability"]:
        raise ConfigError("--teacher says nothing of crops at other speeds: set speed_probability to 0 in the config")
    teacher = read_teacher(args.teacher, model)
    if model.space not in (None, encoder_id(teacher)):
        raise ConfigError(f"the config's space is {model.space}, and the teacher's encoder_id is {encoder_id(teacher)}")
    entries = [entry for recordings in crops.recordings for entry in recordings]
    keys = {entry.key for entry in entries}
    embeddings = kept_embeddings(
        args.out / "teacher.npz", teacher, store, model.sample_rate, keys, data["teacher_seconds"]
    )
    crops.targets = speaker_targets(entries, embeddings, data["speaker_share"])
    distorted = VerificationTrials(store, valid, data["trial_seconds"], model.sample_rate, crops.augmentation)
    loss = settings["loss"].arguments(DistilledSpeakerStep)
    whole = VerificationTrials(store, valid, data["whole_seconds"], model.sample_rate)
    step = DistilledSpeakerStep(model, crops.n_classes, trials, teacher, distorted, whole, **loss)
    with torch.no_grad():
        step.prototypes.copy_(speaker_prototypes(entries, embeddings, crops.speakers, step.sub_centres))
    return step


@torch.no_grad()
def begin(step: SpeakerStep, crops: SpeakerCrops, folder: Path) -> None:
    """Go on from an encoder, with its run's prototypes where these are of as many classes, else with others."""
    load_encoder(step.encoder, folder)
    is_model = (folder / "speaker_encoder.safetensors").exists()
    known = None if is_model else export_weights(folder)["prototypes"]
    if known is not None and known.shape == step.prototypes.shape:
        step.prototypes.copy_(known)
    elif not isinstance(step, DistilledSpeakerStep):
        prototypes = crops.prototypes(step.encoder.eval())
        step.prototypes.copy_(prototypes.repeat_interleave(step.sub_centres, 0))


def read_teacher(folder: Path, student: SpeakerEncoderConfig) -> SpeakerEncoder:
    """A model folder's encoder, or that of a run, which has the student's sizes and a space of its own."""
    is_model = (folder / "config.json").exists()
    config = hub.read_config(folder).speaker_encoder if is_model else dataclasses.replace(student, space=None)
    teacher = SpeakerEncoder(config).eval()
    load_encoder(teacher, folder)
    return teacher


def load_encoder(encoder: SpeakerEncoder, folder: Path) -> None:
    """Weights of a model folder's encoder, or of a training run's."""
    weights = folder / "speaker_encoder.safetensors"
    if weights.exists():
        hub.load_weights(encoder, weights)
    else:
        load_part(encoder, folder, "encoder.")


if __name__ == "__main__":
    run_script(main)
