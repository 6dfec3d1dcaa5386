"""Whether the controls do what they say, through the public API, by measuring the sound.

    python benchmarks/control.py [--model FOLDER] [--manifest TABLE] [--name control]

Every figure is over all sentences in all of the model's example voices. f0 is measured in the samples by
`voxclone.audio.pitch`; a change of pitch is the median, over frames voiced in both, of the ratio to the plain reading,
whose durations are the same. Levels are root mean squares. Times come from `Speech` and are exact by construction: its
samples are cut into frames of the hop, so that a duration that was asked for can be missed by half a hop at most.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import voxclone
from environment import write_result
from manifest import manifest_rows
from voxclone.audio.io import read_audio
from voxclone.audio.pitch import f0 as measure_f0
from voxclone.audio.resample import resample

SENTENCES = (
    "The birch canoe slid on the smooth planks.",
    "It is easy to tell the depth of a well, and these days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch, but the box was thrown beside the parked truck.",
)
HOP_SECONDS = 256 / 22050


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument("--manifest", type=Path, help="of recordings (path, speaker, split, text), for their transfer")
    parser.add_argument("--recordings", type=int, default=12, help="of held-out speakers, for transfer")
    parser.add_argument("--name", default="control", help="of the file in benchmarks/results")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=len(SENTENCES))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
    voices = list(model.voices.values())[:3]
    items = [(text, voice) for voice in voices for text in SENTENCES[: args.sentences]]
    plain = [model.generate(text, voice) for text, voice in items]
    numbers: dict[str, Any] = {"model": model.config.name, "items": len(items)}
    numbers["pitch_semitones"] = pitch(model, items, plain)
    numbers["pitch_range"] = pitch_range(model, items, plain)
    numbers["level_db"] = energy(model, items, plain)
    numbers["speed"] = speed(model, items, plain)
    numbers["duration"] = durations(model, items, plain)
    numbers["span"] = spans(model, items, plain)
    numbers["pause"] = pauses(model, voices)
    numbers["prosody_resynthesis"] = resynthesis(model, items, plain)
    numbers["transfer"] = transfer(model, voices)
    if args.manifest is not None:
        numbers["transfer_from_recordings"] = recorded_transfer(model, voices, args.manifest, args.recordings)
    print(json.dumps(numbers, indent=2))
    print(write_result(args.name, numbers))


def contour(speech: voxclone.Speech) -> NDArray[np.float32]:
    return measure_f0(speech.samples, speech.sample_rate, 256, f_min=40.0, f_max=1000.0)


def semitones(changed: voxclone.Speech, plain: voxclone.Speech) -> NDArray[np.float64]:
    """Frame by frame, where both are voiced."""
    a, b = contour(changed), contour(plain)
    both = (a > 0) & (b > 0)
    return np.asarray(12 * np.log2(a[both].astype(np.float64) / b[both]), np.float64)


def spread(values: list[float], digits: int = 3) -> dict[str, float]:
    return {
        "mean": round(statistics.fmean(values), digits),
        "lowest": round(min(values), digits),
        "highest": round(max(values), digits),
    }


def pitch(model: Any, items: Any, plain: Any) -> dict[str, Any]:
    """Semitones found for semitones asked for."""
    found = {}
    for asked in (-7.0, -2.0, 2.0, 7.0):
        shifts = [
            float(np.median(semitones(model.generate(text, voice, pitch=asked), speech)))
            for (text, voice), speech in zip(items, plain, strict=True)
        ]
        found[f"{asked:+g}"] = spread(shifts)
    return found


def pitch_range(model: Any, items: Any, plain: Any) -> dict[str, Any]:
    """The factor on the standard deviation of log f0, robustly: half the distance of its 16th and 84th percentiles."""

    def width(speech: voxclone.Speech) -> float:
        logs = np.log2(contour(speech)[contour(speech) > 0])
        return float(np.subtract(*np.percentile(logs, (84, 16))))

    found = {}
    for asked in (0.5, 1.5, 2.0):
        factors = [
            width(model.generate(text, voice, pitch_range=asked)) / width(speech)
            for (text, voice), speech in zip(items, plain, strict=True)
        ]
        found[f"{asked:g}"] = spread(factors)
    return found


def energy(model: Any, items: Any, plain: Any) -> dict[str, Any]:
    """Decibels found for the factor on the amplitude asked for."""
    found = {}
    for asked in (0.5, 2.0):
        levels = [
            20 * float(np.log10(model.generate(text, voice, energy=asked).samples.std() / speech.samples.std()))
            for (text, voice), speech in zip(items, plain, strict=True)
        ]
        found[f"{20 * np.log10(asked):+.2f}"] = spread(levels, 2)
    return found


def speed(model: Any, items: Any, plain: Any) -> dict[str, Any]:
    """The factor on the pace found for the one asked for; phonemes are rounded to whole frames, of one at least."""
    found = {}
    for asked in (0.5, 0.8, 1.25, 2.0):
        factors = [
            speech.duration_seconds / model.generate(text, voice, speed=asked).duration_seconds
            for (text, voice), speech in zip(items, plain, strict=True)
        ]
        found[f"{asked:g}"] = spread(factors)
    return found


def durations(model: Any, items: Any, plain: Any) -> dict[str, float]:
    """Largest miss of a whole text's duration, in hops, from 0.6 to 2 times its own."""
    misses = []
    for factor in (0.6, 0.9, 1.37, 2.0):
        for (text, voice), speech in zip(items, plain, strict=True):
            asked = factor * speech.duration_seconds
            made = model.generate(text, voice, duration_seconds=asked)
            misses.append(abs(len(made.samples) / made.sample_rate - asked) / HOP_SECONDS)
    return {"largest_miss_hops": round(max(misses), 3), "calls": len(misses)}


