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


PLANS = """
import torch
import gpu_latency
from gpu_latency import Plan, fastest, plans, right, take
from voxclone.kernels.gpu import block, residual
every = plans(["V1", "V2", "bundle"])
assert len(every) == len(set(every)) and {each.vocoder for each in every} == {"V1", "V2"}
assert {each.channels for each in every} == {256, 128, 64, 32, 16, 8}
for each in every:  # what a graph had before is among them, and every plan is one that its stage is made by
    with each.taken():
        if each.channels > block.MOST_CHANNELS:
            assert residual.SMALL[each.channels] == each.small()
            continue
        weights = [torch.zeros(each.channels, each.channels, taps) for taps in (3, 7, 11) for _ in range(6)]
        x = torch.zeros(1, dtype=torch.bfloat16).expand(1, each.channels, 258 * 64)
        launches = block.shapes_of(x, weights, [1, 1, 3, 1, 5, 1] * 3, [6] * 3, 2, 0.1)
        assert {shape.division for shape, _ in launches} == {each.division}
        assert block.SMALL[each.channels].at_once == each.at_once
        assert len(launches) == gpu_latency._launches(each)
assert all(block.SMALL[channels].division == gpu_latency.DIVISIONS[channels][0] for channels in block.SMALL)

def row(plan, ms, alike=True, error=0.004):
    return {**plan.row(), "alike": alike, "error": error} | ({"ms": ms} if ms else {"failed": "so"})
one, other = Plan("V1", 64, (2, 1, 4, 2), False, True), Plan("V1", 64, (4, 1, 4, 1), True, False)
rows = [row(one, 1.0), row(one._replace(vocoder="V2"), 1.0), row(other, 1.5), row(other._replace(vocoder="V2"), 0.1)]
rows += [row(Plan("V1", 64, (9, 9, 9, 9), False, True), 0.1)]  # not timed in V2
for wrong in ({"alike": False}, {"error": 0.5}, {"error": float("nan")}):
    plan = Plan("V1", 64, (8, 8, 8, 8), False, True)
    rows += [row(plan, 0.1) | wrong, row(plan._replace(vocoder="V2"), 0.1)]
    assert not right(rows[-2])
rows += [row(Plan("V1", 256, (64, 64, 128, 4, 3), False, True), 0.1)]
rows += [row(Plan("V1", 128, (2, 1, 4, 1), False, True), 0)]
found = fastest(rows)
assert found == {64: block.Small((4, 1, 4, 1), True, False), 256: residual.Small((64, 64, 128, 4, 3), True)}, found
before = block.SMALL[128]
take(found | {64: one.small()})
assert block.SMALL[64] == block.Small((2, 1, 4, 2), False, True) and block.SMALL[128] == before
assert residual.SMALL[256].tile.depth == 128
path.write_text(json.dumps({"task": "x"}) + "\\n" + json.dumps({"task": "picked", **gpu_latency.picked()}) + "\\n")
again = gpu_latency.picked_in(path)
assert again == block.SMALL | residual.SMALL and [type(each) for each in again.values()].count(residual.Small) == 1
assert isinstance(again[64].division, tuple) and isinstance(again[256].tile, gpu_latency.Tile)
"""


def test_the_plan_that_is_right_and_fastest_over_all_stages_is_taken(tmp_path: Path) -> None:
    run(f"import json\nfrom pathlib import Path\npath = Path({str(tmp_path)!r}, 'gpu.jsonl')\n{PLANS}")


ON_A_CPU = """
import os
from unittest import mock
import torch
import gpu_forms, gpu_latency, gpu_work, kernels
prepare = kernels.prepare
gpu_forms.prepare = lambda *given: prepare(*given[:-1], torch.device("cpu"))
gpu_forms.timed = lambda call, device: kernels.timed(call, "cpu")
for name in ("synchronize", "reset_peak_memory_stats", "memory_allocated", "max_memory_allocated"):
    setattr(torch.cuda, name, lambda: 0)
def capture_graph(call, inputs):
    return lambda: call(*inputs).clone()
for module in (gpu_forms, gpu_latency, gpu_work):
    module.capture_graph = capture_graph
gpu_latency.SECONDS = 0.05
"""


