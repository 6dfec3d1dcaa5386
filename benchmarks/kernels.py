"""Vocoders by each form of their ops: plain PyTorch, channels innermost, bfloat16, torch.compile, ONNX, OpenVINO.

    python benchmarks/kernels.py --threads 2 --seconds 5 --compile --backends onnxruntime openvino

With --public the public HiFi-GAN code runs beside, and what each form makes is compared with what it makes.

The forms of one vocoder take turns in one process, so that other load on the machine meets all of them alike: trust the
ratios, which are medians over the rounds, more than the times. Weights of V1, V2 and V3 are random: the arithmetic is
the same. Errors are relative to float32 reference, in the signal's norm. Where there is a GPU, times are CUDA events'.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from environment import write_result
from voxclone import hub
from voxclone.models.vocoder import HIFIGAN_V1, HIFIGAN_V2, HIFIGAN_V3, build_vocoder
from voxclone.models.vocoder.convert import convert_public_checkpoint

VERSIONS = {"V1": HIFIGAN_V1, "V2": HIFIGAN_V2, "V3": HIFIGAN_V3}
Form = Callable[[], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocoders", nargs="+", default=[*VERSIONS, "bundle"])
    parser.add_argument("--model", help="folder of the model whose vocoder is 'bundle'; the bundled one if left out")
    parser.add_argument("--seconds", type=float, default=5.0, help="of speech in one call")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="with torch.compile, which needs a C++ compiler")
    parser.add_argument("--public", type=Path, help="checkout of github.com/jik876/hifi-gan, to run beside")
    parser.add_argument("--backends", nargs="*", default=[], choices=["onnxruntime", "int8", "openvino"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--name", default="kernels", help="of the file in benchmarks/results")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = {}
    for name in args.vocoders:
        vocoder, inputs = prepare(name, args.model, args.seconds, args.batch, torch.device(args.device))
        made = {}
        if args.public is not None and name in VERSIONS:
            public = public_generator(args.public, name)
            vocoder.load_state_dict(convert_public_checkpoint(public.state_dict(), VERSIONS[name]))
            made["public code float32"] = public_form(public.to(args.device), inputs)
        made |= forms(vocoder, inputs, args.compile, args.threads)
        if args.backends and args.batch == 1:
            made |= exported_forms(vocoder, inputs, args.threads, args.backends)
        rows[name] = measure(made, inputs[0].shape[2] * 256 / 22050 * args.batch, args.rounds, args.device)
        print(name)
        for form, row in rows[name].items():
            print(f"  {form:32s}", "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    numbers = {"threads": args.threads, "seconds": args.seconds, "batch": args.batch, "rounds": args.rounds}
    notes = [] if torch.cuda.is_available() else ["no GPU here: nothing was timed on one"]
    print(write_result(args.name, {**numbers, "notes": notes, "vocoders": rows}))


def prepare(
    name: str, model: str | None, seconds: float, batch: int, device: torch.device
) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A vocoder and its inputs: a mel of noise at a mel's level, and a gliding f0."""
    torch.manual_seed(0)
    folder = hub.resolve(model)
    vocoder = build_vocoder(VERSIONS[name] if name in VERSIONS else hub.read_config(folder).vocoder).eval()
    if name not in VERSIONS:
        hub.load_weights(vocoder, folder / "vocoder.safetensors")
    mel, f0 = drawn_inputs(seconds, batch)
    return vocoder.to(device), (mel.to(device), f0.to(device))


def drawn_inputs(seconds: float, batch: int) -> tuple[Tensor, Tensor]:
    """The inputs of `prepare`."""
    frames = round(seconds * 22050 / 256)
    return torch.randn(batch, 80, frames) - 5, torch.linspace(100, 200, frames).expand(batch, -1)


def public_generator(folder: Path, name: str) -> nn.Module:
    """The public code's generator of a version, with random weights, its weight norm folded as for inference."""
    sys.path.insert(0, str(folder))
    from env import AttrDict  # type: ignore[import-not-found]
    from models import Generator  # type: ignore[import-not-found]

    made = Generator(AttrDict(json.loads((folder / f"config_{name.lower()}.json").read_text())))
    with contextlib.redirect_stdout(None):
        made.remove_weight_norm()
    return made.eval()  # type: ignore[no-any-return]


def public_form(generator: nn.Module, inputs: tuple[Tensor, Tensor]) -> Form:
    return lambda: generator(inputs[0]).squeeze(1)


