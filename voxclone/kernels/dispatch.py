"""Which form of an op serves a call: its reference, or its fused form.

The environment variable VOXCLONE_KERNELS says how to choose, read at every call: "auto" (the default) takes the fused
form where it is faster, "reference" never, "fused" always, and says why where it cannot.
"""

from __future__ import annotations

import importlib.util
import os

import torch
from torch import Tensor

from voxclone.errors import KernelError

VARIABLE = "VOXCLONE_KERNELS"
MODES = ("auto", "reference", "fused")
DTYPES = {
    "cpu": (torch.float32, torch.bfloat16),  # float16 convolutions have no fast form on a CPU
    "cuda": (torch.float32, torch.float16, torch.bfloat16),
}
_HALF = (torch.bfloat16, torch.float16)
# By a GPU's compute capability: the ops whose fused form is faster, and in which dtypes, as an H200 measured it
# (benchmarks/results/gpu.json; docs/kernels.md says how). What is not here was slower there, or has not been compared.
FASTER: dict[tuple[int, int], dict[str, tuple[torch.dtype, ...]]] = {
    (9, 0): {
        "conv1d": _HALF,
        "conv1d to one channel": (*_HALF, torch.float32),  # HiFi-GAN's last, as its versions were measured
        "conv_transpose1d": _HALF,
        "multi_receptive_field": _HALF,
        "anti_aliased_snake": _HALF,
        "pulse_source": (torch.float32,),
        "istft_head": _HALF,
    }
}
_HAS_TRITON = importlib.util.find_spec("triton") is not None


def fused_serves(op: str, x: Tensor, *weights: Tensor) -> bool:
    """Whether the fused form of an op takes this call.

    Where a gradient is wanted, "auto" takes the reference, so that training computes as it always did; on a GPU, too,
    but for what `FASTER` lists.

    Args:
        op: As `FASTER` calls it.
        x: What it computes with.
        weights: What else a gradient could be wanted for.

    Raises:
        KernelError: The variable has an unknown value, or is "fused" and the fused form cannot serve.
    """
    mode = os.environ.get(VARIABLE, "auto")
    if mode not in MODES:
        raise KernelError(f"{VARIABLE} is {mode!r}; it must be one of {', '.join(MODES)}")
    if mode == "reference":
        return False
    reason = _why_not(x)
    if mode == "fused":
        if reason is not None:
            raise KernelError(f"{VARIABLE} is 'fused', but {reason}; set it to 'auto' to have the reference serve")
        return True
    if reason is not None or (torch.is_grad_enabled() and any(each.requires_grad for each in (x, *weights))):
        return False
    return not x.is_cuda or _dtype(x) in faster_on(x.device).get(op, ())


def faster_on(device: torch.device) -> dict[str, tuple[torch.dtype, ...]]:
    """The ops that "auto" takes in their fused form on a GPU, with the dtypes."""
    return {} if _why_not_on_gpu(device) is not None else FASTER.get(_capability(device), {})


def runs_directly(x: Tensor) -> bool:
    """Whether an op's Python is called as it is, past torch.library.

    The first call through torch.library loads PyTorch's compiler: 180 MB, and a second. So it is
    on a CPU in inference mode; where gradients or a compiler may be listening, the registered op is called.
    """
    if torch.compiler.is_compiling():
        return False
    return x.device.type == "cpu" and torch.is_inference_mode_enabled()


def in_autocast(x: Tensor) -> Tensor:
    """`x` in the dtype of torch.autocast, where that is on."""
    return x.to(_dtype(x))


def _why_not(x: Tensor) -> str | None:
    """Why no fused form can serve; None where one can."""
    if is_exporting():
        return "the model is being exported, and an exported program must not depend on voxclone's kernels"
    kind = x.device.type
    if kind not in DTYPES:
        return f"there are fused forms for {' and '.join(DTYPES)}, not for {kind}"
    if _dtype(x) not in DTYPES[kind]:
        return f"the fused forms for {kind} compute in {', '.join(map(str, DTYPES[kind]))}, not in {_dtype(x)}"
    return _why_not_on_gpu(x.device) if kind == "cuda" else None


def is_exporting() -> bool:
    """While a program is traced for use elsewhere. Before torch 2.12 torch.compile is taken for it, too."""
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return bool(torch.compiler.is_exporting() or tracing or torch.onnx.is_in_onnx_export())


def _why_not_on_gpu(device: torch.device) -> str | None:
    if not _HAS_TRITON:
        return "the fused forms for cuda are written in Triton, which is not installed: pip install triton"
    if torch.version.cuda is None or _capability(device) < (8, 0):
        return "the fused forms for cuda need an NVIDIA GPU of compute capability 8.0 or newer"
    return None


def _capability(device: torch.device) -> tuple[int, int]:
    properties = torch.cuda.get_device_properties(device)  # which torch.compile takes for a constant
    return properties.major, properties.minor


def _dtype(x: Tensor) -> torch.dtype:
    """That an op computes in: torch.autocast's where that is on."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
