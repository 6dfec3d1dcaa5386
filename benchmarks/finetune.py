"""What fine-tuning is worth: likeness, word errors and naturalness against zero-shot cloning, by minutes of speech.

    python benchmarks/finetune.py --manifest data/manifest.tsv --speakers ls_669 ls_7312 --amounts 10 60 300 \
        --sentences ../judges/harvard_dev.txt --judges ../judges --work runs/finetune

Speakers must not be in the model's training data. Of each the last two recordings are kept aside, and a voice is judged
by its likeness to them (an outside verifier's cosine, mean over both). The rest is what there is to learn from,
`--amounts` seconds of it; the amount 10 stands for the ten shortest recordings, "ten sentences". "zero-shot" is a
clone of one recording of 5 to 10 s, "clone" one of the very recordings that fine-tuning gets. Intervals are 95 %
bootstrap over sentences; a gain is over zero-shot, sentence by sentence.

Every voice is written to the result file when it is judged, and one of the same model that is there is not judged
again: a run that was killed goes on, and speakers and amounts may be measured one at a time. Then the curves are drawn.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from time import monotonic, process_time
from typing import Any

import numpy as np

import voxclone
from environment import RESULTS, write_result
from finetune_page import draw_curves
from judges import Judges, mean_with_interval
from voxclone.finetuning import finetune

TEN_SENTENCES = 10
ZERO_SHOT_SECONDS = (5.0, 10.0)
OTHER_TEXT = "The kettle is on the stove."
DISTRACTORS = 1000  # texts of others, for the recogniser's language model

Rows = list[dict[str, str]]
Run = dict[str, Any]


def read_manifest(manifest: Path) -> Rows:
    with manifest.open(encoding="utf8") as file:
        return [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row["text"]]


def recordings_of(rows: Rows, speaker: str) -> Rows:
    """The speaker's transcribed recordings in order of their paths."""
    own = [row for row in rows if row["speaker"] == speaker]
    if not own or own[0].get("split") != "valid":
        raise SystemExit(f"{speaker}: not in the manifest, or not of the split 'valid', which training leaves out")
    return sorted(own, key=lambda row: row["path"])


def choose(rows: Rows, amount: int) -> Rows:
    """Ten recordings, the shortest, or the first ones that fill `amount` seconds."""
    if amount == TEN_SENTENCES:
        return sorted(rows, key=lambda row: float(row["seconds"]))[:TEN_SENTENCES]
    chosen, seconds = [], 0.0
    for row in rows:
        if seconds + float(row["seconds"]) / 2 > amount:
            break
        chosen.append(row)
        seconds += float(row["seconds"])
    return chosen


