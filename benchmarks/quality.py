"""How understandable, natural and like the speaker clones are, beside natural speech, vocoder copies and espeak-ng.

Fourteen speakers of a manifest, from whom one clip each is cloned, read the texts of their own other clips, so that
every system says the same sentences. Each pass adds its part to the result file, and files that were spoken are kept,
so that a pass can be run by itself: speak, words, naturalness, opinions, likeness, prosody, hard, page.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import voxclone
from environment import RESULTS, write_result
from judges import Judges, mean_with_interval
from quality_hard import check, check_recordings, choose_recordings
from quality_page import draw_page
from quality_prosody import compare
from quality_set import Reader, choose_readers, write_cloned, write_espeak, write_natural
from voxclone import hub
from voxclone.evaluation.judges.naturalness import open_naturalness

PASSES = ("speak", "words", "naturalness", "opinions", "likeness", "prosody", "hard", "page")
PREDICTORS = ("nisqa", "dnsmos")  # as `voxclone evaluate` opens them
HARD_SENTENCES = Path(__file__).with_name("hard_sentences.txt")


def files(readers: list[Reader], folder: Path) -> list[Path]:
    return [folder / f"{reader.stem(recording)}.wav" for reader in readers for recording in reader.others]


def speak(args: argparse.Namespace, readers: list[Reader], model: voxclone.VoxClone) -> None:
    for system in systems(args):
        (args.work / system).mkdir(parents=True, exist_ok=True)
    write_natural(readers, hub.resolve(args.model), args.work / "natural", args.work / "copy")
    write_cloned(readers, model, args.work / "cloned")
    write_espeak(readers, args.work / "espeak")
    if args.baseline:
        write_cloned(readers, voxclone.VoxClone.from_pretrained(args.baseline), args.work / "baseline")


def systems(args: argparse.Namespace) -> list[str]:
    return ["natural", "copy", "cloned", "espeak", *(["baseline"] if args.baseline else [])]


def words(args: argparse.Namespace, readers: list[Reader], judges: Judges) -> dict[str, Any]:
    texts = {reader.stem(recording): recording.text for reader in readers for recording in reader.others}
    rates = {system: judges.word_errors(texts, files(readers, args.work / system)) for system in systems(args)}
    table = {
        system: mean_with_interval([rate for rate, _ in own], [count for _, count in own])
        for system, own in rates.items()
    }
    ratio = {system: round(own["mean"] / max(table["natural"]["mean"], 1e-6), 3) for system, own in table.items()}
    return {"word_errors": table, "word_errors_by_natural": ratio}


def naturalness(args: argparse.Namespace, readers: list[Reader], judges: Judges) -> dict[str, Any]:
    table = {
        system: mean_with_interval(judges.naturalness(files(readers, args.work / system))) for system in systems(args)
    }
    by_copy = {system: round(own["mean"] / table["copy"]["mean"], 3) for system, own in table.items()}
    return {"ldnet_mos": table, "ldnet_mos_by_copy": by_copy}


def opinions(args: argparse.Namespace, readers: list[Reader]) -> dict[str, Any]:
    """Two more predictors of naturalness, which were trained on other listeners and other damage than LDNet."""
    predictors = {name: open_naturalness(name) for name in PREDICTORS}
    return {
        f"{name}_mos": {
            system: mean_with_interval(predictor.score(files(readers, args.work / system))) for system in systems(args)
        }
        for name, predictor in predictors.items()
    }


def likeness(args: argparse.Namespace, readers: list[Reader], judges: Judges) -> dict[str, Any]:
    """Against the cloned clip of every speaker: the cosine to the own one, and whether that is the highest.

    And against the speaker's other recordings of other texts, which the clone was not made from.
    """
    clips = {reader.speaker: args.work / "natural" / f"{reader.stem(reader.cloned)}.wav" for reader in readers}
    result = {}
    for system in (each for each in systems(args) if each != "espeak"):
        paths = [(reader.speaker, path) for reader in readers for path in files([reader], args.work / system)]
        scores = iter(judges.similarities([(clip, path) for _, path in paths for clip in clips.values()]))
        own, first = [], []
        for speaker, _ in paths:
            row = dict(zip(clips, scores, strict=False))
            own.append(row[speaker])
            first.append(float(max(row, key=row.__getitem__) == speaker))
        pairs = [pair for reader in readers for pair in with_others(reader, args.work / "natural", args.work / system)]
        result[system] = {
            "cosine": mean_with_interval(own),
            "ranked_first": mean_with_interval(first),
            "cosine_to_others": mean_with_interval(judges.similarities(pairs)),
        }
    return {"likeness": result, "likeness_speakers": len(clips)}


def with_others(reader: Reader, natural: Path, system: Path) -> list[tuple[Path, Path]]:
    """A natural recording of another text, the next one, for each of a speaker's texts in a system's folder."""
    spoken, heard = files([reader], system), files([reader], natural)
    return list(zip([*heard[1:], heard[0]], spoken, strict=True))


def with_words(result: dict[str, Any], name: str) -> dict[str, Any]:
    """The result; word errors, which take longest, may have been measured on fewer texts under `name`-words."""
    beside = RESULTS / f"{name}-words.json"
    if "word_errors" in result or not beside.exists():
        return result
    return {**result, "word_errors": json.loads(beside.read_text(encoding="utf8"))["word_errors"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("passes", nargs="+", choices=PASSES)
    parser.add_argument("--manifest", type=Path, required=True, help="recordings with texts, see recipes/prepare")
    parser.add_argument("--judges", type=Path, required=True, help="folder of judge scripts")
    parser.add_argument("--sentences", type=int, default=20, help="texts of each speaker")
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--baseline", help="folder of another model to compare with")
    parser.add_argument("--hard-sentences", type=Path, default=HARD_SENTENCES)
    parser.add_argument("--work", type=Path, required=True, help="where the wav files go")
    parser.add_argument("--name", default="quality", help="of the result file")
    args = parser.parse_args()

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    args.work.mkdir(parents=True, exist_ok=True)
    readers = choose_readers(args.manifest, args.sentences)
    judges = Judges(args.judges, args.work)
    file = RESULTS / f"{args.name}.json"
    result: dict[str, Any] = json.loads(file.read_text(encoding="utf8")) if file.exists() else {}
    result.pop("environment", None)
    result["speakers"] = {reader.speaker: {"split": reader.split, "texts": len(reader.others)} for reader in readers}
    model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
    for name in args.passes:
        if name == "speak":
            speak(args, readers, model)
        elif name == "words":
            result |= words(args, readers, judges)
        elif name == "naturalness":
            result |= naturalness(args, readers, judges)
        elif name == "opinions":
            result |= opinions(args, readers)
        elif name == "likeness":
            result |= likeness(args, readers, judges)
        elif name == "prosody":
            result["prosody"] = compare(model, readers, args.work / "natural", args.work / "cloned")
        elif name == "hard":
            sentences = [line for line in args.hard_sentences.read_text(encoding="utf8").splitlines() if line]
            result["hard"] = check(model, next(iter(model.voices.values())), sentences)
            result["hard"]["people"] = check_recordings(choose_recordings(args.manifest))
        else:
            draw_page(with_words(result, args.name), RESULTS / f"{args.name}.png")
        write_result(args.name, result)
    print(file.read_text(encoding="utf8"))


if __name__ == "__main__":
    main()