def forms(vocoder: nn.Module, inputs: tuple[Tensor, Tensor], compiled: bool, threads: int) -> dict[str, Form]:
    """Each way to run the vocoder; the first is what the others are compared with."""

    def run(mode: str, dtype: torch.dtype, module: Callable[..., Any] = vocoder, own_threads: int = threads) -> Form:
        def call() -> Tensor:
            os.environ["VOXCLONE_KERNELS"] = mode
            vocoder.precision = dtype  # type: ignore[assignment]
            torch.set_num_threads(own_threads)
            made: Tensor = module(*inputs)
            torch.set_num_threads(threads)
            return made

        return call

    made = {
        "reference float32": run("reference", torch.float32),
        "reference bfloat16": run("reference", torch.bfloat16),
        "fused float32": run("auto", torch.float32),
        "fused bfloat16": run("auto", torch.bfloat16),
    }
    if threads > 1:
        made["fused float32, one thread"] = run("auto", torch.float32, own_threads=1)
        made["fused bfloat16, one thread"] = run("auto", torch.bfloat16, own_threads=1)
    if compiled:
        import torch._inductor.config as inductor

        inductor.freezing = True  # weights are constants, so that they can be packed
        made["compiled reference float32"] = run("reference", torch.float32, torch.compile(vocoder))
        made["compiled reference bfloat16"] = run("reference", torch.bfloat16, torch.compile(vocoder))
    return made


def exported_forms(
    vocoder: nn.Module, inputs: tuple[Tensor, Tensor], threads: int, backends: list[str]
) -> dict[str, Form]:
    """The vocoder as `voxclone export` writes it, by ONNX Runtime and by OpenVINO."""
    from voxclone.exporting.onnx import export_vocoder

    made: dict[str, Form] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vocoder.onnx")
        vocoder.precision = torch.float32  # type: ignore[assignment]
        export_vocoder(vocoder, path, inputs[0].shape[1])
        if "onnxruntime" in backends:
            made["ONNX Runtime float32"] = onnx_form(path, inputs, threads)
        if "int8" in backends:
            made["ONNX Runtime int8"] = onnx_form(in_int8(path, inputs), inputs, threads)
        if "openvino" in backends:
            made |= {f"OpenVINO {kind}": openvino_form(path, inputs, threads, kind) for kind in ("f32", "bf16")}
    return made


def onnx_form(path: Path, inputs: tuple[Tensor, Tensor], threads: int) -> Form:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = named([entry.name for entry in session.get_inputs()], inputs)
    return lambda: torch.from_numpy(np.asarray(session.run(None, given)[0]))


def in_int8(path: Path, inputs: tuple[Tensor, Tensor]) -> Path:
    """The same with convolutions in 8 bits, calibrated on the benchmark's own input: as good as int8 gets."""
    import onnxruntime
    from onnxruntime import quantization

    class Once(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            names = [entry.name for entry in onnxruntime.InferenceSession(path).get_inputs()]
            self.given = iter([named(names, inputs)])

        def get_next(self) -> Any:
            return next(self.given, None)

    out = path.with_name("int8.onnx")
    quantization.quantize_static(path, out, Once(), per_channel=True, op_types_to_quantize=["Conv"], reduce_range=False)
    return out


def openvino_form(path: Path, inputs: tuple[Tensor, Tensor], threads: int, kind: str) -> Form:
    import openvino

    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": kind}
    compiled = openvino.Core().compile_model(openvino.Core().read_model(path), "CPU", options)
    given = named([entry.get_any_name() for entry in compiled.inputs], inputs)
    return lambda: torch.from_numpy(compiled(given)[0].copy())


def named(names: list[str], inputs: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """What an exported vocoder asks for; HiFi-GAN reads no f0."""
    return {name: value.numpy() for name, value in zip(("mel", "f0"), inputs, strict=True) if name in names}


@torch.inference_mode()
def measure(made: dict[str, Form], seconds: float, rounds: int, device: str) -> dict[str, dict[str, float]]:
    """Time of each form, its ratio to the first in the same round, and its error."""
    outputs = {name: form().float().clone() for name, form in made.items()}  # also warms up and packs
    walls: dict[str, list[float]] = {name: [] for name in made}
    works: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, form in made.items():
            wall, work = timed(form, device)
            walls[name].append(wall)
            works[name].append(work)
    first = next(iter(made))
    expected = outputs[first]
    return {
        name: {
            "rtf": round(statistics.median(walls[name]) / seconds, 5),
            "rtf_best": round(min(walls[name]) / seconds, 5),
            "cpu_seconds_per_second": round(statistics.median(works[name]) / seconds, 5),
            "times_faster": _ratio(walls[first], walls[name]),
            "times_less_cpu": _ratio(works[first], works[name]),
            "error": float(f"{(outputs[name] - expected).norm() / expected.norm():.1e}"),
        }
        for name in made
    }


def timed(form: Form, device: str) -> tuple[float, float]:
    """Seconds on the clock, or of the GPU, and of processor time."""
    work = time.process_time()
    if device == "cpu":
        wall = time.perf_counter()
        form()
        return time.perf_counter() - wall, time.process_time() - work
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    form()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3, time.process_time() - work


def _ratio(first: list[float], other: list[float]) -> float:
    return round(statistics.median(one / two for one, two in zip(first, other, strict=True)), 2)


if __name__ == "__main__":
    main()
