"""Train a model's detector further, its vocoder as it is, and write it into the model folder."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from voxclone import VoxClone, hub
from voxclone.cli.ending import run_script
from voxclone.config import AudioConfig, VocoderConfig, WatermarkConfig
from voxclone.errors import VoxcloneError
from voxclone.kernels.precision import inference_precision
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.cost import multiply_adds
from voxclone.models.watermark import WatermarkDetector
from voxclone.training.augmentation import simulate_rooms
from voxclone.training.channel import WEIGHTS, Channel
from voxclone.training.checkpoint import load_part
from voxclone.training.detector import (
    DetectorSegments,
    DetectorStep,
    Drawn,
    NaturalSpeech,
    Segments,
    as_segments,
    as_waveform,
)
from voxclone.training.features import FeatureStore
from voxclone.training.imitation import CopySynthesis, GriffinLim, OtherRhythm
from voxclone.training.settings import read_settings
from voxclone.training.step import TrainerConfig
from voxclone.training.thresholds import for_training
from voxclone.training.trainer import Trainer, begin_training
from voxclone.training.watermark import CollaborativeMark

HOP = AudioConfig().hop_length
SEARCHED_SPEED = 0.13  # as far as calibrate.py has speeds tried
SOUNDS_SHARE = 2  # how much oftener than another kind of unmarked audio sounds without speech are drawn
LONGEST_SOUND = 60  # segments of one recording
EFFECTS = WEIGHTS | {"noise": 7.0, "speed": 5.0, "tempo": 2.0}  # white noise and a search leave least of the mark


def folder_vocoder(folder: Path) -> nn.Module:
    """A model folder's vocoder, as inference runs it."""
    config = hub.read_config(folder).vocoder
    vocoder = build_vocoder(config)
    hub.load_weights(vocoder, folder / "vocoder.safetensors")
    vocoder.precision = inference_precision(torch.device("cpu"), multiply_adds(config))
    return vocoder.eval()


def run_vocoder(run: Path, config: Path) -> nn.Module:
    """A training run's vocoder."""
    model = VocoderConfig.from_dict(read_settings(config)["model"])
    vocoder = build_vocoder(model, weight_norm=True)
    load_part(vocoder, run, "vocoder.")
    return vocoder.eval()


def remade(imitate: Callable[[Tensor], Tensor], natural: Segments) -> Segments:
    """Natural segments through an imitation, some of them a little blurred as an acoustic model's mels are."""
    with torch.inference_mode():
        made = [imitate(as_waveform(natural[i : i + 8])) for i in range(0, len(natural), 8)]
    return np.concatenate([as_segments(waveform, natural.shape[1]) for waveform in made])


def spoken(folder: Path, texts: list[str], length: int) -> Segments:
    """Texts read by a model's example voices in turn, cut to segments."""
    model = VoxClone.from_pretrained(folder, device="cpu", unmarked_for_research=True)
    voices = list(model.voices.values())
    pieces = []
    for index, text in enumerate(texts):
        speech = model.generate(text, voices[index % len(voices)], seed=index, pitch=float(index % 5 - 2))
        pieces.append(as_segments(torch.from_numpy(speech.samples)[None], length))
    return np.concatenate(pieces)


