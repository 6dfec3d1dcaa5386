"""Make a list for `voxclone evaluate` from a manifest: for each held-out speaker a reference and texts."""

import argparse
from collections import Counter, defaultdict
from pathlib import Path

from voxclone.audio.io import read_audio
from voxclone.cli.arguments import at_least_one
from voxclone.cli.ending import run_script
from voxclone.errors import VoxcloneError
from voxclone.files import read_text
from voxclone.training.extraction import Recording, read_manifest

COLUMNS = ("name", "speaker", "reference", "text", "recording")


def seconds_of(recording: Recording) -> float:
    """As the manifest says, or as the file is."""
    if told := recording.about.get("seconds"):
        return float(told)
    samples, rate = read_audio(recording.path)
    return len(samples) / rate


def references(recordings: list[Recording], seconds: tuple[float, float]) -> dict[str, list[Recording]]:
    """Speaker → recordings with text: a reference of fitting length first, then the others, in the manifest's order."""
    by_speaker: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        if recording.text:
            by_speaker[recording.about["speaker"]].append(recording)
    chosen = {}
    for speaker, own in by_speaker.items():
        fitting = next((each for each in own if seconds[0] <= seconds_of(each) <= seconds[1]), None)
        if fitting is not None:
            chosen[speaker] = [fitting, *(each for each in own if each is not fitting)]
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
    parser.add_argument("--per-speaker", type=at_least_one, default=10)
    parser.add_argument("--speakers", type=at_least_one, help="at most so many")
    parser.add_argument("--seconds", type=float, nargs=2, default=(4.0, 12.0), help="of a reference")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    known = read_manifest(args.manifest, args.manifest.parent)
    wanted = [
        each
        for each in known
        if each.about["split"] == args.split
        and each.about.get("language", "en").startswith(args.language)
        and args.corpus in (None, each.about["corpus"])
    ]
    chosen = dict(list(references(wanted, tuple(args.seconds)).items())[: args.speakers])
    if not chosen:
        splits = ", ".join(
            f"{name} ({count})" for name, count in Counter(each.about["split"] for each in known).items()
        )
        parser.error(
            f"{len(wanted)} recordings are of split {args.split!r}, language {args.language!r} and corpus "
            f"{args.corpus or 'any'}, and none of them has text and {args.seconds[0]:g} to {args.seconds[1]:g} s "
            f"(--split, --language, --corpus, --seconds); the manifest has the splits {splits}"
        )
    sentences = None
    if args.sentences is not None:
        lines = read_text(args.sentences, VoxcloneError).splitlines()
        texts = (" ".join(line.rpartition("|")[2].split()) for line in lines)
        sentences = [text for text in texts if text]
        if not sentences:
            parser.error(f"{args.sentences} holds no sentence")
    table = []
    for place, (speaker, (reference, *others)) in enumerate(chosen.items()):
        if sentences is None:
            said = [(each.text, each.key) for each in others[: args.per_speaker]]
        else:  # other speakers get other sentences
            start = place * args.per_speaker
            said = [(sentences[(start + n) % len(sentences)], "") for n in range(args.per_speaker)]
        for number, (text, recording) in enumerate(said):
            table.append((f"{speaker}-{number:03d}", speaker, reference.key, text, recording))
    if not table:
        parser.error(
            "each of these speakers has one recording, the reference; say with --sentences what they are to read"
        )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", encoding="utf-8") as file:
        file.writelines("\t".join(row) + "\n" for row in [COLUMNS, *table])
    print(f"{args.out}: {len(table)} utterances of {len(chosen)} speakers")


if __name__ == "__main__":
    run_script(main)
