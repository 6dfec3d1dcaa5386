"""The residual blocks of one short utterance by plans, stage by stage in CUDA graphs: a part of benchmarks/gpu.py.

A plan is how a stage of few thread blocks is made: its division, or above 128 channels Triton's tile; whether a block
is one launch or one for each addition; and whether the blocks are side by side. `check` compiles what a plan needs and
compares what it makes with plain PyTorch's in float32, in many processes at once; `clock` times it, alone, and looks
whether its graph makes what its launches make in turn, bit for bit.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

from gpu_forms import Call, capture_graph, config_of, prepared
from gpu_forms import clock as clocked
from voxclone.kernels.gpu import block, residual
from voxclone.kernels.gpu.convolution import Tile

SECONDS = 3.0
# By width, an H200's fastest first: groups, parts, stages, thread blocks at once; above 128, the Triton kernel's tile
DIVISIONS: dict[int, Sequence[tuple[int, ...]]] = {
    256: (
        *((64, 64, 128, 4, 3), (64, 64, 64, 4, 4), (64, 128, 64, 4, 4), (64, 64, 64, 4, 3), (64, 64, 64, 8, 4)),
        *((128, 64, 64, 4, 3), (32, 64, 128, 4, 4), (32, 128, 64, 4, 4), (64, 128, 64, 8, 3), (128, 64, 64, 8, 4)),
    ),
    128: ((3, 1, 4, 1), (2, 1, 4, 1), (4, 1, 4, 1), (2, 2, 4, 1), (1, 2, 4, 1), (2, 1, 3, 1)),
    64: (
        *((2, 1, 4, 2), (4, 1, 4, 1), (2, 2, 3, 2), (2, 1, 3, 3)),
        *((4, 1, 4, 2), (3, 1, 4, 2), (2, 2, 4, 1), (3, 2, 4, 1), (3, 3, 4, 1)),
    ),
    32: (
        *((4, 2, 4, 2), (4, 1, 4, 1), (4, 1, 4, 2), (2, 2, 4, 2), (2, 1, 4, 4)),
        *((2, 2, 4, 4), (3, 2, 4, 2), (2, 1, 4, 2), (2, 5, 4, 2)),
    ),
    16: ((2, 2, 0, 4), (4, 2, 0, 2), (4, 1, 0, 2), (4, 1, 4, 2), (4, 4, 0, 2)),
    8: ((2, 2, 0, 4), (4, 2, 0, 2), (2, 4, 0, 4), (4, 1, 0, 2), (4, 4, 0, 2), (1, 16, 0, 5)),
}
IN_TURN = 2  # of the first divisions: those that are timed in turn, too, where a block is several launches
STAGES = {"V1": (256, 128, 64, 32), "V2": (64, 32, 16, 8)}  # channels


class Plan(NamedTuple):
    """How a stage is made; the fields of `block.Small` or `residual.Small`, of a vocoder's stage."""

    vocoder: str
    channels: int
    division: tuple[int, ...]
    whole: bool
    at_once: bool

    def row(self) -> dict[str, Any]:
        return {**self._asdict(), "division": list(self.division)}

    def small(self) -> block.Small | residual.Small:
        if self.channels > block.MOST_CHANNELS:
            return residual.Small(Tile(*self.division), self.at_once)
        return block.Small(self.division, self.whole, self.at_once)  # type: ignore[arg-type]  # of four numbers

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Where the kernels' doors find it."""
        small: dict[int, Any] = {self.channels: self.small()}
        with mock.patch.dict(residual.SMALL if self.channels > block.MOST_CHANNELS else block.SMALL, small):
            yield


def plans(vocoders: Sequence[str]) -> list[Plan]:
    """The fastest divisions of each stage first; some in turn, as a graph had them at first, among them."""
    found = []
    for vocoder in vocoders:
        for channels in STAGES.get(vocoder, ()):
            for number, division in enumerate(DIVISIONS[channels]):
                ways = [(False, True), (False, False)] if number < IN_TURN else [(False, True)]
                ways += [(True, False)] if channels <= block.WHOLE_BLOCKS else []
                made = [(number, Plan(vocoder, channels, division, whole, at_once)) for whole, at_once in ways]
                found += [(place, plan) for place, plan in made if _fits(plan)]
    return [plan for _, plan in sorted(found, key=lambda each: each[0])]


def _fits(plan: Plan) -> bool:
    if plan.channels > block.MOST_CHANNELS:
        return True
    dilations = (1, 1, 3, 1, 5, 1) if plan.whole else (5, 1)
    division = plan.division
    shapes = [block.Shape(plan.channels, taps, dilations, 2, 0.1, True, division) for taps in (3, 7, 11)]  # type: ignore[arg-type]  # of four
    return all(block.fits(shape) for shape in shapes)


