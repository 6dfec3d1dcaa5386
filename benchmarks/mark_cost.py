"""What the mark costs: copies by a marked vocoder and by its twin, which was trained as long without a mark.

Both come from the same vocoder by the same recipe and draws, in the same time; nothing in the twin's losses asks for a
mark (recipes/vocoder/README.md, "The mark's cost"). Copies are of the same recordings with the same f0, and
differences are between the two copies of each. Naturalness is LDNet's, where `--judges` is given.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from environment import write_result
from judges import Judges, mean_with_interval
from vocoder import CopySynthesis, chosen_sets, compare, keep, whole_frames
from voxclone.audio.pitch import f0
from voxclone.safety.detection import MarkFinder
from voxclone.safety.finding import load_finder
from voxclone.training.extraction import Recording

MEASURES = ("pesq_wb", "stoi", "mel_l1", "multi_resolution_stft")
Rows = list[dict[str, float]]


def measure(
    recordings: list[Recording],
    copiers: dict[str, CopySynthesis],
    finder: MarkFinder,
    judges: Judges | None,
    work: Path,
) -> dict[str, Rows]:
    """A row of measures for each recording, by the vocoder that copied it; "natural" has naturalness alone."""
    rows: dict[str, Rows] = {name: [] for name in copiers}
    paths: dict[str, list[Path]] = {name: [] for name in ("natural", *copiers)}
    for number, recording in enumerate(recordings):
        first = next(iter(copiers.values()))
        natural, audio = whole_frames(first, first.read(recording.path)), first.config.audio
        pitch = f0(natural, audio.sample_rate, audio.hop_length)
        spoken = {"natural": natural}
        for name, copier in copiers.items():
            spoken[name], _ = copier.copy(natural, pitch)
            values = compare(copier, natural, spoken[name], float(recording.about["sample_rate"]))
            found = finder.find([(spoken[name], audio.sample_rate)]).verdict == "watermarked"
            rows[name].append({key: values[key] for key in MEASURES} | {"found": float(found)})
        for name, samples in spoken.items():
            paths[name].append(keep(work / name, number, samples, audio.sample_rate))
    if judges:
        rows["natural"] = [{} for _ in recordings]
        for name, each in rows.items():
            for row, score in zip(each, judges.naturalness(paths[name]), strict=True):
                row["ldnet_mos"] = score
    return rows


def summary(rows: dict[str, Rows]) -> dict[str, Any]:
    """Means of each vocoder and of marked less twin, recording by recording, with 95 % intervals."""
    means = {
        name: {key: mean_with_interval([row[key] for row in each]) for key in each[0]} for name, each in rows.items()
    }
    pairs = list(zip(rows["marked"], rows["twin"], strict=True))
    return {
        **means,
        "marked_less_twin": {key: mean_with_interval([a[key] - b[key] for a, b in pairs]) for key in pairs[0][0]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--marked", type=Path, required=True, help="model folder with a detector")
    parser.add_argument("--twin", type=Path, required=True, help="model folder with the vocoder without the mark")
    parser.add_argument(
        "--detector", type=Path, help="model folder whose detector listens; the bundled one if left out"
    )
    parser.add_argument("--manifest", type=Path, required=True, help="see recipes/prepare/README.md")
    parser.add_argument("--full-band", nargs="*", default=[], help="corpora of full-band recordings")
    parser.add_argument("--count", type=int, default=40, help="recordings of each set")
    parser.add_argument("--judges", type=Path, help="folder with score_ldnet.py")
    parser.add_argument("--work", type=Path, required=True, help="where the wav files go")
    parser.add_argument("--name", default="mark-cost", help="of the result")
    args = parser.parse_args()

    sets = chosen_sets(args.manifest, args.full_band, args.count)
    copiers = {"marked": CopySynthesis(args.marked), "twin": CopySynthesis(args.twin)}
    finder = load_finder(args.detector)
    judges = Judges(args.judges, args.work) if args.judges else None
    result: dict[str, Any] = {"sets": {}}
    together: dict[str, Rows] = {}
    for name, chosen in sets.items():
        rows = measure(chosen, copiers, finder, judges, args.work / name)
        result["sets"][name] = summary(rows)
        for kind, each in rows.items():
            together.setdefault(kind, []).extend(each)
    result["all"] = summary(together)
    print(write_result(args.name, result))


if __name__ == "__main__":
    main()
