"""A vocoder on a GPU in each of its forms, and what a form takes: milliseconds, memory, error."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

import voxclone
from gpu_processes import Row
from kernels import VERSIONS, drawn_inputs, prepare, timed
from voxclone import hub
from voxclone.config import VocoderConfig
from voxclone.models.vocoder.cost import multiply_adds

_file = Path(voxclone.__file__).parent / "synthesis" / "graphs.py"  # the package around it needs to read sound files
_spec = importlib.util.spec_from_file_location("graphs", _file)
assert _spec is not None and _spec.loader is not None
_spec.loader.exec_module(_graphs := importlib.util.module_from_spec(_spec))
capture_graph = _graphs.capture_graph
Call = Callable[[], Tensor]
PEAK_FLOPS, PEAK_BYTES = 790e12, 4.3e12  # of an H200 in bfloat16, as measured on such a chip
FORMS = {
    "eager float32": ("reference", torch.float32, False, False),  # mode, dtype, channels innermost, graph
    "eager bfloat16": ("reference", torch.bfloat16, False, False),
    "eager bfloat16, graph": ("reference", torch.bfloat16, False, True),
    "fused bfloat16": ("fused", torch.bfloat16, False, False),
    "fused bfloat16, graph": ("fused", torch.bfloat16, False, True),
    "auto bfloat16": ("auto", torch.bfloat16, False, False),
    "auto bfloat16, graph": ("auto", torch.bfloat16, False, True),
    "fused bfloat16, graph, usual divisions": ("fused", torch.bfloat16, False, True),  # for short inputs, too
    "fused without blocks": ("fused", torch.bfloat16, False, False),
    "channels-last bfloat16": ("fused", torch.bfloat16, True, False),
    "fused float32": ("fused", torch.float32, False, False),
    "fused float16": ("fused", torch.float16, False, False),
    "fused bfloat16, graph, in turn": ("fused", torch.bfloat16, False, True),  # no residual blocks side by side
}
USUAL = {"block.FEW": 0, "convolution.FEW": 0}  # long inputs' divisions for all


def sized(size: str) -> tuple[int, float]:
    batch, seconds = size.split("x")
    return int(batch), float(seconds)


@torch.inference_mode(False)
@torch.no_grad()
def prepared(name: str, seconds: float, batch: int) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A vocoder on the GPU and its inputs; its weights know whether they were written to, to be packed once."""
    return prepare(name, None, seconds, batch, torch.device("cuda"))


def inputs_of(vocoder: nn.Module, seconds: float, batch: int) -> tuple[Tensor, Tensor]:
    """As `prepared` makes them, for a vocoder that is there."""
    torch.manual_seed(0)
    mel, f0 = drawn_inputs(seconds, batch)
    device = next(vocoder.parameters()).device
    return mel.to(device), f0.to(device)


def form(name: str, vocoder: nn.Module, inputs: tuple[Tensor, Tensor]) -> Call:
    mode, dtype, innermost, captured = FORMS[name]
    made = run(vocoder, vocoder, inputs, mode, dtype)
    if innermost:
        made = channels_last(made)
    if "without" in name:
        made = patched(made, {"block.serves": lambda device: False})
    if "usual" in name:
        made = patched(made, USUAL)
    if "in turn" in name:
        made = patched(made, {"branches.captured": lambda device: False})
    return capture_graph(made, ()) if captured else made


def patched(call: Call, changed: dict[str, Any]) -> Call:
    """The same with names in `voxclone.kernels.gpu` that stand for something else."""

    def work() -> Tensor:
        with contextlib.ExitStack() as stack:
            for name, value in changed.items():
                stack.enter_context(mock.patch(f"voxclone.kernels.gpu.{name}", value))
            return call()

    return work


def run(vocoder: nn.Module, module: nn.Module, inputs: tuple[Tensor, Tensor], mode: str, dtype: torch.dtype) -> Call:
    """A call of a module that is the vocoder or stands for it, in a mode of the kernels' doors and a dtype."""

    def call() -> Tensor:
        os.environ["VOXCLONE_KERNELS"] = mode
        vocoder.precision = dtype  # type: ignore[assignment]  # a plain attribute
        made: Tensor = module(*inputs)
        return made

    return call