def test_plans_are_checked_and_timed() -> None:
    rows = run(f"""{ON_A_CPU}
plan = gpu_latency.Plan("V2", 8, (2, 4, 0, 4), False, True)
emitted = []
gpu_work.checking_plans([plan])(emitted.append)
gpu_work.timing_plans([plan, plan._replace(vocoder="none")])(emitted.append)
checked, timed, unknown = emitted
assert 0 < checked["error"] == timed["error"] < 0.02 and timed["alike"] and timed["ms"] > 0 and timed["launches"] == 9
assert gpu_latency.right(timed) and not gpu_latency.right(unknown) and "KeyError" in unknown["failed"]
print(len(emitted))
""")
    assert rows.strip() == "3"


def test_a_vocoder_is_timed_in_its_forms() -> None:
    run(f"""{ON_A_CPU}
emitted = []
forms = list(gpu_forms.FORMS)
assert forms[12] == "fused bfloat16, graph, in turn"
with mock.patch.object(gpu_work, "prepared", wraps=gpu_work.prepared) as once:
    gpu_work.timing("V3", ["1x0.1", "2x0.05"], [1, 12], 0.0)(emitted.append)
assert once.call_count == 1
assert [(row["size"], row["form"]) for row in emitted] == [
    (size, form) for size in ("1x0.1", "2x0.05") for form in ("arithmetic floor", forms[1], forms[12])]
assert all(row["ms"] > 0 for row in emitted) and all(row["error"] < 0.02 for row in emitted if "error" in row), emitted
calls = []
gpu_forms.clock(lambda: calls.append(0), 0.0)
assert len(calls) == 3 + 3
""")


IN_TURN = """
from unittest import mock
import gpu_forms
from voxclone.kernels.gpu import branches
seen = []
made = mock.patch.object(gpu_forms, "run", lambda *given: lambda: seen.append(branches.captured(None)))
with made, mock.patch.object(gpu_forms, "capture_graph", lambda call, inputs: call):
    with mock.patch.object(branches, "captured", lambda device: True):
        gpu_forms.form("fused bfloat16, graph, in turn", None, ())()
        gpu_forms.form("fused bfloat16, graph", None, ())()
print(seen)
"""


def test_a_form_is_in_turn() -> None:
    assert run(IN_TURN).strip() == "[False, True]"


TURNS = """
import sys, time
from pathlib import Path
from gpu_processes import FileTurn, Processes, Task
folder = Path(sys.argv[1])
turn, said = FileTurn(folder / "idle"), []
processes = Processes(said.append)
def work(name):
    def waiting(emit):
        emit({"ready": name})
        turn.wait()
        begun = time.monotonic()
        time.sleep(0.3)
        emit({"begun": begun, "ended": time.monotonic()})
    return waiting
for name in "ab":
    processes.start(Task(name, work(name), 30))
end = time.monotonic() + 1
while time.monotonic() < end:
    processes.poll()
assert processes.alive() == {"a", "b"}
(folder / "idle").touch()
while processes.alive():
    processes.poll()
one, other = sorted((row["begun"], row["ended"]) for row in said if "begun" in row)
assert one[1] <= other[0], said
"""


def test_a_file_begins_turns_one_after_another(tmp_path: Path) -> None:
    run(f"import sys\nsys.argv = ['', {str(tmp_path)!r}]\n{TURNS}")


