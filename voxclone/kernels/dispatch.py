"""Which form of an op serves a call: its reference, or its fused form.

The environment variable VOXCLONE_KERNELS says how to choose, read at every call: "auto" (the default) takes the fused
form wherever it serves, "reference" never, "fused" always, and says why where it cannot.
"""

from __future__ import annotations

import functools
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


def fused_serves(x: Tensor, *weights: Tensor) -> bool:
    """Whether the fused form of an op takes this call.

    Where a gradient is wanted, "auto" takes the reference, so that training computes as it always did; and on a GPU,
    until the Triton kernels have been run and measured on one.

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
    if reason is not None or x.is_cuda:
        return False
    return not (torch.is_grad_enabled() and any(each.requires_grad for each in (x, *weights)))


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
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def _why_not(x: Tensor) -> str | None:
    """Why no fused form can serve; None where one can."""
    if is_exporting():
        return "the model is being exported, and an exported program must not depend on voxclone's kernels"
    kind = x.device.type
    if kind not in DTYPES:
        return f"there are fused forms for {' and '.join(DTYPES)}, not for {kind}"
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    if dtype not in DTYPES[kind]:
        return f"the fused forms for {kind} compute in {', '.join(map(str, DTYPES[kind]))}, not in {dtype}"
    return _why_not_on_gpu(x.device) if kind == "cuda" else None


def is_exporting() -> bool:
    """While a program is traced for use elsewhere. Before torch 2.7 export cannot be told from torch.compile."""
    exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return bool(exporting() or tracing or torch.onnx.is_in_onnx_export())


@functools.cache
def _why_not_on_gpu(device: torch.device) -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "the fused forms for cuda are written in Triton, which is not installed: pip install triton"
    if torch.version.cuda is None or torch.cuda.get_device_capability(device) < (8, 0):
        return "the fused forms for cuda need an NVIDIA GPU of compute capability 8.0 or newer"
    return None
