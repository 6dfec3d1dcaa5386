"""Designed voices beside voices of people: how natural, how clear, and whom an outside verifier takes them for.

    python benchmarks/designed.py --judges JUDGES --manifest TABLE --distractors TEXTS --work FOLDER

Every voice of the model reads the same sentences, by which no voice was chosen. Which is nobody's is told by its
consent record. Nearness is the cosine (NNID) of what a voice says to a recording of each training speaker, the highest
of them; beside it that of training speakers' recordings to the nearest other and to another of their own.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import voxclone
from environment import write_result
from judges import Judges, mean_with_interval
from manifest import manifest_rows

SENTENCES = (
    "The boy was there when the sun rose over the quiet harbour.",
    "A rod is used to catch pink salmon in the upper river.",
    "The source of the huge river is the clear spring below us.",
    "Kick the ball straight and follow through without looking back.",
    "Help the woman get back to her feet, and give her some water.",
    "A pot of tea helps to pass the evening when it rains outside.",
    "Smoky fires lack flame and heat, so open the window a little.",
    "The soft cushion broke the fall of the man from the ladder.",
    "The salt breeze came across from the sea and cooled the room.",
    "The girl at the booth sold fifty bonds before the office closed.",
)
REAL = 24  # training speakers whose nearness to others is told beside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument("--judges", type=Path, required=True, help="folder of judge scripts (benchmarks/judges.py)")
    parser.add_argument("--manifest", type=Path, required=True, help="table: path, speaker, seconds, language, split")
    parser.add_argument("--distractors", type=Path, required=True, help="texts for the recogniser's language model")
    parser.add_argument("--work", type=Path, required=True, help="where speech and lists are written")
    parser.add_argument("--sentences", type=int, default=len(SENTENCES), help="of each voice")
    parser.add_argument("--speakers", type=int, help="training speakers to compare with (default: all)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
    judges = Judges(args.judges, args.work)
    known = recordings(args.manifest)
    clips = {
        speaker: known[speaker] for speaker in np.random.default_rng(1).permutation(sorted(known))[: args.speakers]
    }
    sentences = SENTENCES[: args.sentences]
    said = {name: speak(model, voice, args.work / name, sentences) for name, voice in model.voices.items()}
    drawn = np.random.default_rng(0).permutation(sorted(clips))[:REAL].tolist()
    firsts = {speaker: own[0] for speaker, own in clips.items()}
    near = nearest(judges, {name: paths[:2] for name, paths in said.items()}, firsts)
    real = nearest(judges, {speaker: clips[speaker][1:3] for speaker in drawn}, firsts)
    others = [max(value for other, value in row.items() if other != speaker) for speaker, row in real.items()]
    others_said = args.distractors.read_text(encoding="utf-8").splitlines()
    numbers: dict[str, Any] = {"model": model.config.name, "sentences": len(sentences), "speakers": len(clips)}
    numbers["voices"] = {
        name: {
            "nobody": all(consent.speaker == "nobody" for consent in model.voices[name].consents),
            "ldnet_mos": mean_with_interval(judges.naturalness(paths)),
            "word_error_rate": word_errors(judges, paths, sentences, others_said),
            "nearest_training_speaker": max((value, speaker) for speaker, value in near[name].items()),
        }
        for name, paths in said.items()
    }
    numbers["training_speakers"] = {
        "to_themselves": mean_with_interval([row[speaker] for speaker, row in real.items()]),
        "to_the_nearest_other": mean_with_interval(others),
    }
    print(json.dumps(numbers, indent=2))
    print(write_result("designed", numbers))


def recordings(manifest: Path) -> dict[str, list[Path]]:
    """Three recordings of at least two seconds of each training speaker."""
    found: dict[str, list[Path]] = defaultdict(list)
    for row in manifest_rows(manifest, "train"):
        own = found[row["speaker"]]
        if float(row["seconds"]) > 2 and len(own) < 3:
            own.append(manifest.parent / row["path"])
    return {speaker: own for speaker, own in found.items() if len(own) == 3}


def speak(model: voxclone.VoxClone, voice: voxclone.Voice, folder: Path, sentences: Sequence[str]) -> list[Path]:
    """The files of what a voice says."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{folder.name}-{number}.wav" for number in range(len(sentences))]
    for path, text in zip(paths, sentences, strict=True):
        model.generate(text, voice).save(path)
    return paths


def word_errors(judges: Judges, paths: list[Path], sentences: Sequence[str], others_said: Sequence[str]) -> float:
    """Of PocketSphinx, whose language model is made of the sentences and of others."""
    texts = {path.stem: text for path, text in zip(paths, sentences, strict=True)}
    counted = judges.word_errors(texts, paths, others_said)
    return round(sum(rate * words for rate, words in counted) / sum(words for _, words in counted), 3)


def nearest(judges: Judges, tested: dict[str, list[Path]], speakers: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Of each one tested, the mean cosine of its files to every speaker's recording."""
    pairs = [(own, path) for paths in tested.values() for path in paths for own in speakers.values()]
    values = np.array(judges.similarities(pairs)).reshape(len(tested), -1, len(speakers)).mean(1)
    return {
        name: dict(zip(speakers, (round(float(value), 3) for value in row), strict=True))
        for name, row in zip(tested, values, strict=True)
    }


if __name__ == "__main__":
    main()