def spans(model: Any, items: Any, plain: Any) -> dict[str, Any]:
    """Three words in the middle: +4 semitones and twice their time; and how much the other words move."""
    inside, outside, misses = [], [], []
    for (text, voice), speech in zip(items, plain, strict=True):
        words = text.split()
        seconds = 2 * (speech.words[4].end_seconds - speech.words[2].start_seconds)
        middle = " ".join(words[2:5]).rstrip(",")
        comma = "," * words[4].endswith(",")
        marked = " ".join([*words[:2], f"[{middle}](pitch=+4){comma}", *words[5:]])
        ratio = semitones_by_frame(model.generate(marked, voice), speech)
        frames = np.arange(len(ratio)) * HOP_SECONDS
        within = (frames >= speech.words[2].start_seconds) & (frames < speech.words[4].end_seconds)
        edge = 3 * HOP_SECONDS
        beyond = (frames < speech.words[2].start_seconds - edge) | (frames >= speech.words[4].end_seconds + edge)
        inside.append(float(np.nanmedian(ratio[within])))
        outside.append(float(np.nanmedian(np.abs(ratio[beyond]))))
        timed = " ".join([*words[:2], f"[{middle}](duration={seconds:.3f}s){comma}", *words[5:]])
        made = model.generate(timed, voice)
        misses.append(abs(made.words[4].end_seconds - made.words[2].start_seconds - seconds) / HOP_SECONDS)
    return {
        "semitones_inside_asked_4": spread(inside),
        "semitones_outside": spread(outside),
        "largest_miss_of_duration_hops": round(max(misses), 3),
    }


def semitones_by_frame(changed: voxclone.Speech, plain: voxclone.Speech) -> NDArray[np.float64]:
    """Frame by frame, NaN where not both are voiced."""
    a, b = contour(changed).astype(np.float64), contour(plain).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((a > 0) & (b > 0), 12 * np.log2(a / b), np.nan)