@functools.cache
def _stage(vocoder: str, channels: int) -> tuple[Call, Tensor]:
    """A call of the stage's residual blocks in bfloat16, and what plain PyTorch makes in float32."""
    config, number = config_of(vocoder), STAGES[vocoder].index(channels)
    frames = round(SECONDS * config.sample_rate / config.hop_length)
    length = frames * math.prod(config.upsample_rates[: number + 1])
    fusion = _fusions(vocoder)[number]
    torch.manual_seed(0)
    rows = torch.randn(1, length, channels, device=next(fusion.parameters()).device, dtype=torch.bfloat16)
    x = rows.transpose(1, 2)  # channels innermost, as the upsampling leaves them
    os.environ["VOXCLONE_KERNELS"] = "reference"
    expected: Tensor = fusion(x.float())
    return lambda: fusion(x), expected


@functools.cache
@torch.inference_mode(False)
@torch.no_grad()
def _fusions(vocoder: str) -> Any:
    """With weights that what is added is half as large as what it is added to: as drawn at first, it is hardly seen."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    fusions: Any = prepared(vocoder, 1.0, 1)[0].fusions
    for weight in fusions.parameters():
        if weight.dim() == 3:
            torch.nn.init.normal_(weight, std=0.5 / math.sqrt(weight[0].numel()))
    return fusions


@torch.inference_mode()
def check(plan: Plan) -> dict[str, Any]:
    """Seconds to compile, and the error in the norm."""
    begun = time.monotonic()
    try:
        call, expected = _stage(plan.vocoder, plan.channels)
        os.environ["VOXCLONE_KERNELS"] = "fused"
        with plan.taken():
            made = call().float()
        error = float((made - expected).norm() / expected.norm())
    except Exception as failed:  # noqa: BLE001  # whatever it is belongs into the table
        return {**plan.row(), "failed": f"{type(failed).__name__}: {str(failed)[-300:]}"}
    return {**plan.row(), "error": float(f"{error:.1e}"), "seconds": round(time.monotonic() - begun, 1)}


@torch.inference_mode()
def clock(plan: Plan) -> dict[str, Any]:
    """The median of a replay's milliseconds, the error in the norm, and whether it equals what is made in turn."""
    try:
        call, expected = _stage(plan.vocoder, plan.channels)
        os.environ["VOXCLONE_KERNELS"] = "fused"
        with plan.taken():
            alone = call().clone()
            replay = capture_graph(call, ())
        made = replay()
        row = {**plan.row(), "alike": bool(torch.equal(made, alone)), "launches": _launches(plan)}
        row["error"] = float(f"{float((made.float() - expected).norm() / expected.norm()):.1e}")
        return {**row, "ms": clocked(replay, 0.1)["ms"]}
    except Exception as failed:  # noqa: BLE001  # whatever it is belongs into the table
        return {**plan.row(), "failed": f"{type(failed).__name__}: {str(failed)[-300:]}"}


def _launches(plan: Plan) -> int:
    """Of three blocks of three pairs."""
    return 3 if plan.whole else 18 if plan.channels > block.MOST_CHANNELS else 9


def right(row: dict[str, Any]) -> bool:
    """Whether a row of `clock` may be picked: right, and in a graph the same as in turn."""
    return "ms" in row and row.get("alike", False) and row.get("error", math.inf) < 0.02


def fastest(rows: Sequence[dict[str, Any]]) -> dict[int, block.Small | residual.Small]:
    """Of each width the plan that takes least in the sum over all stages of that width that were timed.

    Args:
        rows: Of `clock`. A plan that is not `right` in one of the stages is none.
    """
    timed = [row for row in rows if right(row)]
    found: dict[int, block.Small | residual.Small] = {}
    for channels in dict.fromkeys(row["channels"] for row in timed):
        alike = sorted((row for row in timed if row["channels"] == channels), key=_way)
        vocoders = {row["vocoder"] for row in alike}
        sums = {}
        for way, group in itertools.groupby(alike, _way):
            each = {row["vocoder"]: row["ms"] for row in group}
            if set(each) == vocoders:
                sums[way] = sum(each.values())
        if sums:
            division, whole, at_once = min(sums, key=lambda way: sums[way])
            found[channels] = Plan("", channels, division, whole, at_once).small()
    return found


def _way(row: dict[str, Any]) -> tuple[tuple[int, ...], bool, bool]:
    return tuple(row["division"]), row["whole"], row["at_once"]


def picked() -> dict[str, Any]:
    """What the modules hold, as a row."""
    return {"blocks of few": dict(block.SMALL), "tiles of few": dict(residual.SMALL)}


def picked_in(path: Path) -> dict[int, block.Small | residual.Small]:
    """What an earlier run's rows say was picked last."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    last = next(row for row in reversed(rows) if "blocks of few" in row)
    blocks = {int(width): block.Small(tuple(given[0]), *given[1:]) for width, given in last["blocks of few"].items()}
    tiles = {int(width): residual.Small(Tile(*given[0]), given[1]) for width, given in last["tiles of few"].items()}
    return {**blocks, **tiles}


def take(found: dict[int, block.Small | residual.Small]) -> None:
    """As the values of the modules, of this process and those that are forked from it."""
    for channels, small in found.items():
        if isinstance(small, block.Small):
            block.SMALL[channels] = small
        else:
            residual.SMALL[channels] = small
