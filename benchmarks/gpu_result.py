"""One result file and one picture of several runs of benchmarks/gpu.py on a machine that is lent for minutes.

    python benchmarks/gpu_result.py runs/gpu/1@c636874 runs/gpu/3@c636874 runs/gpu/6@471a8bc
    python benchmarks/gpu_result.py --further 8=runs/gpu/8/a/lat@c756c5b 8=runs/gpu/8/b/auto.log@c756c5b

A run is the folder that it wrote and the commit of the code that ran, which the machine has no history to tell; its
number is the folder's name, or what stands before it, since a run may have written several. In the place of a folder
there may be what was printed, where that is all that came back; its rows say so. Rows are as they were written, each
with its run's number; parities and checks are counted, their worst kept. A run without a row of its environment is of
the same machine. Where a run wrote is left out of its command. `--further` keeps the result that there is, and has the
new runs after its own.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from environment import RESULTS

Row = dict[str, Any]
PARTS = ("latency", "times", "compiled", "stages", "profile", "counters", "sweep")
SHOWN = ("eager float32", "eager bfloat16", "channels-last bfloat16", "fused bfloat16", "fused bfloat16, graph")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="[number=]folder@commit; what runs later comes later")
    parser.add_argument("--further", action="store_true", help="add them to the result that there is")
    args = parser.parse_args()
    path = RESULTS / "gpu.json"
    result = assembled(args.runs)
    if args.further:
        result = joined(json.loads(path.read_text(encoding="utf-8")), result)
    path.write_text(written(result), encoding="utf-8")
    draw(result["times"])
    print(path)


def assembled(given: list[str]) -> Row:
    """The result of runs, as the command line names them."""
    runs: list[Row] = []
    rows: list[Row] = []
    for run in given:
        number, folder, commit = named(run)
        found = read(folder)
        runs.append({"run": number, "commit": commit, "environment": environment(folder, found)})
        rows += [{"run": number, **row} for row in found]
    last = next(run["environment"] for run in reversed(runs) if run["environment"] is not None)
    result: Row = {"environment": last | {"commit": runs[-1]["commit"]}}
    result |= {"assembled": shlex.join(["python", "benchmarks/gpu_result.py", *given]), "runs": runs}
    result |= {"tests": [without(row, "part", "task") for row in rows if "tests" in row]}
    result |= {"picked": [without(row, "part", "task") for row in rows if row["task"] == "picked"]}
    result |= {"parity": list(parities(rows)), "checks": checks(rows)}
    result |= {part: [without(row, "part", "task") for row in rows if is_of(row, part)] for part in PARTS}
    result["not_reached"] = [reason(row) for row in rows if "failed" in row or "left_out" in row]
    return result


def joined(before: Row, after: Row) -> Row:
    """A result and that of later runs: all rows of both, but of an op's parity in a dtype the later one."""
    again = {run["run"] for run in before["runs"]} & {run["run"] for run in after["runs"]}
    if again:
        raise SystemExit(f"run {min(again)} is in the result already")
    anew = {(row["op"], row["dtype"]) for row in after["parity"]}
    kept = [row for row in before["parity"] if (row["op"], row["dtype"]) not in anew]
    command = after["assembled"].replace("gpu_result.py", "gpu_result.py --further")
    result = after | {"assembled": f"{before['assembled']} && {command}", "parity": kept + after["parity"]}
    for key in ("runs", "tests", "picked", *PARTS, "not_reached"):
        result[key] = before.get(key, []) + after[key]
    counted = before["checks"] | after["checks"]
    for kernel in before["checks"].keys() & after["checks"].keys():
        one, other = before["checks"][kernel], after["checks"][kernel]
        worst = max(one["worst_error"], other["worst_error"])
        counted[kernel] = {"divisions": one["divisions"] + other["divisions"], "worst_error": worst}
    return result | {"checks": counted}


def named(run: str) -> tuple[str, Path, str]:
    """Number, folder or file, commit."""
    place, commit = run.rsplit("@", 1)
    number, _, folder = place.rpartition("=")
    return number or Path(folder).name, Path(folder), commit


def read(folder: Path) -> list[Row]:
    if folder.is_file():
        return list(printed(folder.read_text(encoding="utf-8")))
    return [json.loads(line) for line in (folder / "gpu.jsonl").read_text(encoding="utf-8").splitlines()]