def pauses(model: Any, voices: Any) -> dict[str, Any]:
    """Miss of pauses in hops, and how loud the loudest 50 ms in them is beside the speech."""
    misses, levels = [], []
    for voice in voices:
        for asked in (0.15, 0.4, 1.0, 4.0):
            speech = model.generate(f"Rice is often [pause {asked}s] served in round bowls.", voice)
            start, end = speech.words[2].end_seconds, speech.words[3].start_seconds
            misses.append(abs(end - start - asked) / HOP_SECONDS)
            silence = speech.samples[round((start + 0.06) * 22050) : round((end - 0.04) * 22050)]
            if len(silence) >= 1102:
                blocks = silence[: len(silence) // 1102 * 1102].reshape(-1, 1102)
                spoken = speech.samples[: round(start * 22050)].std()
                levels.append(20 * float(np.log10(np.sqrt((blocks**2).mean(1)).max() / spoken + 1e-9)))
    return {"largest_miss_hops": round(max(misses), 3), "loudest_50_ms_db": spread(levels, 1)}


def resynthesis(model: Any, items: Any, plain: Any) -> dict[str, Any]:
    """Whether unchanged prosody gives the same samples; and each voiced phoneme's f0 against what its prosody says."""
    same, errors = [], []
    for (text, voice), speech in zip(items, plain, strict=True):
        same.append(np.array_equal(model.generate(text, voice, prosody=speech.prosody).samples, speech.samples))
        prosody, measured = speech.prosody, contour(speech)
        ends = np.cumsum(prosody.durations)
        for start, end, f0, share in zip(ends - prosody.durations, ends, prosody.f0, prosody.voicing, strict=True):
            heard = measured[start:end][measured[start:end] > 0]
            if f0 > 0 and share > 0.8 and len(heard) >= 4:
                errors.append(abs(12 * float(np.log2(np.exp(np.mean(np.log(heard))) / f0))))
    return {
        "identical": f"{sum(same)} of {len(same)}",
        "phoneme_f0_error_semitones": {
            "median": round(statistics.median(errors), 3),
            "95th_percentile": round(float(np.percentile(errors, 95)), 3),
            "phonemes": len(errors),
        },
    }


def transfer(model: Any, voices: Any) -> dict[str, Any] | None:
    """Prosody measured in one voice's varied readings, spoken by another: words' times, and the melody's correlation.

    The recordings are the model's own speech, whose true times are known.
    """
    if model.config.aligner is None or len(voices) < 2:
        return None
    misses, correlations = [], []
    for seed, text in enumerate(SENTENCES):
        source = model.generate(text, voices[0], seed=seed, speed=0.9, pitch_range=1.3)
        prosody = model.measure_prosody((source.samples, source.sample_rate), text)
        made = model.generate(text, voices[1], prosody=prosody.in_register(voices[1].f0_median))
        misses += [abs(a.start_seconds - b.start_seconds) for a, b in zip(made.words, source.words, strict=True)]
        frames = min(len(contour(made)), len(contour(source)))
        a, b = contour(made)[:frames], contour(source)[:frames]
        both = (a > 0) & (b > 0)
        correlations.append(float(np.corrcoef(np.log(a[both]), np.log(b[both]))[0, 1]))
    return {
        "word_start_error_ms": {
            "median": round(1000 * statistics.median(misses), 1),
            "95th_percentile": round(1000 * float(np.percentile(misses, 95)), 1),
        },
        "log_f0_correlation": spread(correlations),
    }


def recorded_transfer(model: Any, voices: Any, manifest: Path, count: int) -> dict[str, Any]:
    """Prosody of people's recordings, spoken by the example voices: the melody's and the durations' correlation.

    f0 is measured in both sounds, and word times are found in both by the model's aligner: what is compared is heard.
    In noisy recordings the pitch tracker jumps by octaves; "near" leaves out frames over 0.7 octaves from the median.
    """
    by_speaker: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in manifest_rows(manifest, "valid"):
        if 3 < float(row["seconds"]) < 12:
            by_speaker[row["speaker"]].append(row)
    chosen = [own[turn] for turn in range(count) for own in by_speaker.values() if turn < len(own)][:count]
    melodies, near, durations, ratios, misses = [], [], [], [], []
    for row, voice in zip(chosen, cycle(voices), strict=False):
        path, text = manifest.parent / row["path"], row["text"].lower()
        made = model.generate(text, voice, prosody=model.measure_prosody(path, text).in_register(voice.f0_median))
        samples, rate = read_audio(path)
        a = measure_f0(resample(samples, rate, 22050), 22050, 256, f_min=40.0, f_max=1000.0)
        b = contour(made)
        frames = min(len(a), len(b))
        both = (a[:frames] > 0) & (b[:frames] > 0)
        one, other = np.log2(a[:frames][both]), np.log2(b[:frames][both])
        melodies.append(float(np.corrcoef(one, other)[0, 1]))
        close = (np.abs(one - np.median(one)) < 0.7) & (np.abs(other - np.median(other)) < 0.7)
        near.append(float(np.corrcoef(one[close], other[close])[0, 1]))
        heard = model.align((made.samples, made.sample_rate), text)
        said = model.align(path, text)
        lengths = [[word.end_seconds - word.start_seconds for word in each.words] for each in (said, heard)]
        durations.append(float(np.corrcoef(np.array(lengths))[0, 1]))
        ratios.append(sum(lengths[1]) / sum(lengths[0]))
        misses += [abs(x.start_seconds - y.start_seconds) for x, y in zip(said.words, heard.words, strict=True)]
    return {
        "recordings": len(chosen),
        "speakers": len({row["speaker"] for row in chosen}),
        "log_f0_correlation": spread(melodies),
        "log_f0_correlation_near": spread(near),
        "word_duration_correlation": spread(durations),
        "word_duration_ratio": spread(ratios),
        "word_start_difference_ms": {
            "median": round(1000 * statistics.median(misses), 1),
            "95th_percentile": round(1000 * float(np.percentile(misses, 95)), 1),
        },
    }


if __name__ == "__main__":
    main()
