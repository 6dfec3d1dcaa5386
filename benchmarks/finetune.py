"""What fine-tuning is worth: likeness, word errors and naturalness against zero-shot cloning, by minutes of speech.

    python benchmarks/finetune.py --manifest data/manifest.tsv --speakers ls_669 --amounts 10 60 300 \
        --sentences harvard_dev.txt --judges judges --distractors distractors.txt --work runs/finetune

Speakers must not be in the model's training data. Of each the last two recordings are kept aside, and a voice is judged
by its likeness to them (an outside verifier's cosine, mean over sentences and both). The rest is what there is to learn
from, `--amounts` seconds of it; the amount 10 stands for the ten shortest recordings, "ten sentences". A clone gets the
very recordings that fine-tuning gets. Every run adds to the result file, or replaces what it held of the same kind, so
that speakers and amounts may be measured one at a time.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
from pathlib import Path
from statistics import mean
from time import monotonic, process_time
from typing import Any

import numpy as np

import voxclone
from environment import RESULTS, write_result
from judges import Judges
from voxclone.finetuning import finetune

TEN_SENTENCES = 10
OTHER_TEXT = "The kettle is on the stove."


def recordings_of(manifest: Path, speaker: str) -> list[dict[str, str]]:
    """The speaker's transcribed recordings in order of their paths."""
    with manifest.open(encoding="utf8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    own = [row for row in rows if row["speaker"] == speaker and row["text"]]
    if not own or own[0].get("split") != "valid":
        raise SystemExit(f"{speaker}: not in {manifest}, or not of the split 'valid', which training leaves out")
    return sorted(own, key=lambda row: row["path"])


def choose(rows: list[dict[str, str]], amount: int) -> list[dict[str, str]]:
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


def lay_out(rows: list[dict[str, str]], root: Path, folder: Path) -> list[str]:
    """The recordings with their texts as a user's folder; returns the audio's paths."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paths = []
    for row in rows:
        target = folder / Path(row["path"]).name
        shutil.copyfile(root / row["path"], target)
        target.with_suffix(".txt").write_text(row["text"], encoding="utf8")
        paths.append(str(target))
    return paths


def judge(
    voice: voxclone.Voice, model: voxclone.VoxClone, sentences: dict[str, str], natural: list[Path], folder: Path,
    judges: Judges, distractors: list[str], source: str | None,
) -> dict[str, Any]:  # fmt: skip
    """Speak the sentences and have them judged."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in sentences.items():
        paths.append(folder / f"{name}.wav")
        model.generate(text, voice).save(paths[-1])
    scores = judges.similarities([(reference, path) for path in paths for reference in natural])
    means = [mean(scores[at : at + len(natural)]) for at in range(0, len(scores), len(natural))]
    numbers: dict[str, Any] = {
        "similarity": round(mean(means), 4),
        "similarity_standard_error": round(float(np.std(means)) / math.sqrt(len(means)), 4),
        **judges.error_rates(sentences, paths, distractors),
        "ldnet_mos": round(mean(judges.naturalness(paths)), 3),
    }
    if getattr(model.config, "watermark", None) is not None:
        numbers["mark"] = [voxclone.detect(path, model=source).verdict for path in paths[:4]]
    return numbers


def other_voices(model: voxclone.VoxClone) -> dict[str, np.ndarray]:
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
    parser.add_argument("--distractors", type=Path, required=True, help="text lines for the language model")
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--minutes", type=float, default=8.0, help="the most that one training takes")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--name", default="finetune", help="of the result file")
    args = parser.parse_args()

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
    lines = [line for line in args.sentences.read_text(encoding="utf8").splitlines() if line]
    sentences = dict(line.split("|", 1) for line in lines[: args.count])
    distractors = args.distractors.read_text(encoding="utf8").splitlines()
    args.work.mkdir(parents=True, exist_ok=True)
    judges = Judges(args.judges, args.work)
    before = other_voices(model)
    found: list[dict[str, Any]] = []
    for speaker in args.speakers:
        rows = recordings_of(args.manifest, speaker)
        pool, aside = rows[:-2], rows[-2:]
        natural = [args.manifest.parent / row["path"] for row in aside]
        others = [args.manifest.parent / row["path"] for row in pool[:: max(1, len(pool) // 8)]]
        ceiling = mean(judges.similarities([(one, other) for one in natural for other in others]))
        consent = voxclone.Consent.attest(speaker, basis="corpus licensed for it", scope=("cloning", "adapting"))
        for amount in args.amounts:
            chosen = choose(pool, amount)
            seconds = sum(float(row["seconds"]) for row in chosen)
            about = {"speaker": speaker, "amount": amount, "recordings": len(chosen), "seconds": round(seconds, 1)}
            place = args.work / f"{speaker}-{amount}"
            paths = lay_out(chosen, args.manifest.parent, place / "recordings")
            clone = model.clone(list(paths), name=speaker, consent=consent)
            kinds: dict[str, tuple[voxclone.Voice, dict[str, Any]]] = {"clone": (clone, {})}
            for depth in args.depths:
                started, worked = monotonic(), process_time()
                done = finetune(
                    place / "recordings", name=speaker, consent=consent, out=place / depth, model=args.model,
                    depth=depth, minutes=args.minutes,
                )  # fmt: skip
                report = json.loads(done.report_path.with_suffix(".json").read_text(encoding="utf8"))
                cost = {
                    "wall_seconds": round(monotonic() - started, 1),
                    "cpu_seconds": round(process_time() - worked, 1),
                    "file_bytes": done.voice_path.stat().st_size,
                    "held_out_loss_before": round(report["held_out_loss_before"], 4),
                    "held_out_loss_after": round(report["held_out_loss_after"], 4),
                }
                kinds[done.depth] = (done.voice, cost)
            for kind, (voice, cost) in kinds.items():
                numbers = judge(
                    voice, model, sentences, natural, place / f"spoken-{kind}", judges, distractors, args.model
                )
                found.append(about | {"kind": kind, "natural_similarity": round(ceiling, 4)} | numbers | cost)
                print(json.dumps(found[-1]), flush=True)
    after = other_voices(model)
    unharmed = all(np.array_equal(before[name], after[name]) for name in before)
    result_path = RESULTS / f"{args.name}.json"
    kept = json.loads(result_path.read_text(encoding="utf8"))["runs"] if result_path.exists() else []
    key = ("speaker", "amount", "kind")
    new = {tuple(run[name] for name in key) for run in found}
    runs = [run for run in kept if tuple(run[name] for name in key) not in new] + found
    runs.sort(key=lambda run: tuple(str(run[name]).zfill(4) for name in key))
    print(write_result(args.name, {"sentences": len(sentences), "other_voices_bit_identical": unharmed, "runs": runs}))


if __name__ == "__main__":
    main()