def printed(text: str) -> Iterator[Row]:
    """The rows of a log, rounded as they were printed: `name=value` side by side, parts ended by a line with `--`."""
    rows: list[Row] = []
    for line in text.splitlines():
        ended = re.match(r"-- (\w+): at \d+ s", line)
        if ended:
            yield from ({"part": ended[1], "task": f"{ended[1]} {row['vocoder']}", **row} for row in rows)
            rows = []
        elif line.removeprefix("! ").startswith("vocoder="):
            pairs = re.findall(r"(\w+)=(.*?)(?= \w+=|$)", line)
            values = {key: float(value) if re.fullmatch(r"[\d.]+", value) else value for key, value in pairs}
            rows.append({**values, "as_printed": True})
    if rows:
        raise SystemExit(f"{len(rows)} rows belong to no part that has ended")


def environment(folder: Path, rows: list[Row]) -> Row | None:
    """What a run wrote of it, as a row or with its result."""
    path = folder / "gpu.json"
    tables = [json.loads(path.read_text(encoding="utf-8"))] if path.exists() else rows
    found = next((each["environment"] for each in tables if "environment" in each), None)
    return None if found is None else found | {"command": re.sub(r" --out \S+", "", found["command"])}


def is_of(row: Row, part: str) -> bool:
    own = "failed" not in row and "left_out" not in row and row["task"] != "picked"
    return own and (row["part"] == part or (part == "compiled" and "compile_seconds" in row))


def without(row: Row, *keys: str) -> Row:
    return {key: value for key, value in row.items() if key not in keys}


def reason(row: Row) -> Row:
    said = str(row.get("failed", row.get("left_out"))).strip().splitlines()[-1]
    return {"run": row["run"], "part": row["part"], "task": row["task"], "why": said}


def parities(rows: list[Row]) -> Iterator[Row]:
    """A row for each op and dtype, of the last run that has it: of how many lengths, how many hold, and the worst error
    in parts of its bound.
    """
    found = [row for row in rows if "holds" in row]
    for op, dtype in dict.fromkeys((row["op"], row["dtype"]) for row in found):
        alike = [row for row in found if (row["op"], row["dtype"]) == (op, dtype)]
        alike = [row for row in alike if row["run"] == alike[-1]["run"]]
        worst = max(row["error"] / row["bound"] for row in alike)
        held = sum(row["holds"] for row in alike)
        yield {
            "run": alike[-1]["run"],
            "op": op,
            "dtype": dtype,
            "lengths": len(alike),
            "hold": held,
            "worst_of_bound": round(worst, 3),
        }


def checks(rows: list[Row]) -> dict[str, Row]:
    """By kernel: how many divisions of all its sizes were compared with plain PyTorch, and the worst error's norm."""
    found = [row for row in rows if row["task"].startswith("check") and "error" in row]
    errors: dict[str, list[float]] = {}
    for row in found:
        errors.setdefault(checked(row), []).append(row["error"])
    return {each: {"divisions": len(values), "worst_error": max(values)} for each, values in errors.items()}


def checked(row: Row) -> str:
    """What a check was of: a kernel, or the plan of a short input's stage."""
    if "kernel" not in row:
        return f"stage of a short input, {row['channels']} channels"
    return f"head, {row['size']}" if row["kernel"] == "head" else row["kernel"]


def written(result: Row) -> str:
    """JSON with a line for each row of a table."""
    parts = []
    for key, value in result.items():
        if isinstance(value, list):
            lines = ",\n".join(f"    {json.dumps(row)}" for row in value)
            parts.append(f'  "{key}": [\n{lines}\n  ]')
        else:
            parts.append(f'  "{key}": {json.dumps(value, indent=2)}'.replace("\n", "\n  "))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def draw(times: list[Row]) -> None:
    """Milliseconds of 16 x 10 s, of the last run that has a form."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 4, figsize=(12, 3.2))
    for axis, vocoder in zip(axes, ("V1", "V2", "V3", "bundle"), strict=True):
        latest = {row["form"]: row["ms"] for row in times if (row["vocoder"], row["size"]) == (vocoder, "16x10")}
        bars = axis.barh(range(len(SHOWN)), [latest.get(form, 0.0) for form in SHOWN], color="tab:blue")
        axis.bar_label(bars, [f"{latest[form]:.1f}" if form in latest else "not timed" for form in SHOWN], fontsize=8)
        axis.axvline(latest["arithmetic floor"], color="tab:red", linewidth=1)
        axis.set(title=vocoder, xlim=(0, 1.25 * latest["eager float32"]))
        axis.set_yticks(range(len(SHOWN)), SHOWN if axis is axes[0] else [""] * len(SHOWN), fontsize=8)
        axis.invert_yaxis()
    figure.supxlabel("milliseconds for 16 x 10 s; red: the arithmetic alone at 790 TFLOP/s", fontsize=9)
    figure.tight_layout()
    figure.savefig(RESULTS / "gpu.png", dpi=110)


if __name__ == "__main__":
    main()
