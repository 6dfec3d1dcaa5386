"""What fine-tuning is worth: likeness, word errors and naturalness against zero-shot cloning, by minutes of speech.

    python benchmarks/finetune.py --manifest data/manifest.tsv --speakers ls_669 ls_7312 --amounts 10 60 300 \
        --sentences ../judges/harvard_dev.txt --judges ../judges --work runs/finetune

Speakers must not be in the model's training data, but for those named by `--trained-on`, whose runs say so. Of each
the last two recordings are kept aside, and a voice is judged by its likeness to them (an outside verifier's cosine,
mean over both). The rest is what there is to learn from, `--amounts` seconds of it; the amount 10 stands for the ten
shortest recordings, "ten sentences". "zero-shot" is the mean over clones of the first eight seconds of one recording
each, "clone" a clone of the very recordings that fine-tuning gets. What is spoken are pairs of sentences, since the
verifier needs some seconds; the natural likeness is that of stretches of the other recordings, as long as these.
Intervals are 95 % bootstrap over texts; changes are from zero-shot, text by text.

Voices are kept in `--work`, with what they cost, and numbers in the result file: a run that was killed goes on,
speakers and amounts may be measured one at a time, and another vocoder is judged without training again. Then the
curves are drawn.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

import voxclone
from environment import RESULTS, write_result
from finetune_page import draw_curves, table
from finetune_voices import Voices, cut_stretches
from judges import Judges, mean_with_interval
from voxclone.audio.io import read_audio

OTHER_TEXT = "The kettle is on the stove."
DISTRACTORS = 1000  # texts of others, for the recogniser's language model
NUMBERS = ("similarity", "word_errors", "ldnet")

Run = dict[str, Any]


class Bench:
    """Voices judged speaker by speaker; what was judged before stays.

    Args:
        args: The command's.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
        whole = next(iter(other_speech(self.model).values())).provenance.model_sha256
        self.ids = {"acoustic_id": self.model.acoustic_id, "model_sha256": whole}
        self.work: Path = args.work / self.ids["acoustic_id"][:8]
        self.work.mkdir(parents=True, exist_ok=True)
        self.voices = Voices(args, self.model, self.work)
        self.texts = paired(args.sentences.read_text(encoding="utf8").splitlines())
        self.judges = Judges(args.judges, self.work)
        path = RESULTS / f"{args.name}.json"
        runs: list[Run] = json.loads(path.read_text(encoding="utf8"))["runs"] if path.exists() else []
        self.runs = [run for run in runs if self.ids.items() <= run.items()]
        self.unharmed = True

    def speaker(self, speaker: str) -> None:
        """Make, speak and judge all of one speaker's voices that were not judged."""
        known = {(run["amount"], run["kind"]) for run in self.runs if run["speaker"] == speaker}
        spoken: list[tuple[Run, list[Path]]] = []
        for about, make in self.voices.of(speaker):
            if (about["amount"], about["kind"]) not in known:
                voices, cost = make()
                paths = self.speak("-".join(str(about[name]) for name in ("speaker", "amount", "kind")), voices)
                spoken.append((about | self.ids | cost, paths))
                print(*about.values(), cost.get("cpu_seconds", ""), flush=True)
        if spoken:
            self.judge(speaker, spoken)
            self.write()

    def speak(self, name: str, voices: list[voxclone.Voice]) -> list[Path]:
        """All texts in the first voice, then in the next."""
        paths = []
        for number, voice in enumerate(voices):
            folder = self.work / "spoken" / self.ids["model_sha256"][:8] / f"{name}-{number}"
            folder.mkdir(parents=True, exist_ok=True)
            for stem, text in self.texts.items():
                paths.append(folder / f"{stem}.wav")
                self.model.generate(text, voice).save(paths[-1])
        return paths

    def judge(self, speaker: str, spoken: list[tuple[Run, list[Path]]]) -> None:
        """Add what the judges say of each voice to the runs; each is asked once for all."""
        paths = [path for _, each in spoken for path in each]
        natural, rest = self.voices.aside(speaker)
        length = median(read_audio(path)[0].size for path in paths) / self.model.sample_rate
        stretches = cut_stretches(rest, length, self.work / "natural" / speaker)
        pairs = [(reference, path) for path in (*stretches, *paths) for reference in natural]
        scores = np.reshape(self.judges.similarities(pairs), (-1, len(natural))).mean(1)
        ceiling = mean(scores[: len(stretches)].tolist())
        others = self.voices.said_by_others(self.args.distractors, DISTRACTORS)
        words = self.judges.word_errors(self.texts, paths, others)
        found = {
            "similarity": scores[len(stretches) :],
            "word_errors": np.array([rate for rate, _ in words]),
            "ldnet": np.array(self.judges.naturalness(paths)),
        }
        at = 0
        for about, own in spoken:
            of_text = {
                name: np.reshape(values[at : at + len(own)], (-1, len(self.texts))).mean(0).round(4).tolist()
                for name, values in found.items()
            }
            at += len(own)
            run = about | {"natural_similarity": round(ceiling, 4), "text_seconds": round(length, 1)}
            if self.model.config.watermark is not None:
                verdicts = [voxclone.detect(path, model=self.args.model).verdict for path in own]
                run["marked"] = f"{verdicts.count('watermarked')} of {len(verdicts)}"
            self.runs.append(run | {"texts": of_text})

    def write(self) -> Path:
        """The result file and its picture."""
        counts = [len(text.split()) for text in self.texts.values()]
        for run in self.runs:
            zero = next(r for r in self.runs if r["speaker"] == run["speaker"] and r["kind"] == "zero-shot")
            for name in NUMBERS:
                own, weights = run["texts"][name], counts if name == "word_errors" else None
                run[name] = mean_with_interval(own, weights)
                if run is not zero:
                    changes = np.subtract(own, zero["texts"][name]).tolist()
                    run[f"{name}_change"] = mean_with_interval(changes, weights)
        runs = sorted(self.runs, key=lambda run: (run["speaker"], run["amount"], run["kind"] != "clone", run["kind"]))
        numbers = {"texts": self.texts, "other_voices_bit_identical": self.unharmed, "runs": runs}
        print(table(runs), flush=True)
        draw_curves(runs, RESULTS / f"{self.args.name}.png")
        return write_result(self.args.name, numbers)


