"""All that a GPU has to say about the kernels, in parts of known length: parity, divisions, times, memory, counters.

    python benchmarks/gpu.py tests parity sweep times compiled counters --minutes 3.2 --out somewhere
    python benchmarks/gpu.py times stages profile --minutes 2 --sizes 16x10 4x3 64x3
    python benchmarks/gpu.py parity latency times --minutes 3 --ops '^$' --forms 3 4 7 12 --sizes 1x3 1x1 1x5
    python benchmarks/gpu.py autotuned --turn idle --minutes 9 --out somewhere &   # touch idle: then it times

Parts, in this order whatever is asked for:
parity      each op's fused form against its reference in float64, in float32, float16 and bfloat16: the worst element
            within twice the reference's own error. Compiles what follows needs, on all cores; with `tests`, tests/gpu
            runs beside.
sweep       the kernels by how they divide their work. What of blocks and of the last convolution is fastest is what the
            parts after it take.
latency     each stage of V1 and V2 for 1 x 3 s, in graphs, by plans: divisions and tiles, whole blocks or single
            additions, in turn or side by side. The parts after it take the fastest.
times       V1, V2, V3 and the bundle's vocoder by batch and seconds: plain PyTorch in float32 (with TF32, as it comes)
            and bfloat16, channels innermost, the fused kernels, each with and without a CUDA graph. Medians of CUDA
            events after warming up; memory is the peak beyond weights and inputs.
compiled    torch.compile of --compile at --sizes, which compiles while parity is found, with and without a CUDA graph.
stages      each stage's residual blocks alone, beside the roofline of a stage that is one kernel.
profile     which kernels a fused vocoder's time goes into.
counters    of the main kernels of V2 and V1, by ncu.
autotuned   as compiled, with max-autotune; compiles at its turn, since it tries kernels on the GPU, or, with --turn,
            beside what else the machine does, and is timed when that file is there.

Every part runs in processes of its own, so that what fails takes no other with it. What is not reached within --minutes
is named. On a CPU there is nothing to run.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import torch

import gpu_latency
from environment import write_result
from gpu_forms import FORMS
from gpu_measurement import Measurement
from gpu_parity import LENGTHS

PARTS = ("parity", "sweep", "latency", "times", "compiled", "stages", "profile", "counters", "autotuned")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["parity", "times"], choices=("tests", *PARTS))
    parser.add_argument("--vocoders", nargs="+", default=["V1", "V2", "bundle", "V3"])
    parser.add_argument("--sizes", nargs="+", default=["16x10", "1x3"], help="batch x seconds, the first ones first")
    parser.add_argument("--compile", nargs="+", default=["V1", "V2"])
    parser.add_argument("--forms", nargs="+", type=int, default=list(range(len(FORMS))), help="by number, from 0")
    parser.add_argument("--kernels", nargs="+", default=[""], help="of the sweep: how their names begin")
    parser.add_argument("--lengths", nargs="+", type=int, default=list(LENGTHS), help="of parity")
    parser.add_argument("--ops", default="", help="of parity: a regular expression")
    parser.add_argument("--seconds", type=float, default=0.25, help="of times: for each form, at least three calls")
    parser.add_argument("--picked", type=Path, help="gpu.jsonl of an earlier run, of whose latency the plans are taken")
    parser.add_argument("--turn", type=Path, help="of autotuned: the file that says that the GPU is idle")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--processes", type=int, default=14, help="at once, where the GPU is not timed")
    parser.add_argument("--first", type=float, default=0.55, help="of the time: that parity may take")
    parser.add_argument("--quick-sweep", action="store_true", help="one division of each kernel and size")
    parser.add_argument("--out", type=Path, help="also write the rows there, as they come")
    parser.add_argument("--name", help="of a file in benchmarks/results to write")
    args = parser.parse_args()
    begun = time.monotonic()
    torch.set_num_threads(1)  # of each process
    logging.getLogger("voxclone").setLevel(logging.ERROR)  # that a kernel is compiled
    if args.picked:
        gpu_latency.take(gpu_latency.picked_in(args.picked))
    measurement = Measurement(args, begun + 60 * args.minutes)
    for part in [each for each in PARTS if each in args.parts]:
        getattr(measurement, part)()
        print(f"-- {part}: at {time.monotonic() - begun:.0f} s", flush=True)
    measurement.processes.end(measurement.processes.alive(), "no time was left")
    if args.name:
        print(write_result(args.name, {"minutes": args.minutes, "rows": measurement.rows}))


if __name__ == "__main__":
    main()
