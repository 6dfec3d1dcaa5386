"""Vocoder designs at equal training compute: each trains for the same processor seconds, on the same batches.

The designs take short turns, so that what else the machine does hits them alike; after every turn the
averaged weights copy held-out recordings. Generators start from nothing; discriminators start beside one trained
generator. The same command goes on after a kill, and does nothing where all is done. Networks and lengths are in
vocoder_designs.json.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchmetrics.functional.audio import perceptual_evaluation_speech_quality

from environment import RESULTS, write_result
from judges import Judges
from vocoder_designs_networks import ISTFTNet, MultiBandDiscriminator, MultiScaleDiscriminator, Vocos
from vocoder_designs_page import draw_page
from voxclone.audio.io import write_audio
from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.resample import resample
from voxclone.config import AudioConfig, VocoderConfig
from voxclone.evaluation.judges.naturalness import open_naturalness
from voxclone.layers.resblock import fold_weight_norm
from voxclone.models.vocoder import HIFIGAN_V2, build_vocoder
from voxclone.models.vocoder.cost import multiply_adds
from voxclone.training.adversarial import AdversarialStep
from voxclone.training.checkpoint import export_part
from voxclone.training.discriminators import MultiPeriodDiscriminator, MultiResolutionDiscriminator
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.settings import read_settings
from voxclone.training.spectral_losses import multi_resolution_stft_loss
from voxclone.training.speech_data import corpus_weights
from voxclone.training.step import TrainerConfig
from voxclone.training.trainer import Trainer
from voxclone.training.vocoder import BANDWIDTH_SHARE, SpectralStep, VocoderSegments

STAGES = ("generators", "discriminators")
SETTINGS = Path(__file__).with_name("vocoder_designs.json")
EVALUATED = 12  # recordings
FRAMES = (150, 350)  # of a recording that is copied
JUDGES: dict[str, Callable[..., nn.Module]] = {
    "period": MultiPeriodDiscriminator,
    "scale": MultiScaleDiscriminator,
    "resolution": MultiResolutionDiscriminator,
    "band": MultiBandDiscriminator,
}
AUDIO = AudioConfig()
Waveform = NDArray[np.float32]


def build_generator(design: dict[str, Any]) -> nn.Module:
    """In training form, with fresh weights that are the same every time."""
    torch.manual_seed(0)
    if design["network"] == "vocos":
        return Vocos(**design["sizes"])
    config = VocoderConfig.from_dict(design["sizes"])
    return ISTFTNet(config, True) if design["network"] == "istft" else build_vocoder(config, weight_norm=True)


def build_step(settings: dict[str, Any], stage: str, name: str, start: dict[str, torch.Tensor]) -> SpectralStep:
    """What a design is trained by."""
    own = settings[stage]
    design = own["designs"][name]
    if stage == "generators":
        step = SpectralStep(HIFIGAN_V2, AUDIO, None)  # whose own vocoder makes room for the design's
        step.vocoder = build_generator(design)
        return step
    if design["judges"]:
        adversarial = AdversarialStep(HIFIGAN_V2, AUDIO, None, discriminator_rate=own["discriminator_rate"])
        torch.manual_seed(0)
        adversarial.judges = nn.ModuleList(JUDGES[kind](**sizes) for kind, sizes in design["judges"])
        step = adversarial
    else:
        step = SpectralStep(HIFIGAN_V2, AUDIO, None)
    step.vocoder = build_generator(settings["generators"]["designs"][own["generator"]])
    step.vocoder.load_state_dict(start)
    return step


class HeldOut:
    """Whole recordings of held-out speakers, and how near a generator's copies come."""

    def __init__(self, store: FeatureStore) -> None:
        self.mel_spectrogram = MelSpectrogram(AUDIO)
        fitting = [e for e in store.entries if e.about["split"] == "valid" and FRAMES[0] <= e.rows["f0"][1] < FRAMES[1]]
        chosen = np.random.default_rng(0).choice(len(fitting), EVALUATED, replace=False)
        entries = [fitting[i] for i in chosen]
        self.recordings: list[tuple[Entry, Waveform]] = [(e, _read_waveform(store, e)) for e in entries]
        self.f0 = [store.read(entry, "f0") for entry in entries]

    def copies(self, vocoder: nn.Module, f0_given: bool) -> list[Waveform]:
        """Waveforms from natural mels, and from the recordings' f0 where it is given and the vocoder takes it."""
        made = []
        with torch.inference_mode():
            for (_, natural), f0 in zip(self.recordings, self.f0, strict=True):
                mel = self.mel_spectrogram(torch.from_numpy(natural)[None])
                given = torch.from_numpy(f0)[None] if f0_given else None
                made.append(vocoder(mel, given)[0].float().numpy())
        return made

    def measure(self, copies: list[Waveform]) -> dict[str, float]:
        """Means over the recordings."""
        rows = [self._compare(*pair) for pair in zip(self.recordings, copies, strict=True)]
        return {name: round(mean(row[name] for row in rows), 4) for name in rows[0]}

    def _compare(self, recording: tuple[Entry, Waveform], made: Waveform) -> dict[str, float]:
        entry, natural = recording
        a, b = (torch.from_numpy(x)[None] for x in (natural, made))
        bandwidth = torch.tensor([min(AUDIO.sample_rate / 2, BANDWIDTH_SHARE * float(entry.about["sample_rate"]))])
        preds, target = (torch.from_numpy(resample(x, AUDIO.sample_rate, 16000)) for x in (made, natural))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pesq = float(perceptual_evaluation_speech_quality(preds, target, 16000, "wb"))
        return {
            "multi_resolution_stft": float(multi_resolution_stft_loss(b, a, bandwidth, AUDIO.sample_rate)),
            "mel_l1": float((self.mel_spectrogram(a) - self.mel_spectrogram(b)).abs().mean()),
            "pesq_wb": pesq,
        }


