"""Text to waveform through the public API: real-time factor, first call, load time, peak memory.

    python benchmarks/rtf.py

Each figure is the median over fresh processes. In each: import, load, first call (about 20 words), then every sentence
several times. Real-time factor is seconds of work for each second of speech; a sentence's is its median call's. That of
new texts is of each sentence's first call: libraries make kernels for lengths that they have not met.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

FIRST_CALL = (
    "The ferry leaves the harbour at seven every morning, and by the time it returns the whole market is already awake."
)
SENTENCES = (
    "Come in.",
    "The kettle is on the stove.",
    "She folded the map and put it back into her coat.",
    "We walked along the river until the path ended, then turned back before it grew dark.",
    FIRST_CALL,
    "If the weather holds, they will finish the roof by Friday, move the furniture on Saturday, and spend the first "
    "quiet evening in the new house with nothing to do but listen to the rain on the windows.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch threads")
    parser.add_argument("--processes", type=int, default=3, help="fresh processes")
    parser.add_argument("--repeats", type=int, default=5, help="calls for each sentence in each process")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--name", default="rtf", help="of the file in benchmarks/results")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.in_this_process:
        json.dump(measure(args.model, args.device, args.threads, args.repeats), sys.stdout)
        return

    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    command = [sys.executable, __file__, *sys.argv[1:], "--in-this-process"]
    runs = [
        json.loads(subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout)
        for _ in range(args.processes)
    ]
    numbers = summarise(runs) | {"threads": args.threads, "processes": args.processes, "repeats": args.repeats}

    from environment import write_result

    print(json.dumps(numbers, indent=2))
    print(write_result(args.name, numbers))


def measure(model_source: str | None, device: str, threads: int, repeats: int) -> dict[str, Any]:
    """Measure in this process, which must not have imported torch yet."""
    started = time.perf_counter()
    import torch

    torch_imported = time.perf_counter()
    import voxclone

    torch.set_num_threads(threads)
    imported = time.perf_counter()
    model = voxclone.VoxClone.from_pretrained(model_source, device=device)
    loaded = time.perf_counter()
    voice = next(iter(model.voices.values()))
    ready = time.perf_counter()
    model.generate(FIRST_CALL, voice)
    first_call_seconds = time.perf_counter() - ready
    factors: list[list[float]] = [[] for _ in SENTENCES]
    for _ in range(repeats):
        for sentence, calls in zip(SENTENCES, factors, strict=True):
            start = time.perf_counter()
            speech = model.generate(sentence, voice)
            calls.append((time.perf_counter() - start) / speech.duration_seconds)
    return {
        "import_torch_seconds": torch_imported - started,
        "import_seconds": imported - torch_imported,
        "load_seconds": loaded - imported,
        "first_call_seconds": first_call_seconds,
        "peak_memory_mb": peak_memory_mb(),
        "rtf": [statistics.median(calls) for calls in factors],
        "rtf_at_first": [calls[0] for calls in factors],
    }


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over processes; the peak of memory is the highest."""
    times = ("import_torch_seconds", "import_seconds", "load_seconds", "first_call_seconds")
    by_sentence = [statistics.median(run["rtf"][i] for run in runs) for i in range(len(SENTENCES))]
    at_first = [
        statistics.median(run["rtf_at_first"][i] for run in runs)
        for i, sentence in enumerate(SENTENCES)
        if sentence != FIRST_CALL
    ]
    return {
        "rtf": round(statistics.median(by_sentence), 4),
        "rtf_of_new_texts": round(statistics.median(at_first), 4),
        **{name: round(statistics.median(run[name] for run in runs), 3) for name in times},
        "peak_memory_mb": round(max(run["peak_memory_mb"] for run in runs)),
        "rtf_by_sentence": [
            {"words": len(sentence.split()), "rtf": round(factor, 4)}
            for sentence, factor in zip(SENTENCES, by_sentence, strict=True)
        ],
    }


def peak_memory_mb() -> float:
    """The highest resident memory of this process so far, in MB of 10^6 bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


if __name__ == "__main__":
    main()
