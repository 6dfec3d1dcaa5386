"""The GPU's measurement off the GPU: what it imports, what it picks, and how runs become one result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ABSENT = ("soundfile", "soxr", "phonemizer", "espeakng_loader", "num2words", "pysbd", "torchaudio", "librosa", "onnx")


def run(code: str) -> str:
    """What Python prints for it where those packages cannot be imported."""
    blocked = (
        f"import sys\nfor name in {ABSENT}:\n    sys.modules[name] = None\nsys.path.insert(0, {str(BENCHMARKS)!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", blocked + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_needs_no_package_for_sound_or_text() -> None:
    assert run("import gpu, gpu_forms, gpu_result; print(gpu_forms.config_of('bundle').head)").strip() == "source_istft"


PICKING = """
from gpu_sweep import candidates, fastest
from voxclone.kernels.gpu import block, one_channel
names = {each.kernel for each in candidates(["block", "to one"])}
assert names == {"block of 6, in pairs", "block of 2, in pairs", "block of 2, single", "block of 1, single",
                 "to one channel"}, names
def row(kernel, size, division, ms):
    return {"kernel": kernel, "size": size, "division": division} | ({"ms": ms} if ms else {"failed": "so"})
rows = [row("block of 6, in pairs", f"8 channels, {taps} taps", division, ms)
        for division, times in (([2, 12, 0, 3], (1, 2)), ([2, 8, 0, 4], (2, 2)), ([4, 8, 0, 2], (0.1, None)))
        for taps, ms in zip((3, 7), times)]
rows += [row("block of 6, in pairs", "8 channels, 3 taps", [1, 8, 0, 4], 0.1)]
rows += [row("block of 2, single", "8 channels, 7 taps", [9, 9, 9, 9], 0.001)]
rows += [row("to one channel", "8 channels", [values], ms) for values, ms in ((1024, 3), (512, 1))]
divisions, values = fastest(rows)
assert divisions == block.PARTS | {8: (2, 12, 0, 3)} != block.PARTS and values == 512
assert fastest([]) == (block.PARTS, one_channel.VALUES)
"""


def test_the_fastest_of_a_sweep_over_all_its_sizes_is_picked() -> None:
    run(PICKING)


PARITY = """
from gpu_result import parities
rows = [{"run": run, "op": "conv1d", "dtype": "float32", "error": error, "bound": 2.0, "holds": error <= 2}
        for run, error in (("1", 3.0), ("7", 1.0), ("7", 0.5))]
print(list(parities(rows)))
"""


def test_parity_is_that_of_the_last_run() -> None:
    expected = {"run": "7", "op": "conv1d", "dtype": "float32", "lengths": 2, "hold": 2, "worst_of_bound": 0.5}
    assert run(PARITY).strip() == str([expected])