def channels_last(call: Call) -> Call:
    """The same by the ops' forms for a CPU: plain PyTorch, channels innermost."""

    def patched() -> Tensor:
        with contextlib.ExitStack() as stack:
            for op in ("conv1d", "conv_transpose1d", "multi_receptive_field", "istft_head", "pulse_source"):
                stack.enter_context(mock.patch(f"voxclone.kernels.{op}.runs_directly", return_value=True))
            return call()

    return patched


@torch.inference_mode()
def whole(
    name: str, vocoder: nn.Module, batch: int, seconds: float, wanted: list[str], clocked: float
) -> Iterator[Row]:
    """Milliseconds, memory and error of each form of a vocoder, after what its arithmetic alone would take.

    Args:
        name: Of the vocoder.
        vocoder: Which `prepared` made.
        batch: Utterances.
        seconds: Of each.
        wanted: Forms, by name.
        clocked: Seconds that a form is timed for, at least three calls.
    """
    inputs = inputs_of(vocoder, seconds, batch)
    floor = 2e3 * multiply_adds(config_of(name)) * seconds * batch / PEAK_FLOPS
    yield {"form": "arithmetic floor", "ms": round(floor, 4)}
    expected: Tensor | None = None
    for each in wanted:
        try:
            call = form(each, vocoder, inputs)
            made = call().float()
            expected = made.clone() if expected is None else expected
            error = float((made - expected).norm() / expected.norm())
            del made
            yield {"form": each, **clock(call, clocked), "error": float(f"{error:.1e}")}
        except Exception as refused:  # noqa: BLE001  # a form that this machine lacks is a row of the table too
            yield {"form": each, "refused": f"{type(refused).__name__}: {str(refused)[-400:]}"}
        call = None  # type: ignore[assignment]  # its graph's memory is not the next one's


def clock(call: Call, seconds: float = 0.25) -> dict[str, float]:
    """Median milliseconds of at least three calls after warming up, and the peak of memory beyond what was before."""
    for _ in range(2):
        call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before, begun = torch.cuda.memory_allocated(), time.monotonic()
    call()
    torch.cuda.synchronize()
    once, peak = time.monotonic() - begun, (torch.cuda.max_memory_allocated() - before) / 2**20
    times = [timed(call, "cuda")[0] for _ in range(min(100, max(3, int(seconds / once))))]
    return {"ms": round(1e3 * statistics.median(times), 4), "peak_mib": round(peak, 1)}


def config_of(name: str) -> VocoderConfig:
    return VERSIONS[name] if name in VERSIONS else hub.read_config(hub.resolve(None)).vocoder


@torch.inference_mode()
def stages(name: str, batch: int = 16, seconds: float = 10.0) -> Iterator[Row]:
    """Each stage's residual blocks in bfloat16, eager and fused, beside the roofline of a stage that is one kernel."""
    config = config_of(name)
    (vocoder, _), channels = prepared(name, 1.0, 1), config.upsample_initial_channel
    length = round(seconds * config.sample_rate / config.hop_length)
    per_residual = 2 if config.resblock == "1" else 1
    shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    taps = sum(kernel * len(dilations) * per_residual for kernel, dilations in shapes)
    for rate, fusion in zip(config.upsample_rates, vocoder.fusions, strict=True):  # type: ignore[arg-type]
        length, channels = length * rate, channels // 2
        x = torch.randn(batch, channels, length, device="cuda", dtype=torch.bfloat16)
        arithmetic = 2e3 * batch * length * channels**2 * taps / PEAK_FLOPS
        traffic = 2e3 * x.numel() * x.element_size() / PEAK_BYTES
        row: Row = {"vocoder": name, "channels": channels, "length": length, "batch": batch}
        row |= {"arithmetic_ms": round(arithmetic, 4), "traffic_ms": round(traffic, 4)}
        for mode in ("reference", "fused"):
            os.environ["VOXCLONE_KERNELS"] = mode
            try:
                row[f"{mode}_ms"] = clock(lambda: fusion(x))["ms"]  # noqa: B023  # called at once
            except Exception as refused:  # noqa: BLE001  # a stage that fails is a row of the table too
                row[f"{mode}_refused"] = f"{type(refused).__name__}: {str(refused)[-300:]}"
            else:
                row[f"{mode}_of_roofline"] = round(max(arithmetic, traffic) / row[f"{mode}_ms"], 3)
        yield row