def _read_waveform(store: FeatureStore, entry: Entry) -> Waveform:
    return np.asarray(store.read(entry, "waveform") / 32768, np.float32)


def train_turn(settings: dict[str, Any], stage: str, name: str, run: Path, store: FeatureStore, turn: int,
               start: dict[str, torch.Tensor]) -> int:  # fmt: skip
    """Train a design to the end of its turn; the updates done."""
    own, data = settings[stage], settings["data"]
    weights = corpus_weights(store.entries, data["corpus_weights"])
    train = [e for e in store.entries if e.about["split"] == "train" and e.key in weights]
    segments = VocoderSegments(
        store, train, [weights[e.key] for e in train], own["batch_size"], data["frames"], AUDIO.hop_length
    )
    config = TrainerConfig.from_dict(
        own["trainer"] | {"max_minutes": (turn + 1) * own["turn_seconds"] / 60, "validate_every": 10**6}
    )
    trainer = Trainer(build_step(settings, stage, name, start), segments, run, config, clock=time.process_time)
    trainer.fit()
    if config.progress(trainer.step, trainer.minutes) < 1:
        sys.exit("told to stop; the same command goes on from here")
    return trainer.step


def trained(settings: dict[str, Any], stage: str, name: str, run: Path) -> nn.Module:
    """A design's generator as it is now, in inference form."""
    own = settings["generators"]["designs"][name if stage == "generators" else settings[stage]["generator"]]
    generator = build_generator(own).eval()
    generator.load_state_dict(export_part(run, "vocoder."))
    fold_weight_norm(generator)
    return generator


def compare(settings: dict[str, Any], stage: str, work: Path, store: FeatureStore, start: dict[str, torch.Tensor],
            turns: int | None) -> None:  # fmt: skip
    """Train a stage's designs in turns, and write what each turn gave into its folder."""
    held_out = HeldOut(store)
    for turn in range(turns or settings[stage]["turns"]):
        for name in settings[stage]["designs"]:
            run = folder_of(work, stage, name)
            points = read_points(run)
            if turn < len(points):
                continue
            updates = train_turn(settings, stage, name, run, store, turn, start)
            generator = trained(settings, stage, name, run)
            measured = held_out.measure(held_out.copies(generator, f0_given=False))
            seconds = (turn + 1) * settings[stage]["turn_seconds"]
            point: dict[str, Any] = {"seconds": seconds, "updates": updates, **measured}
            if hasattr(generator, "pitch"):
                point["f0_given"] = held_out.measure(held_out.copies(generator, f0_given=True))
            (run / "points.partial").write_text(json.dumps([*points, point]))
            (run / "points.partial").replace(run / "points.json")
            print(stage, name, point, flush=True)


