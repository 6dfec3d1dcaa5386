"""Time and memory of the two models before the vocoder: the acoustic model's real-time factor, and a clip's embedding.

Of the acoustic model: phonemes to mel, f0 and gain, over the seconds of speech that it makes. Of the speaker encoder:
all that makes an embedding of ten seconds at its own sample rate, and, in a fresh process, by how much the first such
call raises the highest resident memory above the loaded model.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rtf import SENTENCES

EMBEDDED_SECONDS = 10.0
WARM_CALLS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch threads")
    parser.add_argument("--repeats", type=int, default=20, help="calls of each kind")
    parser.add_argument("--name", default="parts", help="of the file in benchmarks/results")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.in_this_process:
        json.dump(measure(args.model, args.threads, args.repeats), sys.stdout)
        return
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    command = [sys.executable, __file__, *sys.argv[1:], "--in-this-process"]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    numbers = json.loads(done.stdout) | {"threads": args.threads, "repeats": args.repeats}

    from environment import write_result

    print(json.dumps(numbers, indent=2))
    print(write_result(args.name, numbers))


def measure(model_source: str | None, threads: int, repeats: int) -> dict[str, Any]:
    """Measure in this process; the embedding first, so that its memory is its own."""
    import numpy as np
    import torch

    import voxclone
    from voxclone.synthesis.embedding import embed_waveforms
    from voxclone.text.phonemes import phonemize
    from voxclone.text.symbols import symbol_ids

    torch.set_num_threads(threads)
    model = voxclone.VoxClone.from_pretrained(model_source, device="cpu")
    encoder = model._speaker_encoder
    noise = np.random.default_rng(0).normal(size=int(EMBEDDED_SECONDS * encoder.sample_rate)) * 0.05
    clip = noise.astype(np.float32)
    loaded = resident_mb()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the highest resident memory starts anew
    first = timed(lambda: list(embed_waveforms(encoder, [clip])), 1)
    embedding = {
        "seconds_of_the_clip": EMBEDDED_SECONDS,
        "first_call_ms": first["median_ms"],
        "memory_beyond_the_loaded_model_mb": round(resident_mb("VmHWM") - loaded, 1),
        **timed(lambda: list(embed_waveforms(encoder, [clip])), repeats),
    }
    speaking = model._acoustic_models.speaking(next(iter(model.voices.values())))
    rows, config = [], model.config.audio
    for sentence in SENTENCES:
        ids = torch.tensor([symbol_ids(phonemize(sentence, "en-us").symbols)])

        def speak(ids: torch.Tensor = ids) -> float:
            plan = speaking.plan(ids, torch.tensor([ids.shape[1]]), None)
            durations = plan.predicted.durations.round().clamp(min=1).long() * plan.mask
            made = speaking.acoustic.speak(plan, dataclasses.replace(plan.predicted, durations=durations))
            return int(made.mel_lengths[0]) * config.hop_length / config.sample_rate

        seconds = speak()
        own = timed(speak, repeats)
        rtf = {name: round(own[f"{name}_ms"] / 1000 / seconds, 5) for name in ("median", "processor")}
        rows.append({"words": len(sentence.split()), "rtf": rtf["median"], "processor_rtf": rtf["processor"], **own})
    return {
        "acoustic_rtf": round(statistics.median(row["rtf"] for row in rows), 5),
        "acoustic_processor_rtf": round(statistics.median(row["processor_rtf"] for row in rows), 5),
        "acoustic": rows,
        "embedding": embedding,
    }


def resident_mb(kind: str = "VmRSS") -> float:
    """Of this process, now, or at most (VmHWM), in MB of 10^6 bytes; Linux alone tells."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(kind)).split()[1]) * 1024 / 1e6


def timed(call: Callable[[], object], repeats: int) -> dict[str, float]:
    """Median and shortest of the calls in ms, and the median of their processor time, which other work changes less.

    Where there are several calls, `WARM_CALLS` go before.
    """
    for _ in range(WARM_CALLS if repeats > 1 else 0):
        call()
    taken, worked = [], []
    for _ in range(repeats):
        start, work = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - start) * 1000)
        worked.append((time.process_time() - work) * 1000)
    return {
        "median_ms": round(statistics.median(taken), 2),
        "shortest_ms": round(min(taken), 2),
        "processor_ms": round(statistics.median(worked), 2),
    }


if __name__ == "__main__":
    main()