def test_each_mode_is_compiled_before_its_turn(tmp_path: Path) -> None:
    said = run(f"""{ON_A_CPU}
from pathlib import Path
from gpu_processes import FileTurn
compile = torch.compile
torch.compile = lambda module, mode, dynamic: compile(module, backend="eager", dynamic=dynamic)
turn = FileTurn(Path({str(tmp_path)!r}, "idle"))
for mode, given in ((None, None), ("max-autotune-no-cudagraphs", turn)):
    emitted = []
    wait = mock.patch.object(turn, "wait", side_effect=lambda: emitted.append("turn"))
    with wait, mock.patch.object(gpu_work.os, "nice") as nice:
        gpu_work.compiling("V3", mode, ["1x0.1", "2x0.1"], given)(emitted.append)
    assert nice.called == (given is not None)
    print([each if each == "turn" else (each["size"], each["form"]) for each in emitted])
    assert all(each["ms"] > 0 for each in emitted if each != "turn")
""")
    sizes = [(size, form) for size in ("1x0.1", "2x0.1") for form in ("bfloat16", "bfloat16, graph")]
    usual, tuned = (
        [(size, f"{kind} {form}") for size, form in sizes] for kind in ("compiled", "compiled max-autotune")
    )
    assert said.splitlines() == [str(usual), str(["turn", *tuned])]


FURTHER = """
import json
import gpu_result
lat, log = folder / "lat", folder / "auto.log"
lat.mkdir()
rows = [{"part": "parity", "task": "environment", "environment": {"command": "python x.py --out ../y", "cores": 16}},
        {"part": "parity", "task": "check plans", "channels": 8, "error": 0.2},
        {"part": "parity", "task": "check plans", "channels": 8, "error": 0.1},
        {"part": "parity", "task": "conv1d", "op": "conv1d", "dtype": "float32", "error": 1, "bound": 2, "holds": True},
        {"part": "times", "task": "V1", "vocoder": "V1", "size": "1x3", "form": "fused bfloat16", "ms": 2.0}]
(lat / "gpu.jsonl").write_text("\\n".join(map(json.dumps, rows)))
log.write_text("+ x\\nvocoder=V1 size=1x3 compile_seconds=28.8 form=compiled bfloat16, graph ms=2.5\\n"
               "! vocoder=V2 failed=it ended: 3 of 4\\n-- autotuned: at 9 s\\n")
before = gpu_result.assembled([f"7={lat}@abc"])
after = gpu_result.assembled([f"8={lat}@def", f"8={log}@def"])
result = gpu_result.joined(json.loads(json.dumps(before)), after)
assert [(run["run"], run["commit"], run["environment"] is None) for run in result["runs"]] == [
    ("7", "abc", False), ("8", "def", False), ("8", "def", True)]
assert result["environment"] == {"command": "python x.py", "cores": 16, "commit": "def"}
assert [(row["run"], row["ms"]) for row in result["times"]] == [("7", 2.0), ("8", 2.0)]
assert result["compiled"] == [{"run": "8", "vocoder": "V1", "size": "1x3", "compile_seconds": 28.8,
                               "form": "compiled bfloat16, graph", "ms": 2.5, "as_printed": True}]
assert result["not_reached"] == [
    {"run": "8", "part": "autotuned", "task": "autotuned V2", "why": "it ended: 3 of 4"}]
assert result["checks"] == {"stage of a short input, 8 channels": {"divisions": 4, "worst_error": 0.2}}
assert [row["run"] for row in result["parity"]] == ["8"]
assert result["assembled"].count("python benchmarks/gpu_result.py") == 2 and " && " in result["assembled"]
assert result["assembled"].count("--further") == 1
try:
    gpu_result.joined(result, after)
except SystemExit as refused:
    print(refused)
"""


def test_a_later_run_is_added_to_the_result(tmp_path: Path) -> None:
    said = run(f"from pathlib import Path\nfolder = Path({str(tmp_path)!r})\n{FURTHER}")
    assert said.strip() == "run 8 is in the result already"


def test_rows_of_a_part_that_has_not_ended_are_not_taken() -> None:
    printed = "list(gpu_result.printed('vocoder=V1 ms=1.0'))"
    code = f"import gpu_result\ntry:\n    {printed}\nexcept SystemExit as refused:\n    print(refused)"
    assert run(code).strip() == "1 rows belong to no part that has ended"
