"""What the pilot costs by itself: laid on natural recordings, in several bands and depths, as a vocoder would have it.

The pilot is a rhythm of loudness, 86 beats a second, that a marked vocoder is taught (`voxclone.models.pilot`).
Naturalness is LDNet's, before and after, recording by recording.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from environment import write_result
from judges import Judges, mean_with_interval
from vocoder import CopySynthesis, chosen_sets, keep
from voxclone import hub
from voxclone.training.pilot import lay_pilot

BANDS = {"0 to 0.5 kHz": range(1), "0.5 to 1 kHz": range(1, 2), "0 to 5 kHz": range(10), "1 to 5 kHz": range(2, 10)}
DEPTHS = (0.05, 0.1, 0.15)  # nepers


def opinions(judges: Judges, folder: Path, waveforms: list[NDArray[np.float32]], sample_rate: int) -> list[float]:
    """What LDNet thinks of each waveform (S,)."""
    return judges.naturalness([keep(folder, number, each, sample_rate) for number, each in enumerate(waveforms)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True, help="see recipes/prepare/README.md")
    parser.add_argument("--full-band", nargs="*", default=[], help="corpora of full-band recordings")
    parser.add_argument("--count", type=int, default=24, help="recordings of each set")
    parser.add_argument("--judges", type=Path, required=True, help="folder with score_ldnet.py")
    parser.add_argument("--work", type=Path, required=True, help="where the wav files go")
    args = parser.parse_args()

    reader, judges = CopySynthesis(hub.resolve(None)), Judges(args.judges, args.work)
    audio = reader.config.audio
    result: dict[str, Any] = {}
    for name, chosen in chosen_sets(args.manifest, args.full_band, args.count).items():
        natural = [reader.read(recording.path) for recording in chosen]

        before = opinions(judges, args.work / name / "natural", natural, audio.sample_rate)
        result[name] = {"natural": mean_with_interval(before)}
        for bands, indices in BANDS.items():
            for depth in DEPTHS:
                laid = [
                    lay_pilot(torch.from_numpy(x)[None], depth, indices, audio.sample_rate, audio.hop_length)[0].numpy()
                    for x in natural
                ]
                folder = args.work / name / f"{bands}-{depth}".replace(" ", "-")
                after = opinions(judges, folder, laid, audio.sample_rate)
                result[name][f"{bands}, {depth} nepers"] = mean_with_interval(
                    [b - a for a, b in zip(before, after, strict=True)]
                )
                print(name, bands, depth, result[name][f"{bands}, {depth} nepers"], flush=True)
    print(write_result("pilot", {"ldnet_mos_less_natural": result}))


if __name__ == "__main__":
    main()