def paired(lines: list[str]) -> dict[str, str]:
    """`name|text` lines to texts of two sentences each, by name."""
    sentences = [line.split("|", 1) for line in lines if line]
    return {one: f"{first} {second}" for (one, first), (_, second) in zip(sentences[::2], sentences[1::2], strict=True)}


def other_speech(model: voxclone.VoxClone) -> dict[str, voxclone.Speech]:
    """What the model's example voices say."""
    return {name: model.generate(OTHER_TEXT, voice) for name, voice in model.voices.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--speakers", nargs="+", required=True)
    parser.add_argument("--trained-on", nargs="*", default=[], help="speakers who may be of the training data")
    parser.add_argument("--amounts", nargs="+", type=int, default=[10, 60, 300], help="seconds; 10: ten sentences")
    parser.add_argument("--depths", nargs="*", default=["auto"], help="none: clones alone")
    parser.add_argument("--sentences", type=Path, required=True, help="name|text lines, an even number")
    parser.add_argument("--judges", type=Path, required=True)
    parser.add_argument("--distractors", default="librispeech", help="corpus whose texts the language model has too")
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--minutes", type=float, default=8.0, help="the most that one training takes")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--name", default="finetune", help="of the result file")
    args = parser.parse_args()

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    bench = Bench(args)
    before = other_speech(bench.model)
    for speaker in args.speakers:
        bench.speaker(speaker)
    after = other_speech(bench.model)
    bench.unharmed = all(np.array_equal(before[name].samples, after[name].samples) for name in before)
    print(bench.write())


if __name__ == "__main__":
    main()