def cut_sounds(store: FeatureStore, length: int) -> Segments:
    """All of the sounds that are for training, cut to segments."""
    pieces = []
    for entry in store.entries:
        if for_training(entry):
            pcm = store.read(entry, "waveform")
            pieces.append(pcm[: len(pcm) // length * length].reshape(-1, length)[:LONGEST_SOUND])
    if not pieces:
        raise VoxcloneError(f"{store.folder} has no sounds: run recipes/watermark/prepare.py with --sounds")
    return np.concatenate(pieces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder whose vocoder is marked")
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store")
    parser.add_argument(
        "--natural", type=Path, help="folder of prepare.py's stores: more languages, and sound that is not speech"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--detector-run", type=Path, help="vocoder run to start from; else the model folder's detector")
    parser.add_argument("--unmarked", type=Path, nargs="*", default=[], help="model folders that are not marked")
    parser.add_argument("--twin-run", type=Path, help="vocoder run of before the mark")
    parser.add_argument("--twin-config", type=Path, default=Path(__file__).parents[1] / "vocoder/adversarial.json")
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.json"))
    parser.add_argument("--minutes", type=float, help="instead of the config's max_minutes")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    settings = read_settings(args.config).of("frames", "segments", "texts", "rooms", "batch_size", "trainer")
    begin_training(args.threads, settings["trainer"].get("seed", 0))
    audio, length, count = AudioConfig(), settings["frames"] * HOP, settings["segments"]
    store, rng = FeatureStore.filled(args.features), np.random.default_rng(0)
    train = [e for e in store.entries if e.about["split"] == "train" and e.rows["waveform"][1] >= length]
    texts = [e.about["text"] for e in train if 40 < len(e.about.get("text", "")) < 120 and e.about["language"] == "en"]
    texts = [texts[i] for i in rng.choice(len(texts), settings["texts"], replace=False)]
    drawn = [train[i] for i in rng.choice(len(train), count)]
    natural = np.stack([store.read(e, "waveform", (e.rows["waveform"][1] - length) // 2, length) for e in drawn])

    pools = args.out / "pools"
    pools.mkdir(parents=True, exist_ok=True)

    def pool(name: str, make: Callable[[], Segments]) -> Segments:
        """Made once, and kept for a run that goes on."""
        path = pools / f"{name}.npy"
        if not path.exists():
            np.save(path, make())
            print(f"{name}: {len(np.load(path))} segments", flush=True)
        return np.load(path)

    marked = np.concatenate(
        [
            pool("marked", lambda: remade(CopySynthesis(folder_vocoder(args.model), audio), natural)),
            pool("marked-spoken", lambda: spoken(args.model, texts, length)),
        ]
    )
    unmarked = [
        pool("griffin-lim", lambda: remade(GriffinLim(audio), natural[: count // 3])),
        pool("other-rhythm", lambda: remade(OtherRhythm(audio), natural[: count // 2])),
    ]
    for folder in args.unmarked:
        made, half = CopySynthesis(folder_vocoder(folder), audio), texts[: len(texts) // 2]
        unmarked.append(pool(f"unmarked-{folder.name}", lambda made=made: remade(made, natural[: count // 2])))
        said = partial(spoken, folder, half, length)
        unmarked.append(pool(f"unmarked-{folder.name}-spoken", said))
    if args.natural:
        sounds = pool("sounds", lambda: cut_sounds(FeatureStore.filled(args.natural / "sounds"), length))
        unmarked += [sounds] * SOUNDS_SHARE
    if args.twin_run:
        twin = CopySynthesis(run_vocoder(args.twin_run, args.twin_config), audio)
        unmarked.append(pool("twin", lambda: remade(twin, natural[: count // 2])))

    rooms = simulate_rooms(settings["rooms"], audio.sample_rate, seed=1)
    channel = Channel(audio.sample_rate, rooms, EFFECTS, searched_speed=SEARCHED_SPEED)
    mark = CollaborativeMark(WatermarkConfig(), channel, [Drawn(segments) for segments in unmarked])
    if args.detector_run:
        load_part(mark.detector, args.detector_run, "mark.detector.")
    elif hub.read_config(args.model).watermark is not None:
        hub.load_weights(mark.detector, args.model / "detector.safetensors")
    sources = [NaturalSpeech(store, train, audio.sample_rate)]
    if args.natural:
        wide = FeatureStore.filled(args.natural / "calibration")
        sources.append(NaturalSpeech(wide, [e for e in wide.entries if for_training(e)], WatermarkConfig().sample_rate))
    segments = DetectorSegments(sources, marked, audio.sample_rate, settings["batch_size"])
    trainer = settings["trainer"] | ({"max_minutes": args.minutes} if args.minutes else {})
    Trainer(DetectorStep(mark), segments, args.out, TrainerConfig.from_dict(trainer)).fit()
    detector = WatermarkDetector(WatermarkConfig())
    load_part(detector, args.out, "mark.detector.")
    hub.save_detector(args.model, detector, detector.config)
    print(f"{args.model} has the new detector; its thresholds are to be calibrated")


if __name__ == "__main__":
    run_script(main)
