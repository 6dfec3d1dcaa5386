"""Train the harmonic HiFi-GAN on a feature store made by recipes/prepare: spectral losses, then discriminators."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from voxclone import hub
from voxclone.cli.ending import run_script
from voxclone.config import AudioConfig, VocoderConfig, WatermarkConfig
from voxclone.models.vocoder import build_vocoder
from voxclone.training.adversarial import AdversarialStep, DiscriminatorStep
from voxclone.training.checkpoint import export_part, load_part
from voxclone.training.features import FeatureStore
from voxclone.training.marked import MarkedStep, MarkKeepingStep, collaborative_mark, kept_mark
from voxclone.training.remarking import RemarkStep
from voxclone.training.settings import Section, read_settings
from voxclone.training.speech_data import corpus_weights
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer, begin_training
from voxclone.training.vocoder import SpectralStep, VocoderSegments

VALIDATION_FRAMES = 172
VALIDATION_ITEMS = 24
DETECTOR = "mark.detector."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"))
    parser.add_argument("--start-from", type=Path, help="run folder that networks come from")
    parser.add_argument("--detector-run", type=Path, help="run folder that the detector comes from instead")
    parser.add_argument(
        "--unmarked", type=Path, nargs="*", default=[], help="model folders whose speech is not to be taken for marked"
    )
    parser.add_argument(
        "--acoustic-mels", type=Path, help="store of acoustic_mels.py; half of the speech is made of it"
    )
    parser.add_argument("--minutes", type=float, help="instead of the config's max_minutes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--workers", type=int, default=0, help="for a GPU: processes that read speech, and threads of the channel"
    )
    args = parser.parse_args()

    torch.backends.cudnn.benchmark = True  # all segments have one length
    settings = read_settings(args.config).of(
        "model", "data", "adversarial", "discriminators_alone", "mark", "keep_mark", "remark", "trainer"
    )
    begin_training(args.threads, settings["trainer"].get("seed", 0))
    data, audio = settings["data"].of("batch_size", "frames", "corpus_weights"), AudioConfig()
    store = FeatureStore.filled(args.features)
    weights = corpus_weights(store.entries, data["corpus_weights"])
    train = [e for e in store.entries if e.about["split"] == "train" and e.key in weights]
    segments = VocoderSegments(
        store, train, [weights[e.key] for e in train], data["batch_size"], data["frames"], audio.hop_length,
        acoustic_mels=FeatureStore.filled(args.acoustic_mels) if args.acoustic_mels else None,
    )  # fmt: skip
    valid = [e for e in store.entries if e.about["split"] == "valid" and e.rows["f0"][1] >= VALIDATION_FRAMES]
    held_out = None
    if valid:
        count, rng = min(len(valid), VALIDATION_ITEMS), np.random.default_rng(0)
        fixed = VocoderSegments(store, valid, [1.0] * len(valid), count, VALIDATION_FRAMES, audio.hop_length)
        held_out = fixed.batch([valid[i] for i in rng.choice(len(valid), count, replace=False)], rng)
    model = VocoderConfig.from_dict(settings["model"])
    step: SpectralStep
    if settings.get("keep_mark"):
        step = MarkKeepingStep(model, audio, held_out, kept_mark(audio), **arguments(settings, MarkKeepingStep))
    elif settings.get("discriminators_alone"):
        step = DiscriminatorStep(model, audio, held_out, **settings["adversarial"].arguments(AdversarialStep))
    elif "remark" in settings:
        if not args.start_from:
            parser.error("a pilot is moved in a vocoder that is trained: name its run with --start-from")
        step = RemarkStep(model, audio, held_out, WatermarkConfig(), **settings["remark"].arguments(RemarkStep))
        load_part(step.former, args.start_from, "vocoder.")
    elif "mark" in settings:
        start_from = args.start_from
        unmarked = [folder_vocoder(folder) for folder in args.unmarked]
        if start_from and not export_part(start_from, DETECTOR):  # the generator before its mark
            unmarked.append(build_vocoder(model, weight_norm=True))
            load_part(unmarked[-1], start_from, "vocoder.")
        step = MarkedStep(
            model, audio, held_out, collaborative_mark(audio, unmarked, threads=max(1, args.workers)),
            **arguments(settings, MarkedStep),
        )  # fmt: skip
    elif "adversarial" in settings:
        step = AdversarialStep(model, audio, held_out, **settings["adversarial"].arguments(AdversarialStep))
    else:
        step = SpectralStep(model, audio, held_out)
    if args.start_from:
        load_part(step.vocoder, args.start_from, "vocoder.")
        judges = export_part(args.start_from, "judges.")
        if isinstance(step, AdversarialStep):
            if shapes(judges) == shapes(step.judges.state_dict()):
                step.judges.load_state_dict(judges)
            else:
                print(f"the discriminators begin anew: {args.start_from} has none of these widths")
    detector_run = args.detector_run or args.start_from
    detector = export_part(detector_run, DETECTOR) if detector_run else {}
    if isinstance(step, MarkKeepingStep) and not detector:
        parser.error("a mark is kept for a detector that knows it: name its run with --detector-run or --start-from")
    if detector and isinstance(step, MarkedStep):
        step.mark.detector.load_state_dict(detector)
    trainer = settings["trainer"] | ({"max_minutes": args.minutes} if args.minutes else {})
    loader = DataLoader(segments, batch_size=None, num_workers=args.workers) if args.workers else segments
    Trainer(step, loader, args.out, TrainerConfig.from_dict(trainer)).fit()


def arguments(settings: Section, step: type[AdversarialStep]) -> dict[str, Any]:
    """What the config asks of a step with a mark."""
    return settings["mark"].arguments(step) | settings["adversarial"].arguments(step)


def shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


def folder_vocoder(folder: Path) -> nn.Module:
    """A model folder's vocoder."""
    vocoder = build_vocoder(hub.read_config(folder).vocoder)
    hub.load_weights(vocoder, folder / "vocoder.safetensors")
    return vocoder


if __name__ == "__main__":
    run_script(main)