def folder_of(work: Path, stage: str, name: str) -> Path:
    return work / stage / re.sub(r"\W+", "-", name.lower()).strip("-")


def read_points(run: Path) -> list[dict[str, Any]]:
    """What the turns so far gave."""
    file = run / "points.json"
    points: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    return points


def summarise(
    settings: dict[str, Any], stage: str, work: Path, held_out: HeldOut, judges: Judges | None
) -> dict[str, Any]:
    """Each design's size, cost, curve, and what the judges say of its last copies."""
    summary = {}
    for name, design in settings[stage]["designs"].items():
        run = folder_of(work, stage, name)
        generator = trained(settings, stage, name, run)
        about: dict[str, Any] = {"curve": read_points(run)}
        if stage == "generators":
            cost = generator.multiply_adds(AUDIO.sample_rate) if isinstance(generator, Vocos) else cost_of(design)
            about |= {
                "parameters": sum(p.numel() for p in generator.parameters()),
                "multiply_adds_per_second": round(cost),
                "real_time_factor": round(real_time_factor(generator), 4),
            }
        elif judges:  # what has learnt for minutes from nothing is not yet for listeners of speech
            copies = held_out.copies(generator, f0_given=True)
            about |= listen(judges, copies, work / "wav" / run.name)
        summary[name] = about
    return summary


def cost_of(design: dict[str, Any]) -> float:
    """Multiply-adds of a design of the library's sizes; an inverse-STFT head without a source has no source layer."""
    config = VocoderConfig.from_dict(design["sizes"])
    if design["network"] != "istft":
        return multiply_adds(config)
    with_source = VocoderConfig.from_dict(design["sizes"] | {"head": "source_istft"})
    frames = config.sample_rate / config.head_hop_length
    channels = config.upsample_initial_channel >> len(config.upsample_rates)
    return multiply_adds(with_source) - frames * channels * 2 * config.head_n_fft


def real_time_factor(generator: nn.Module, seconds: float = 5.0, repeats: int = 5) -> float:
    """Processor seconds for each second of speech on one thread, the least of several."""
    frames = math.ceil(seconds * AUDIO.sample_rate / AUDIO.hop_length)
    mel, f0 = torch.full((1, AUDIO.n_mels, frames), -4.0), torch.full((1, frames), 150.0)
    times = []
    with torch.inference_mode():
        for _ in range(repeats):
            before = time.process_time()
            generator(mel, f0)
            times.append(time.process_time() - before)
    return float(min(times) * AUDIO.sample_rate / (frames * AUDIO.hop_length))


def listen(judges: Judges, waveforms: list[Waveform], folder: Path) -> dict[str, float]:
    """The mean of what predictors of naturalness say."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:02d}.wav" for number in range(len(waveforms))]
    for path, samples in zip(paths, waveforms, strict=True):
        write_audio(path, samples, AUDIO.sample_rate)
    opinions = {"ldnet_mos": judges.naturalness(paths), "nisqa_mos": open_naturalness("nisqa").score(paths)}
    return {name: round(mean(scores), 3) for name, scores in opinions.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--features", type=Path, required=True, help="the `speech` store, see recipes/prepare/README.md"
    )
    parser.add_argument("--work", type=Path, required=True, help="where the runs go")
    parser.add_argument("--start-from", type=Path, required=True, help="run of recipes/vocoder for the discriminators")
    parser.add_argument("--judges", type=Path, help="folder with score_ldnet.py")
    parser.add_argument("--turns", type=int, help="instead of the settings' number, of each stage")
    parser.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES)
    args = parser.parse_args()

    torch.set_num_threads(1)
    settings = read_settings(SETTINGS)
    store = FeatureStore(args.features)
    start = export_part(args.start_from, "vocoder.")
    result: dict[str, Any] = {}
    held_out = HeldOut(store)
    judges = Judges(args.judges, args.work) if args.judges else None
    if judges and "discriminators" in args.stages:
        natural = [samples for _, samples in held_out.recordings]
        result["natural"] = listen(judges, natural, args.work / "wav" / "natural")
    for stage in args.stages:
        compare(settings, stage, args.work, store, start, args.turns)
        result[stage] = summarise(settings, stage, args.work, held_out, judges)
    draw_page(result, RESULTS / "vocoder-designs.png")
    print(write_result("vocoder-designs", result))


if __name__ == "__main__":
    main()
