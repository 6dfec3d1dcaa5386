"""Make a list for `voxclone evaluate` from a manifest: for each held-out speaker a reference and texts."""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import soundfile

COLUMNS = ("name", "speaker", "reference", "text", "recording")


def seconds_of(row: dict[str, str], root: Path) -> float:
    """As the manifest says, or as the file is."""
    return float(row.get("seconds") or soundfile.info(root / row["path"]).duration)


def references(rows: list[dict[str, str]], root: Path, seconds: tuple[float, float]) -> dict[str, list[dict[str, str]]]:
    """Speaker → recordings with text: a reference of fitting length first, then the others, in the manifest's order."""
    by_speaker: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row["text"]:
            by_speaker[row["speaker"]].append(row)
    chosen = {}
    for speaker, own in by_speaker.items():
        fitting = [row for row in own if seconds[0] <= seconds_of(row, root) <= seconds[1]]
        if fitting:
            chosen[speaker] = [fitting[0], *(row for row in own if row is not fitting[0])]
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="as the prepare recipe reads it")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--language", default="en")
    parser.add_argument("--corpus", help="only this corpus")
    parser.add_argument(
        "--sentences", type=Path, help="lines of text, or name|text; left out: each speaker's own others"
    )
    parser.add_argument("--per-speaker", type=int, default=10)
    parser.add_argument("--speakers", type=int, help="at most so many")
    parser.add_argument("--seconds", type=float, nargs=2, default=(4.0, 12.0), help="of a reference")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    with args.manifest.open(encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["split"] == args.split
            and row["language"].startswith(args.language)
            and args.corpus in (None, row["corpus"])
        ]
    chosen = dict(list(references(rows, args.manifest.parent, tuple(args.seconds)).items())[: args.speakers])
    if not chosen:
        parser.error(f"no speaker of split {args.split!r} has a recording of {args.seconds} s with text")
    sentences = None
    if args.sentences is not None:
        lines = args.sentences.read_text(encoding="utf-8").splitlines()
        sentences = [line.rpartition("|")[2].strip() for line in lines if line.strip()]
    table = []
    for place, (speaker, (reference, *others)) in enumerate(chosen.items()):
        if sentences is None:
            said = [(row["text"], row["path"]) for row in others[: args.per_speaker]]
        else:  # other speakers get other sentences
            start = place * args.per_speaker
            said = [(sentences[(start + n) % len(sentences)], "") for n in range(args.per_speaker)]
        for number, (text, recording) in enumerate(said):
            table.append((f"{speaker}-{number:03d}", speaker, reference["path"], text, recording))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", encoding="utf-8") as file:
        file.writelines("\t".join(row) + "\n" for row in [COLUMNS, *table])
    print(f"{args.out}: {len(table)} utterances of {len(chosen)} speakers")


if __name__ == "__main__":
    main()
