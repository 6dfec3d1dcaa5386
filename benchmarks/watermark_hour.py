"""Time and memory that `voxclone detect` takes for an hour of speech, and whether forty marked seconds of it are found.

The hour is a 16-bit WAV file of natural speech; the forty seconds, in its middle, are played 5 % faster.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from environment import write_result
from voxclone.config import AudioConfig
from voxclone.training.distortions import change_speed
from voxclone.training.features import FeatureStore
from voxclone.training.imitation import CopySynthesis
from voxclone.training.thresholds import for_training
from watermark import choose, load_vocoder, remade
from watermark_channels import RATE

SECONDS = 3600
PIECE = 512 * AudioConfig().hop_length  # samples
FASTER = 1.05
COMMAND = """import sys
from pathlib import Path
from voxclone.cli import main
status = main()
print(Path("/proc/self/status").read_text(), file=sys.stderr)
sys.exit(status)"""


def write_speech(path: Path, seconds: int, model: Path, natural: Path) -> None:
    """Natural speech, with forty marked seconds in the middle where there is a middle."""
    store = FeatureStore(natural / "channel")
    chosen = choose([entry for entry in store.entries if not for_training(entry)], 60, PIECE)
    pieces = np.stack([store.read(entry, "waveform", 0, PIECE) for entry in chosen]).astype(np.float32)
    pieces /= np.float32(32768)
    copies = remade(CopySynthesis(load_vocoder(model), AudioConfig()), pieces[:8]).reshape(-1)
    marked = change_speed(torch.from_numpy(copies), FASTER).numpy()[: 40 * RATE]
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as sound:
        written = 0
        while written < seconds * RATE:
            middle = 0 < written <= seconds // 2 * RATE < written + PIECE
            piece = marked if middle else pieces[written // PIECE % len(pieces)]
            sound.write(piece)
            written += len(piece)


def _peak_mb(status: str) -> int:
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def detect(model: Path, path: Path) -> dict[str, Any]:
    """The command, in a process of its own."""
    command = [sys.executable, "-c", COMMAND, "detect", "--json", "--model", str(model), str(path)]
    unset = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}  # as a user has it
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, env=unset, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout)
    return {key: found[key] for key in ("verdict", "speed", "spans")} | {
        "wall_seconds": round(time.perf_counter() - start, 1),
        "core_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_memory_mb": _peak_mb(done.stderr),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--natural", type=Path, required=True, help="folder of the stores by recipes/watermark/prepare.py"
    )
    args = parser.parse_args()
    numbers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds in (("five_seconds", 5), ("hour", SECONDS)):
            path = Path(folder) / f"{name}.wav"
            write_speech(path, seconds, args.model, args.natural)
            numbers[name] = detect(args.model.resolve(), path)
            print(name, json.dumps(numbers[name]), flush=True)
    print(write_result("watermark-hour", numbers))


if __name__ == "__main__":
    main()
