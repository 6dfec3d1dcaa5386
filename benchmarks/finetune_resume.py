"""Whether a fine-tuning that was killed in the middle ends where one that was not would have ended.

    python benchmarks/finetune_resume.py --recordings runs/finetune/recordings --depth norms --work runs/resume

One run is left alone. Another is killed (SIGKILL) some seconds after its first checkpoint and started again with the
same command. Both voices are compared number by number.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

import voxclone
from environment import write_result

LATER_SECONDS = 10.0  # after the checkpoint: updates that must be done again


def equal(one: voxclone.Voice, other: voxclone.Voice) -> bool:
    """Whether two voices hold the same numbers."""
    arrays = [(one.speaker_embedding, other.speaker_embedding), (one.spectrum, other.spectrum)]
    same = all(np.array_equal(a, b) for a, b in arrays) and one.f0_median == other.f0_median
    if one.adapter is None or other.adapter is None:
        return same and one.adapter is other.adapter
    tensors = one.adapter.tensors, other.adapter.tensors
    return same and tensors[0].keys() == tensors[1].keys() and all(map(torch.equal, *(t.values() for t in tensors)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--depth", default="norms")
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--name", default="finetune-resume", help="of the result file")
    args = parser.parse_args()

    about = ["--consent", "corpus licensed for it", "--name", "speaker", "--depth", args.depth, "--minutes", "60"]
    about += ["--model", args.model] if args.model else []

    def command(out: Path) -> list[str]:
        return [sys.executable, "-m", "voxclone.cli", "finetune", str(args.recordings), "--out", str(out), *about]

    whole, cut = args.work / "whole", args.work / "cut"
    shutil.rmtree(args.work, ignore_errors=True)
    with subprocess.Popen(command(cut)) as process:
        while not list(cut.glob(f"work/{args.depth}-*/checkpoint-*.pt")):
            if process.poll() is not None:
                raise SystemExit("it ended before its first checkpoint: take more recordings or another depth")
            time.sleep(0.2)
        time.sleep(LATER_SECONDS)
        process.send_signal(signal.SIGKILL)
    if (cut / "speaker.voice").exists():
        raise SystemExit("it ended before it was killed: take more recordings or another depth")
    for out in (cut, whole):
        subprocess.run(command(out), check=True)
    reports = {out.name: json.loads((out / "report.json").read_text(encoding="utf8")) for out in (cut, whole)}
    kept = ("minutes_kept", "held_out_loss_before", "held_out_loss_after")
    numbers = {name: {key: report[key] for key in kept} for name, report in reports.items()}
    same = equal(voxclone.Voice.load(cut), voxclone.Voice.load(whole))
    print(write_result(args.name, {"depth": args.depth, "voices_bit_identical": same, **numbers}))


if __name__ == "__main__":
    main()
