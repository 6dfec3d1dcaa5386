"""Several references to one voice: who is found that does not belong, who is accused that does, and what that gains.

Real speech of held-out speakers, each clip embedded once for all trials as `VoxClone.clone` does it. An intruder is a
clip of another speaker among clips of one. Noise is ESC-10 or another --noise; --music is any folder of music.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import voxclone
from environment import write_result
from manifest import manifest_rows
from speaker_trials import NOISES
from voxclone.audio.io import AudioSource, audio_files, read_audio
from voxclone.audio.pitch import f0
from voxclone.audio.quality import RecordingQuality
from voxclone.audio.reference import prepare_reference
from voxclone.audio.resample import resample
from voxclone.audio.sounds import unlike_speech
from voxclone.evaluation.intervals import bootstrap
from voxclone.synthesis.agreement import APART, Agreement, find_strangers
from voxclone.synthesis.embedding import embed_waveforms

SIZES = (3, 5, 10)  # recordings of a voice, the intruder among them
TRIALS = 2000
RATIOS = (0.6, 0.75, 0.9)  # of the threshold: what APART is chosen from
SEED = 0
WINDOW_SECONDS = 10

Row = dict[str, str]


class Clip(NamedTuple):
    """A recording as cloning hears it; `unfit` says why it is refused, and nothing else is there then."""

    about: Row
    unfit: str = ""
    quality: RecordingQuality | None = None
    doubt: str = ""
    embedding: NDArray[np.float32] | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or Hub repository (default: the bundled model)")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of manifest.tsv and its clips")
    parser.add_argument("--noise", type=Path, default=Path("data/esc10"), help="folder of recordings without speech")
    parser.add_argument("--music", type=Path, help="folder of music")
    parser.add_argument("--others", type=int, default=120, help="clips of training speakers, to be accused of noise")
    parser.add_argument("--noisy", type=int, default=6, help="clips of each speaker that are heard with noise as well")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
    threshold = model.same_speaker_threshold
    if threshold is None:
        raise SystemExit("this model's speaker encoder has no same_speaker_threshold: measure it first")
    rows = manifest_rows(args.data / "manifest.tsv")
    draw = random.Random(SEED)
    valid = [row for row in rows if row["split"] == "valid"]
    others = draw.sample([row for row in rows if row["split"] == "train"], args.others)
    clips = heard(model, ((row, args.data / row["path"]) for row in valid))
    by_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.embedding is not None:
            by_speaker[clip.about["speaker"]].append(clip)
    chosen = [clip for own in by_speaker.values() for clip in draw.sample(own, min(args.noisy, len(own)))]
    noisy = heard(model, ((clip.about, with_noise(args.data, clip.about, draw)) for clip in chosen))
    sounds = {
        "held-out speech": clips,
        "training speech": heard(model, ((row, args.data / row["path"]) for row in others)),
        "speech at 5 dB SNR": noisy,
    }
    for name, folder in (("noise", args.noise), ("music", args.music)):
        if folder:
            if not (found := sorted(audio_files(folder))):
                parser.error(f"--{name} {folder} holds no recordings")
            files = draw.sample(found, min(60, len(found)))
            sounds[name] = heard(model, windows(files))
    result = {
        "model": model.config.name,
        "encoder_id": model.encoder_id,
        "same_speaker_threshold": threshold,
        "apart": APART,
        "sounds": {name: told_apart(found) for name, found in sounds.items()},
        "one_sound_among_four_clips": {
            name: among_speech(sounds[name], by_speaker, threshold) for name in ("noise", "music") if name in sounds
        },
        "intruders": intruders(by_speaker, threshold),
        "weights": weighting(by_speaker, noisy),
    }
    print(write_result("references", result))
    for key in ("sounds", "one_sound_among_four_clips", "intruders", "weights"):
        print(key, result[key])


def heard(model: voxclone.VoxClone, sources: Iterable[tuple[Row, AudioSource]]) -> list[Clip]:
    """The recordings as `VoxClone.clone` takes them."""
    clips: list[Clip] = []
    encoder = model._speaker_encoder

    def waveforms() -> Iterator[NDArray[np.float32]]:
        for about, source in sources:
            try:
                reference = prepare_reference(source, model.sample_rate)
            except voxclone.AudioError as error:
                clips.append(Clip(about, unfit=str(error)))
                continue
            pitch = f0(reference.waveform, model.sample_rate, model.config.audio.hop_length)
            if not (pitch > 0).any():
                clips.append(Clip(about, unfit="no voiced sound"))
                continue
            doubt = unlike_speech(reference.waveform, model.sample_rate, pitch)
            clips.append(Clip(about, quality=RecordingQuality.of(reference), doubt=doubt))
            yield resample(reference.waveform, model.sample_rate, encoder.sample_rate)

    embeddings = iter(list(embed_waveforms(encoder, waveforms())))
    return [clip if clip.unfit else clip._replace(embedding=next(embeddings)) for clip in clips]


def with_noise(data: Path, row: Row, draw: random.Random, snr_db: float = 5.0) -> AudioSource:
    samples, rate = read_audio(data / row["path"])
    noise, noise_rate = read_audio(data / draw.choice(NOISES))
    noise = np.resize(resample(noise, noise_rate, rate), len(samples))
    gain = np.sqrt(np.mean(samples**2) / np.mean(noise**2) / 10 ** (snr_db / 10))
    mixed = samples + gain * noise
    return mixed / max(1.0, float(np.abs(mixed).max())), rate


def windows(files: Sequence[Path]) -> Iterator[tuple[Row, AudioSource]]:
    """At most ten stretches of ten seconds of each file."""
    for path in files:
        samples, rate = read_audio(path)
        length = WINDOW_SECONDS * rate
        for start in range(0, max(1, len(samples) - length // 2), length)[:10]:
            yield {"path": path.name}, (samples[start : start + length], rate)


def told_apart(clips: Sequence[Clip]) -> dict[str, Any]:
    """What becomes of recordings by themselves."""
    return {
        "recordings": len(clips),
        "refused": share(bool(clip.unfit) for clip in clips),
        "doubted": share(bool(clip.doubt) for clip in clips),
    }


def among_speech(sounds: Sequence[Clip], by_speaker: dict[str, list[Clip]], threshold: float) -> dict[str, Any]:
    """One of them among four clips of a speaker: how often it is left out, whyever."""
    draw = random.Random(SEED)
    left_out = []
    for sound in sounds:
        if sound.unfit or sound.doubt:
            left_out.append(True)
            continue
        own = draw.sample(by_speaker[draw.choice(sorted(by_speaker))], 4)
        left_out.append(4 in found([*own, sound], threshold).strangers)
    return {"trials": len(left_out), "left_out": share(left_out)}


def found(clips: Sequence[Clip], threshold: float, apart: float = APART) -> Agreement:
    embeddings = np.array([clip.embedding for clip in clips])
    weights = np.array([clip.quality.weight for clip in clips if clip.quality])
    return find_strangers(embeddings, weights, threshold, apart)


def intruders(by_speaker: dict[str, list[Clip]], threshold: float) -> dict[str, Any]:
    """Intruders found and genuine clips accused, by the number of recordings and the ratio to the threshold."""
    genders: dict[str, str] = {}
    for name, clips in by_speaker.items():
        genders[name] = next((g for clip in clips if (g := clip.about["gender"][:1]) in ("m", "f")), "")
    told: dict[str, Any] = {}
    for ratio in RATIOS:
        for size in SIZES if ratio == APART else (5,):
            draw = random.Random(SEED)
            trials: dict[str, list[tuple[str, bool]]] = defaultdict(list)
            while len(trials["intruder found"]) < TRIALS:
                mine, theirs = draw.sample(sorted(by_speaker), 2)
                if len(by_speaker[mine]) < size:
                    continue
                own = draw.sample(by_speaker[mine], size)
                corpus, other = (by_speaker[name][0].about["corpus"] for name in (mine, theirs))
                mixed = found([*own[:-1], draw.choice(by_speaker[theirs])], threshold, ratio)
                pure = found(own, threshold, ratio)
                hit = size - 1 in mixed.strangers
                trials["intruder found"].append((mine, hit))
                if corpus == other:
                    trials["intruder of the same corpus found"].append((mine, hit))
                    if genders[mine] == genders[theirs] != "":
                        trials["intruder of the same corpus and gender found"].append((mine, hit))
                trials["a genuine clip accused beside an intruder"].append(
                    (mine, bool(set(mixed.strangers) - {size - 1}))
                )
                trials["a genuine clip accused"].append((mine, bool(pure.strangers)))
                trials["one speaker taken for several"].append((mine, pure.divided))
            told[f"{size} recordings at {ratio} of the threshold"] = {
                name: interval([value for _, value in rows], [speaker for speaker, _ in rows])
                for name, rows in trials.items()
            }
    return told


def weighting(by_speaker: dict[str, list[Clip]], noisy: Sequence[Clip]) -> dict[str, Any]:
    """Cosine of a voice of three clean clips and two noisy ones to the speaker's other clips, by its weights."""
    draw = random.Random(SEED)
    bad: dict[str, list[Clip]] = defaultdict(list)
    for clip in noisy:
        if clip.embedding is not None:
            bad[clip.about["speaker"]].append(clip)
    rows: dict[str, list[float]] = defaultdict(list)
    speakers = []
    for _ in range(TRIALS // 4):
        name = draw.choice(sorted(bad))
        two = draw.sample(bad[name], 2)
        used = {clip.about["path"] for clip in two}
        clean = draw.sample([clip for clip in by_speaker[name] if clip.about["path"] not in used], 3)
        used |= {clip.about["path"] for clip in clean}
        rest = [clip for clip in by_speaker[name] if clip.about["path"] not in used]
        target = mean([clip.embedding for clip in rest], np.ones(len(rest)))
        five = [*clean, *two]
        embeddings = [clip.embedding for clip in five]
        seconds = np.array([clip.quality.speech_seconds for clip in five if clip.quality])
        weights = np.array([clip.quality.weight for clip in five if clip.quality])
        rows["by seconds of speech"].append(float(mean(embeddings, seconds) @ target))
        rows["by seconds and quality"].append(float(mean(embeddings, weights) @ target))
        rows["clean clips alone"].append(float(mean(embeddings[:3], seconds[:3]) @ target))
        speakers.append(name)
    rows["gain of quality"] = [
        b - a for a, b in zip(rows["by seconds of speech"], rows["by seconds and quality"], strict=True)
    ]
    return {name: interval(values, speakers) for name, values in rows.items()}


def mean(embeddings: Sequence[Any], weights: NDArray[Any]) -> NDArray[np.float64]:
    total = np.average(np.array(embeddings, np.float64), axis=0, weights=weights)
    return np.asarray(total / np.linalg.norm(total))


def interval(values: Sequence[float], speakers: Sequence[str]) -> dict[str, float]:
    """The mean, with the 95 % that drawing speakers anew gives."""
    told = bootstrap([float(value) for value in values], groups=speakers)
    ends = {} if told.span is None else dict(zip(("low", "high"), (round(end, 4) for end in told.span), strict=True))
    return {"value": round(told.value, 4), **ends}


def share(truths: Iterable[bool]) -> float:
    values = list(truths)
    return round(sum(values) / len(values), 4)


if __name__ == "__main__":
    main()
