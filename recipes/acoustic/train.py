"""Train the acoustic model on a feature store, the aligner's durations and a trained speaker encoder."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from voxclone import hub
from voxclone.cli.ending import run_script
from voxclone.config import AcousticConfig, AudioConfig, SpeakerEncoderConfig
from voxclone.models.acoustic.pace import RateReader
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.text.symbols import SYMBOLS
from voxclone.training.acoustic import AcousticStep
from voxclone.training.acoustic_adversarial import AdversarialAcousticStep
from voxclone.training.calibration import ask_for_clean_speech, measure_calibration
from voxclone.training.checkpoint import Checkpoint, export_part, load_part, part_of, save_checkpoint, start_from
from voxclone.training.consistency import SpeakerConsistency, VoiceBank
from voxclone.training.embeddings import kept_embeddings
from voxclone.training.features import FeatureStore
from voxclone.training.manner import measure_manners
from voxclone.training.recognition import ContentConsistency, PhonemeRecognizer
from voxclone.training.settings import Section, read_settings
from voxclone.training.speech_data import SPEECH_DATA, LengthBuckets, corpus_weights, held_out_batches, trusted_speech
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer, begin_training
from voxclone.training.voiced_speech import VoicedSpeech, voiced_batch

AUDIO = AudioConfig()
SPEAKER_CONFIG = Path(__file__).resolve().parent.parent / "speaker_encoder/config.json"


def main() -> None:
    parser = _parser()
    args = parser.parse_args()
    settings = read_settings(args.config).of("model", "data", "adversarial", "frozen", "trainer")
    begin_training(args.threads, settings["trainer"].get("seed", 0))
    if fault := _fault(args, settings):
        parser.error(fault)
    started = _acoustic_weights(args.start_from) if args.start_from else {}
    reader = _rate_reader(args.pace_run, started) if settings["model"].get("manner") else None
    if reader is None and settings["model"].get("manner"):
        parser.error("this model is told how fast a speaker speaks: name a --pace-run of pace.py")
    speaker, encoder = _speaker_encoder(args)
    speech = _read_speech(args, settings["data"].of(*SPEECH_DATA), encoder, reader)
    sizes = {"n_symbols": len(SYMBOLS), "speaker_embedding_dim": speaker.embedding_dim} | settings["model"]
    config = AcousticConfig.from_dict(sizes)
    if "adversarial" in settings:
        step = _sharpening(args, settings["adversarial"], config, encoder, speech.held_out)
    else:
        step = AcousticStep(config, speech.held_out, settings.get("frozen", ()))
    if args.start_from:
        fresh = start_from(step.model, {n: t for n, t in started.items() if n.split(".")[0] not in args.reset})
        print(
            f"starts from {args.start_from}, but for {', '.join(sorted({n.split('.')[0] for n in fresh})) or 'nothing'}"
        )
    if reader is not None and step.model.rate_reader is not None:
        step.model.rate_reader.load_state_dict(reader.state_dict())
    if isinstance(step, AdversarialAcousticStep) and args.voices and settings["adversarial"].get("course_weight"):
        step.hold_course()  # of the weights that it starts from
    if args.calibrate_only:
        _calibrate(step, speech, args.out)
        return
    if "adversarial" not in settings:
        step.model.mean_spectrum.copy_(speech.train.mean_spectrum())
        ask_for_clean_speech(step.model, speech.train)
    trainer = settings["trainer"] | ({"max_minutes": args.minutes} if args.minutes else {})
    Trainer(step, speech.batches, args.out, TrainerConfig.from_dict(trainer)).fit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store")
    parser.add_argument("--durations", type=Path, required=True, help="from align.py")
    parser.add_argument("--speaker-features", type=Path, help="the `speaker` store; --features if left out")
    encoders = parser.add_mutually_exclusive_group(required=True)
    encoders.add_argument("--speaker-run", type=Path, help="run folder of recipes/speaker_encoder")
    encoders.add_argument("--speaker-model", type=Path, help="model folder whose speaker encoder is kept")
    parser.add_argument(
        "--start-from", type=Path, help="model or run folder whose acoustic weights training starts from"
    )
    parser.add_argument("--pace-run", type=Path, help="run folder of pace.py; --start-from's reader if left out")
    parser.add_argument("--judges-from", type=Path, help="adversarial run whose discriminators go on")
    parser.add_argument(
        "--voices", type=Path, help="of voices.py: texts are spoken in these as well, and must sound like them"
    )
    parser.add_argument("--recognizer", type=Path, help="run folder of recognizer.py: must hear the texts")
    parser.add_argument("--reset", nargs="*", default=[], help="parts of the model that start anew all the same")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"))
    parser.add_argument(
        "--speaker-config", type=Path, default=SPEAKER_CONFIG, help="what --speaker-run was trained with"
    )
    parser.add_argument(
        "--calibrate-only",
        action="store_true",
        help="measure --start-from's prosody and what is clean, and write a run",
    )
    parser.add_argument("--minutes", type=float, help="instead of the config's max_minutes")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def _fault(args: argparse.Namespace, settings: dict[str, Any]) -> str | None:
    """What is asked of an adversarial stage that the config has no such stage, or no weight, for."""
    adversarial = settings.get("adversarial")
    if adversarial is None:
        if args.voices or args.judges_from or args.recognizer:
            return "--voices, --recognizer and --judges-from are for an adversarial stage: name its --config"
        return None
    if args.voices and not adversarial.get("consistency_weight"):
        return "--voices ask for nothing where the config's consistency_weight is 0"
    if args.recognizer and not (args.voices and adversarial.get("content_weight")):
        return "--recognizer hears what is said in --voices, where the config's content_weight is above 0"
    return None


def _acoustic_weights(source: Path) -> dict[str, Tensor]:
    """Of a model or run folder."""
    file = source / "acoustic.safetensors"
    return hub.read_tensors(file)[0] if file.exists() else export_part(source, "model.")


def _rate_reader(run: Path | None, started: Mapping[str, Tensor]) -> RateReader | None:
    """Of a run of pace.py, or else of the weights that training starts from; None where neither has one."""
    told = export_part(run, "reader.") if run else part_of(started, "rate_reader.")
    if not told:
        return None
    reader = RateReader()
    reader.load_state_dict(told)
    return reader


def _speaker_encoder(args: argparse.Namespace) -> tuple[SpeakerEncoderConfig, SpeakerEncoder]:
    if args.speaker_model:
        config = hub.read_config(args.speaker_model).speaker_encoder
        encoder = hub.build(lambda: SpeakerEncoder(config), args.speaker_model / "speaker_encoder.safetensors")
    else:
        config = SpeakerEncoderConfig.from_dict(read_settings(args.speaker_config)["model"])
        encoder = SpeakerEncoder(config)
        load_part(encoder, args.speaker_run, "encoder.")
    return config, encoder.eval()


@dataclass(frozen=True)
class Speech:
    """To train on: all of it, in batches, and what is held out, in batches to validate on."""

    train: VoicedSpeech
    batches: DataLoader[dict[str, Tensor]]
    held_out: list[dict[str, Tensor]]


def _read_speech(
    args: argparse.Namespace, data: dict[str, Any], encoder: SpeakerEncoder, reader: RateReader | None
) -> Speech:
    store, durations = FeatureStore.filled(args.features), FeatureStore.filled(args.durations)
    spoken = {entry.key for entry in store.entries if "phoneme_ids" in entry.rows}
    if args.speaker_features:
        heard, sample_rate = FeatureStore.filled(args.speaker_features), encoder.sample_rate
    else:
        heard, sample_rate = store, AUDIO.sample_rate
    embeddings = kept_embeddings(args.out / "embeddings.npz", encoder, heard, sample_rate, spoken)
    weights, usable = corpus_weights(store.entries, data["corpus_weights"]), trusted_speech(store, durations, data)
    manners = (
        measure_manners(store, usable, AUDIO.sample_rate / AUDIO.hop_length, reader) if reader is not None else None
    )
    train, valid = (
        VoicedSpeech(store, durations, [e for e in usable if e.about["split"] == split], embeddings, manners)
        for split in ("train", "valid")
    )
    lengths = [e.rows["mel"][1] for e in train.entries]
    sampler = LengthBuckets(lengths, data["batch_frames"], [weights[e.key] for e in train.entries])
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=voiced_batch)
    return Speech(train, loader, held_out_batches(valid, data["validation_items"], voiced_batch))


def _sharpening(
    args: argparse.Namespace,
    adversarial: Section,
    config: AcousticConfig,
    encoder: SpeakerEncoder,
    held_out: list[dict[str, Tensor]],
) -> AdversarialAcousticStep:
    """The adversarial stage, with what is asked of speech in other voices, and judges that another run has trained."""
    step = AdversarialAcousticStep(config, held_out, **adversarial.arguments(AdversarialAcousticStep))
    if args.voices:
        step.consistency = SpeakerConsistency(encoder, AUDIO, _read_voices(args.voices))
    if args.recognizer:
        recognizer = PhonemeRecognizer()
        load_part(recognizer, args.recognizer, "recognizer.")
        step.content = ContentConsistency(recognizer)
    if args.judges_from:
        load_part(step.judges, args.judges_from, "judges.")
    return step


def _read_voices(file: Path) -> VoiceBank:
    """What voices.py wrote."""
    with np.load(file) as found:
        return VoiceBank(**{name: torch.from_numpy(found[name]) for name in found.files})


def _calibrate(step: AcousticStep, speech: Speech, out: Path) -> None:
    """Measure the model's prosody and what is clean, print it, and write the model as a run."""
    ask_for_clean_speech(step.model, speech.train)
    for name, values in measure_calibration(step.eval().model, speech.held_out, speech.train).items():
        print(f"{name} {[round(value, 3) for value in values.tolist()]}")
    save_checkpoint(out, Checkpoint(0, 0.0, 0, 0, step.state_dict(), {}, {}))


if __name__ == "__main__":
    run_script(main)