def lay_out(rows: Rows, root: Path, folder: Path) -> None:
    """The recordings with their texts as a user's folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for row in rows:
        target = folder / Path(row["path"]).name
        shutil.copyfile(root / row["path"], target)
        target.with_suffix(".txt").write_text(row["text"], encoding="utf8")


class Bench:
    """Voices judged one by one; what was judged before stays.

    Args:
        args: The command's.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
        self.work: Path = args.work / self.model.acoustic_id[:8]
        self.work.mkdir(parents=True, exist_ok=True)
        self.rows = read_manifest(args.manifest)
        lines = [line for line in args.sentences.read_text(encoding="utf8").splitlines() if line]
        self.sentences = dict(line.split("|", 1) for line in lines[: args.count])
        own = set(args.speakers)
        said = [row["text"] for row in self.rows if row["corpus"] == args.distractors and row["speaker"] not in own]
        self.distractors = said[:DISTRACTORS]
        self.judges = Judges(args.judges, self.work)
        path = RESULTS / f"{args.name}.json"
        self.runs: list[Run] = json.loads(path.read_text(encoding="utf8"))["runs"] if path.exists() else []
        self.runs = [run for run in self.runs if run.get("model") == self.model.acoustic_id]
        self.unharmed = True

    def measure(self, about: Run, natural: list[Path], make: Callable[[], tuple[voxclone.Voice, Run]]) -> None:
        """Judge one voice and write what was found."""
        key = ("speaker", "amount", "kind")
        if any(all(run[name] == about[name] for name in key) for run in self.runs):
            return
        voice, cost = make()
        folder = self.work / "spoken" / "-".join(str(about[name]) for name in key)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.wav" for name in self.sentences]
        for path, text in zip(paths, self.sentences.values(), strict=True):
            self.model.generate(text, voice).save(path)
        scores = self.judges.similarities([(reference, path) for path in paths for reference in natural])
        alike = np.reshape(scores, (len(paths), len(natural))).mean(1)
        zero = next((r for r in self.runs if r["speaker"] == about["speaker"] and r["kind"] == "zero-shot"), None)
        errors = self.judges.word_errors(self.sentences, paths, self.distractors)
        run = about | {
            "model": self.model.acoustic_id,
            "similarity": mean_with_interval(list(alike)),
            "gain": None if zero is None else mean_with_interval(list(alike - np.array(zero["similarities"]))),
            "word_errors": mean_with_interval([rate for rate, _ in errors], [count for _, count in errors]),
            "ldnet": mean_with_interval(self.judges.naturalness(paths)),
            "similarities": [round(float(value), 4) for value in alike],
        }
        if self.model.config.watermark is not None:
            verdicts = [voxclone.detect(path, model=self.args.model).verdict for path in paths]
            run["marked"] = f"{verdicts.count('watermarked')} of {len(verdicts)}"
        self.runs.append(run | cost)
        print(json.dumps({name: value for name, value in self.runs[-1].items() if name != "similarities"}), flush=True)
        self.write()

    def write(self) -> Path:
        """The result file and its picture."""
        runs = sorted(self.runs, key=lambda run: (run["speaker"], run["amount"], run["kind"] != "clone", run["kind"]))
        numbers = {"sentences": len(self.sentences), "other_voices_bit_identical": self.unharmed, "runs": runs}
        draw_curves(runs, RESULTS / f"{self.args.name}.png")
        return write_result(self.args.name, numbers)

    def speaker(self, speaker: str) -> None:
        """All of one speaker's voices."""
        args, root = self.args, self.args.manifest.parent
        own = recordings_of(self.rows, speaker)
        pool, aside = own[:-2], own[-2:]
        natural = [root / row["path"] for row in aside]
        others = [root / row["path"] for row in pool[:: max(1, len(pool) // 8)]]
        ceiling = mean(self.judges.similarities([(one, other) for one in natural for other in others]))
        consent = voxclone.Consent.attest(speaker, basis="corpus licensed for it", scope=("cloning", "adapting"))

        def clone(rows: Rows) -> Callable[[], tuple[voxclone.Voice, Run]]:
            paths = [str(root / row["path"]) for row in rows]
            return lambda: (self.model.clone(list(paths), name=speaker, consent=consent), {})

        def tune(place: Path, depth: Any) -> Callable[[], tuple[voxclone.Voice, Run]]:
            def make() -> tuple[voxclone.Voice, Run]:
                started, worked = monotonic(), process_time()
                done = finetune(
                    place / "recordings", name=speaker, consent=consent, out=place / depth, model=args.model,
                    depth=depth, minutes=args.minutes,
                )  # fmt: skip
                report = json.loads(done.report_path.with_suffix(".json").read_text(encoding="utf8"))
                learned = {name: report[name] for name in ("held_out_loss_before", "held_out_loss_after", "file_bytes")}
                wall, cpu = round(monotonic() - started, 1), round(process_time() - worked, 1)
                return done.voice, learned | {"depth": done.depth, "wall_seconds": wall, "cpu_seconds": cpu}

            return make

        low, high = ZERO_SHOT_SECONDS
        one = next(row for row in pool if low <= float(row["seconds"]) <= high)
        known: Run = {"speaker": speaker, "natural_similarity": round(ceiling, 4)}
        about = known | {"amount": 0, "recordings": 1, "seconds": float(one["seconds"]), "kind": "zero-shot"}
        self.measure(about, natural, clone([one]))
        for amount in args.amounts:
            chosen = choose(pool, amount)
            seconds = sum(float(row["seconds"]) for row in chosen)
            about = known | {"amount": amount, "recordings": len(chosen), "seconds": round(seconds, 1)}
            self.measure(about | {"kind": "clone"}, natural, clone(chosen))
            place = self.work / f"{speaker}-{amount}"
            lay_out(chosen, root, place / "recordings")
            for depth in args.depths:
                self.measure(about | {"kind": depth}, natural, tune(place, depth))


def other_voices(model: voxclone.VoxClone) -> dict[str, Any]:
    """What the model's example voices say."""
    return {name: model.generate(OTHER_TEXT, voice).samples for name, voice in model.voices.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--speakers", nargs="+", required=True)
    parser.add_argument("--amounts", nargs="+", type=int, default=[10, 60, 300], help="seconds; 10: ten sentences")
    parser.add_argument("--depths", nargs="*", default=["auto"], help="none: clones alone")
    parser.add_argument("--sentences", type=Path, required=True, help="name|text lines")
    parser.add_argument("--count", type=int, default=10, help="of sentences")
    parser.add_argument("--judges", type=Path, required=True)
    parser.add_argument("--distractors", default="librispeech", help="corpus whose texts the language model has too")
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--minutes", type=float, default=8.0, help="the most that one training takes")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--name", default="finetune", help="of the result file")
    args = parser.parse_args()

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    bench = Bench(args)
    before = other_voices(bench.model)
    for speaker in args.speakers:
        bench.speaker(speaker)
    after = other_voices(bench.model)
    bench.unharmed = all(np.array_equal(before[name], after[name]) for name in before)
    print(bench.write())


if __name__ == "__main__":
    main()
