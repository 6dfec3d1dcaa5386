"""In which dtype a vocoder's convolutions are computed at inference."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from voxclone.kernels.dispatch import faster_on, is_exporting

LIGHT = 1e9  # multiply-adds for a second of speech: up to here float32 takes 0.02 of real time on one core


def inference_precision(device: torch.device, multiply_adds: float) -> torch.dtype:
    """bfloat16 for a heavy vocoder on a CPU that multiplies in it, and on a GPU whose fused kernels do; else float32.

    Chunks of a stream, and texts of a batch, equal those spoken whole and alone to 1e-4 in float32 on a CPU alone: a
    difference in the last bit of what goes in may be a step of bfloat16. Without the instructions bfloat16 is 2 to 5
    times slower than float32; what it costs in sound is in docs/kernels.md.

    Args:
        device: Where the vocoder runs.
        multiply_adds: Of its convolutions for a second of speech.
    """
    if multiply_adds <= LIGHT:
        return torch.float32
    gains = bool(faster_on(device)) if device.type == "cuda" else device.type == "cpu" and _multiplies_in_bfloat16()
    return torch.bfloat16 if gains else torch.float32


def at_inference(x: Tensor, precision: torch.dtype | None) -> Tensor:
    """`x` in `precision` where no gradient is wanted; training, torch.autocast and export keep their own."""
    if precision is None or torch.is_grad_enabled() or torch.is_autocast_enabled(x.device.type):
        return x
    return x if is_exporting() else x.to(precision)


def _multiplies_in_bfloat16() -> bool:
    """Asks the processor, and whether ATEN_CPU_CAPABILITY or ONEDNN_MAX_CPU_ISA keeps torch from its instructions."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return False
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    if allowed not in ("ALL", "DEFAULT") and not allowed.endswith(("BF16", "FP16", "AMX", "AMX_2")):
        return False
    return bool(torch.cpu._is_avx512_bf16_supported())
