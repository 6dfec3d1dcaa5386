"""Train the acoustic model on a feature store, the aligner's durations and a trained speaker encoder."""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from voxclone import hub
from voxclone.config import AcousticConfig, AudioConfig, SpeakerEncoderConfig
from voxclone.models.acoustic.pace import RateReader
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.text.symbols import SYMBOLS
from voxclone.training.acoustic import AcousticStep
from voxclone.training.acoustic_adversarial import AdversarialAcousticStep
from voxclone.training.calibration import ask_for_clean_speech, measure_calibration
from voxclone.training.checkpoint import Checkpoint, export_part, save_checkpoint, start_from
from voxclone.training.consistency import SpeakerConsistency, VoiceBank
from voxclone.training.embeddings import kept_embeddings
from voxclone.training.features import FeatureStore
from voxclone.training.manner import measure_manners
from voxclone.training.recognition import ContentConsistency, PhonemeRecognizer
from voxclone.training.settings import read_settings
from voxclone.training.speech_data import LengthBuckets, corpus_weights, held_out_batches, trusted_speech
from voxclone.training.trainer import Trainer, TrainerConfig
from voxclone.training.voiced_speech import VoicedSpeech, voiced_batch

AUDIO = AudioConfig()
SPEAKER_CONFIG = Path(__file__).resolve().parent.parent / "speaker_encoder/config.json"


def main() -> None:
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
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    settings = read_settings(args.config)
    data = settings["data"]
    if (args.voices or args.judges_from or args.recognizer) and "adversarial" not in settings:
        parser.error("--voices, --recognizer and --judges-from are for an adversarial stage: name its --config")
    if args.voices and not settings["adversarial"].get("consistency_weight"):
        parser.error("--voices ask for nothing where the config's consistency_weight is 0")
    if args.recognizer and not (args.voices and settings["adversarial"].get("content_weight")):
        parser.error("--recognizer hears what is said in --voices, where the config's content_weight is above 0")
    if args.speaker_model:
        speaker = hub.read_config(args.speaker_model).speaker_encoder
        encoder = SpeakerEncoder(speaker)
        hub.load_weights(encoder, args.speaker_model / "speaker_encoder.safetensors")
    else:
        speaker = SpeakerEncoderConfig.from_dict(read_settings(args.speaker_config)["model"])
        encoder = SpeakerEncoder(speaker)
        encoder.load_state_dict(export_part(args.speaker_run, "encoder."))
    store, durations = FeatureStore(args.features), FeatureStore(args.durations)
    spoken = {entry.key for entry in store.entries if "phoneme_ids" in entry.rows}
    heard = (FeatureStore(args.speaker_features), encoder.sample_rate) if args.speaker_features else (store, 22050)
    embeddings = kept_embeddings(args.out / "embeddings.npz", encoder.eval(), *heard, spoken)

    weights, usable = corpus_weights(store.entries, data["corpus_weights"]), trusted_speech(store, durations, data)
    started = _acoustic_weights(args.start_from) if args.start_from else {}
    manners = None
    if settings["model"].get("manner"):
        told = export_part(args.pace_run, "reader.") if args.pace_run else _part(started, "rate_reader.")
        if not told:
            parser.error("this model is told how fast a speaker speaks: name a --pace-run of pace.py")
        reader = RateReader()
        reader.load_state_dict(told)
        manners = measure_manners(store, usable, AUDIO.sample_rate / AUDIO.hop_length, reader)
    train, valid = (
        VoicedSpeech(store, durations, [e for e in usable if e.about["split"] == split], embeddings, manners)
        for split in ("train", "valid")
    )
    lengths = [e.rows["mel"][1] for e in train.entries]
    sampler = LengthBuckets(lengths, data["batch_frames"], [weights[e.key] for e in train.entries])
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=voiced_batch)
    held_out = held_out_batches(valid, data["validation_items"], voiced_batch)
    sizes = {"n_symbols": len(SYMBOLS), "speaker_embedding_dim": speaker.embedding_dim} | settings["model"]
    config = AcousticConfig.from_dict(sizes)
    if "adversarial" in settings:
        sharpening = AdversarialAcousticStep(config, held_out, **settings["adversarial"])
        if args.voices:
            sharpening.consistency = SpeakerConsistency(encoder, AUDIO, read_voices(args.voices))
        if args.recognizer:
            recognizer = PhonemeRecognizer()
            recognizer.load_state_dict(export_part(args.recognizer, "recognizer."))
            sharpening.content = ContentConsistency(recognizer)
        if args.judges_from:
            sharpening.judges.load_state_dict(export_part(args.judges_from, "judges."))
        step: AcousticStep = sharpening
    else:
        step = AcousticStep(config, held_out, settings.get("frozen", ()))
    if args.start_from:
        fresh = start_from(step.model, {n: t for n, t in started.items() if n.split(".")[0] not in args.reset})
        print(
            f"starts from {args.start_from}, but for {', '.join(sorted({n.split('.')[0] for n in fresh})) or 'nothing'}"
        )
    if step.model.rate_reader is not None:
        step.model.rate_reader.load_state_dict(reader.state_dict())
    if args.voices and settings["adversarial"].get("course_weight"):
        step.hold_course()
    if args.calibrate_only:
        ask_for_clean_speech(step.model, train)
        for name, values in measure_calibration(step.eval().model, held_out, train).items():
            print(f"{name} {[round(value, 3) for value in values.tolist()]}")
        save_checkpoint(args.out, Checkpoint(0, 0.0, 0, 0, step.state_dict(), {}, {}))
        return
    if "adversarial" not in settings:
        step.model.mean_spectrum.copy_(train.mean_spectrum())
        ask_for_clean_speech(step.model, train)
    trainer = settings["trainer"] | ({"max_minutes": args.minutes} if args.minutes else {})
    Trainer(step, loader, args.out, TrainerConfig.from_dict(trainer)).fit()


def read_voices(file: Path) -> VoiceBank:
    """What voices.py wrote."""
    with np.load(file) as found:
        return VoiceBank(**{name: torch.from_numpy(found[name]) for name in found.files})


def _acoustic_weights(source: Path) -> dict[str, Tensor]:
    """Of a model or run folder."""
    file = source / "acoustic.safetensors"
    return hub.read_tensors(file)[0] if file.exists() else export_part(source, "model.")


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


if __name__ == "__main__":
    main()
