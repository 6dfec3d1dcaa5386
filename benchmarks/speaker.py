"""How well a speaker encoder tells speakers that it never heard apart, over the fixed trials of benchmarks/trials.

Encoders come from model folders (--model), from training runs with their configs (--run, --config), or both; they are
scored side by side on the very same waveforms. Only the encoder is asked: what it hears is trimmed, cut and levelled
here, so that a trial has the length that it says. A model with a cohort is scored by what `VoxClone.match_speakers`
decides by, and by the cosine as well. Intervals are of 95 %, from drawing the speakers anew.

    python benchmarks/speaker.py --model pretrained/en-small --run runs/speaker_encoder --config recipes/speaker_encoder/config.json
"""  # noqa: E501

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from environment import RESULTS, write_result
from speaker_scores import Condition, Trial, Vector, draw, judged, scored, show
from speaker_trials import SAMPLE_RATE, SNRS, WHOLE_SECONDS, Pair, Renderer, Side, read_pairs
from voxclone import hub
from voxclone.audio.resample import resample
from voxclone.config import SpeakerEncoderConfig
from voxclone.models.cohort import Cohort
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.checkpoint import export_part
from voxclone.training.metrics import ErrorCurve, error_curve
from voxclone.training.settings import read_settings

LENGTHS = (1, 2, 3, 5, 10)  # seconds
NOISES = 8
BATCH = 16
BY_COSINE = ", by cosine"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", default=[], help="model folder; may be given several times")
    parser.add_argument("--run", action="append", default=[], type=Path, help="training run; likewise")
    parser.add_argument("--config", action="append", default=[], type=Path, help="each run's, in their order; or one")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of manifest.tsv and its clips")
    parser.add_argument("--conditions", nargs="*", help="only those whose name holds one of these words")
    parser.add_argument("--name", default="speaker", help="of the result files; - writes none")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-speed", action="store_true", help="leave out speed and memory")
    parser.add_argument("--speed-of", metavar="FOLDER_OR_RUN", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.speed_of:
        print(json.dumps(speed(load_encoder(*map(Path, args.speed_of)))))
        return
    configs = args.config * len(args.run) if len(args.config) == 1 else args.config
    if len(configs) != len(args.run):
        parser.error("every --run needs its --config, the file that it was trained with")
    sources = [[model] for model in args.model] + [[str(r), str(c)] for r, c in zip(args.run, configs, strict=True)]
    if not sources:
        parser.error("name an encoder: --model FOLDER, or --run FOLDER --config FILE")
    torch.set_num_threads(args.threads)
    encoders = {source[0]: load_encoder(*map(Path, source)) for source in sources}
    renderer = Renderer(args.data)
    chosen = {
        name: condition
        for name, condition in conditions(renderer).items()
        if not args.conditions or any(word in name for word in args.conditions)
    }
    embeddings = embed_all(encoders, renderer, chosen)
    about = {segment: (row["speaker"], row["gender"]) for segment, row in renderer.segments.items()}
    result: dict[str, Any] = {
        "speakers": len({speaker for speaker, _ in about.values()}),
        "segments": len(about),
        "encoders": {},
    }
    curves: dict[str, dict[str, ErrorCurve]] = {}
    speakers = {segment: speaker for segment, (speaker, _) in about.items()}
    for source in sources:
        name, cohort = source[0], load_cohort(Path(source[0]))
        told: dict[str, Any] = {"parameters": sum(p.numel() for p in encoders[name].parameters())}
        if not args.no_speed:
            told["speed"] = in_a_process_of_its_own(source)
        for label, norm in {name: cohort, **({} if cohort is None else {f"{name}{BY_COSINE}": None})}.items():
            curves[label], result["encoders"][label] = {}, {**told, "conditions": {}}
            for condition, trials in chosen.items():
                scores = [scored(part, embeddings[name], norm) for part in trials]
                result["encoders"][label]["conditions"][condition] = judged(trials, scores, speakers)
                curves[label][condition] = error_curve(scores[0], scores[1])
    show(result)
    if args.name != "-":
        print(write_result(args.name, result))
        draw(curves, RESULTS / f"{args.name}.png")


def load_encoder(source: Path, config: Path | None = None) -> SpeakerEncoder:
    """Of a model folder, or of a training run by the config that it was trained with."""
    if config is None:
        sizes = hub.read_config(source).speaker_encoder
        return hub.build(lambda: SpeakerEncoder(sizes), source / "speaker_encoder.safetensors").eval()
    settings = read_settings(config)
    encoder = SpeakerEncoder(SpeakerEncoderConfig.from_dict(settings["model"]))
    encoder.load_state_dict(export_part(source, "encoder."))
    return encoder.eval()


def load_cohort(source: Path) -> Cohort | None:
    """Of a model folder that has one."""
    if not (source / "config.json").exists() or (told := (config := hub.read_config(source)).verification) is None:
        return None
    return hub.build(lambda: Cohort(told, config.speaker_encoder.embedding_dim), source / "cohort.safetensors")


def conditions(renderer: Renderer) -> dict[str, Condition]:
    """All conditions by name; lengths, noise and channels are of the same pairs."""
    lists, about = read_pairs(), renderer.segments

    def split(pairs: Sequence[Pair], left: Any, right: Any) -> Condition:
        condition = Condition([], [])
        for pair in pairs:
            mine, theirs = about[pair.left[0]], about[pair.right[0]]
            trial = Trial(left(pair.left, pair.channels[0]), right(pair.right, pair.channels[1]))
            condition[mine["speaker"] != theirs["speaker"]].append(trial)
        return condition

    def cut(seconds: float) -> Any:
        return lambda segments, channel: Side(segments, seconds)

    def noisy(snr: int) -> Any:
        return lambda segments, channel: Side(
            segments, channel=f"snr{snr}-{(int(segments[0]) + int(about[segments[0]]['speaker'][-1], 16)) % NOISES}"
        )

    def sent(segments: tuple[str, ...], channel: int) -> Side:
        return Side(segments, channel=str(channel))

    def alike(pair: Pair) -> bool:
        return about[pair.left[0]]["gender"] == about[pair.right[0]]["gender"] != ""

    def one_corpus(pair: Pair) -> bool:
        return about[pair.left[0]]["corpus"] == about[pair.right[0]]["corpus"]

    def one_speaker(pair: Pair) -> bool:
        return about[pair.left[0]]["speaker"] == about[pair.right[0]]["speaker"]

    plain, every = cut(WHOLE_SECONDS), lists["all"]
    genuine = [pair for pair in every if one_speaker(pair)]
    found = {
        "clean 5 s": split(every, plain, plain),
        "clean 5 s, same gender": split([pair for pair in every if alike(pair)], plain, plain),
        "clean 5 s, same corpus": split([pair for pair in every if one_corpus(pair)], plain, plain),
        "across channels": split(every, sent, sent),
        "across channels, same gender": split([pair for pair in every if alike(pair)], sent, sent),
        "one speaker across channels, two in one channel": split([*genuine, *lists["one channel"]], sent, sent),
    }
    found |= {f"reference {n} s": split(every, cut(n), plain) for n in LENGTHS}
    found |= {f"both sides {n} s": split(every, cut(n), cut(n)) for n in LENGTHS}
    found |= {f"both sides at {n} dB SNR": split(every, noisy(n), noisy(n)) for n in SNRS}
    found |= {f"reference at {n} dB SNR": split(every, noisy(n), plain) for n in SNRS}
    return found | {"enrolled": split(lists["enrolled"], plain, plain)}


@torch.inference_mode()
def embed_all(
    encoders: dict[str, SpeakerEncoder], renderer: Renderer, chosen: dict[str, Condition]
) -> dict[str, dict[Side, Vector]]:
    """What each encoder makes of each side of a single segment."""
    trials = [trial for condition in chosen.values() for part in condition for trial in part]
    sides = {Side((one,), *side[1:]) for trial in trials for side in trial for one in side.segments}
    wanted = sorted(sides, key=lambda side: (side.segments, side.seconds, side.channel))
    by_length: dict[float, list[Side]] = {}
    for side in wanted:
        by_length.setdefault(side.seconds, []).append(side)
    found: dict[str, dict[Side, Vector]] = {name: {} for name in encoders}
    for seconds, same_length in by_length.items():
        for start in range(0, len(same_length), BATCH):
            batch = same_length[start : start + BATCH]
            heard = np.zeros((len(batch), round(seconds * SAMPLE_RATE)), np.float32)
            for row, side in zip(heard, batch, strict=True):
                waveform = renderer(side.segments[0], seconds, side.channel)
                row[: len(waveform)] = waveform
            for name, encoder in encoders.items():
                rate = encoder.sample_rate
                own = heard if rate == SAMPLE_RATE else np.stack([resample(x, SAMPLE_RATE, rate) for x in heard])
                found[name] |= zip(batch, encoder.embed(torch.from_numpy(own)).double().numpy(), strict=True)
    return found


def in_a_process_of_its_own(source: Sequence[str]) -> dict[str, float]:
    """`speed` where nothing was measured before, so that the memory is the encoder's."""
    command = [sys.executable, __file__, "--speed-of", *source]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


@torch.inference_mode()
def speed(encoder: SpeakerEncoder) -> dict[str, float]:
    """Milliseconds for a clip of 10 s on two threads (20 times), and memory beyond the loaded encoder."""
    torch.set_num_threads(2)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: that of the imports is past
    before = memory("VmRSS")
    clip = torch.from_numpy(np.random.default_rng(0).normal(0, 0.05, (1, 10 * encoder.sample_rate)).astype(np.float32))
    times, work = [], []
    for _ in range(23):
        start = time.perf_counter()
        encoder.embed(clip)
        times.append(1000 * (time.perf_counter() - start))
    beyond = memory("VmHWM") - before
    torch.set_num_threads(1)
    for _ in range(10):
        worked = time.process_time()
        encoder.embed(clip)
        work.append(1000 * (time.process_time() - worked))
    return {
        "milliseconds": round(float(np.median(times[3:])), 1),
        "least_milliseconds": round(min(times[3:]), 1),
        "first_milliseconds": round(times[0], 1),
        "processor_milliseconds_on_one_thread": round(float(np.median(work)), 1),  # what a busy machine tells, too
        "megabytes_beyond_the_model": round(beyond, 1),
    }


def memory(field: str) -> float:
    """MB of this process, by Linux: VmRSS is what it holds now, VmHWM the most that it held."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
