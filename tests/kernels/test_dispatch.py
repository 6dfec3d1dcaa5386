"""Which form serves: the environment variable, gradients, dtypes, export, autocast; and what precision is taken."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple, cast

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from voxclone import VoxClone
from voxclone.config import VocoderConfig
from voxclone.errors import KernelError
from voxclone.kernels import dispatch
from voxclone.kernels.dispatch import fused_serves, in_autocast
from voxclone.kernels.precision import LIGHT, at_inference, inference_precision
from voxclone.models.vocoder import HIFIGAN_V2, HIFIGAN_V3, build_vocoder
from voxclone.models.vocoder.cost import multiply_adds

X = torch.randn(1, 4, 8)
LIGHT_SOURCE = VocoderConfig(
    upsample_rates=(8, 1),
    upsample_kernel_sizes=(16, 3),
    upsample_initial_channel=64,
    frame_blocks=2,
    head="source_istft",
    head_n_fft=128,
)


def test_auto_takes_the_fused_form_where_no_gradient_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOXCLONE_KERNELS", raising=False)
    weight = torch.randn(4, 4, 3, requires_grad=True)
    assert fused_serves("conv1d", X)
    assert not fused_serves("conv1d", X, weight)
    with torch.no_grad():
        assert fused_serves("conv1d", X, weight)
    assert not fused_serves("conv1d", X.double())
    assert not fused_serves("conv1d", X.half())
    assert not fused_serves("conv1d", X.to("meta"))


def test_reference_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXCLONE_KERNELS", "reference")
    assert not fused_serves("conv1d", X)


def test_fused_or_the_reason_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXCLONE_KERNELS", "fused")
    assert fused_serves("conv1d", X, torch.randn(4, 4, 3, requires_grad=True))
    with pytest.raises(KernelError, match="float64"):
        fused_serves("conv1d", X.double())
    with pytest.raises(KernelError, match="not for meta"):
        fused_serves("conv1d", X.to("meta"))


def test_an_unknown_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXCLONE_KERNELS", "fast")
    with pytest.raises(KernelError, match="'fast'; it must be one of auto, reference, fused"):
        fused_serves("conv1d", X)


class OnGpu(NamedTuple):
    """Stands for a tensor on a GPU."""

    dtype: torch.dtype
    device: torch.device = torch.device("cuda", 0)
    is_cuda: bool = True
    requires_grad: bool = False


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Says of which compute capability the GPU is."""
    monkeypatch.delenv("VOXCLONE_KERNELS", raising=False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(dispatch, "_HAS_TRITON", True)

    def be(major: int, minor: int) -> None:
        properties = SimpleNamespace(major=major, minor=minor)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)

    return be


def test_auto_on_a_gpu_takes_what_was_measured_faster_there(
    gpu: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    half, single = cast(Tensor, OnGpu(torch.bfloat16)), cast(Tensor, OnGpu(torch.float32))
    gpu(9, 0)
    assert fused_serves("conv1d", half) and fused_serves("multi_receptive_field", half)
    assert fused_serves("pulse_source", single) and fused_serves("conv1d to one channel", single)
    assert fused_serves("istft_head", half) and not fused_serves("istft_head", single)
    assert not fused_serves("conv1d", single)
    monkeypatch.setenv("VOXCLONE_KERNELS", "fused")
    assert fused_serves("conv1d", single) and fused_serves("istft_head", single)
    monkeypatch.delenv("VOXCLONE_KERNELS")
    wanted = cast(Tensor, OnGpu(torch.bfloat16, requires_grad=True))
    assert not fused_serves("conv1d", half, wanted)
    assert inference_precision(half.device, 2 * LIGHT) == torch.bfloat16
    assert inference_precision(half.device, LIGHT) == torch.float32


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (10, 0)])
def test_auto_on_a_gpu_that_was_not_measured_takes_the_reference(
    capability: tuple[int, int], gpu: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = cast(Tensor, OnGpu(torch.bfloat16))
    gpu(*capability)
    assert not fused_serves("conv1d", half)
    assert inference_precision(half.device, math.inf) == torch.float32
    monkeypatch.setenv("VOXCLONE_KERNELS", "fused")
    if capability >= (8, 0):
        assert fused_serves("conv1d", half)
        return
    with pytest.raises(KernelError, match=r"compute capability 8\.0 or newer"):
        fused_serves("conv1d", half)


def test_export_takes_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOXCLONE_KERNELS", raising=False)

    class Asks(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if fused_serves("conv1d", x) else x

    program = torch.export.export(Asks(), (X,))
    torch.testing.assert_close(program.module()(X), X)
    assert fused_serves("conv1d", X)


def test_autocast_sets_the_dtype() -> None:
    assert in_autocast(X).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert in_autocast(X).dtype == torch.bfloat16
        assert fused_serves("conv1d", X)
    with torch.autocast("cpu", torch.float16):
        assert not fused_serves("conv1d", X)


def test_precision_is_for_inference_alone() -> None:
    assert at_inference(X, torch.bfloat16).dtype == torch.float32  # a gradient could be wanted
    with torch.no_grad():
        assert at_inference(X, torch.bfloat16).dtype == torch.bfloat16
        assert at_inference(X, None).dtype == torch.float32
    assert inference_precision(torch.device("meta"), math.inf) == torch.float32


def test_a_light_vocoder_is_computed_in_float32_everywhere() -> None:
    light = VocoderConfig(upsample_rates=(8,), upsample_kernel_sizes=(16,), head="source_istft", head_n_fft=128)
    assert inference_precision(torch.device("cpu"), LIGHT) == torch.float32
    assert multiply_adds(dataclasses.replace(light, upsample_initial_channel=64)) < LIGHT < multiply_adds(HIFIGAN_V2)


@pytest.mark.parametrize(
    "config",
    [
        HIFIGAN_V2,
        HIFIGAN_V3,
        LIGHT_SOURCE,
    ],
)
def test_a_vocoders_cost_is_what_its_layers_multiply(config: VocoderConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXCLONE_KERNELS", "reference")
    vocoder, frames = build_vocoder(config).eval(), 40
    mel, f0 = torch.zeros(1, 80, frames), torch.full((1, frames), 100.0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        vocoder(mel, f0)
    seconds = frames * config.hop_length / config.sample_rate
    assert counter.get_total_flops() / 2 / seconds == pytest.approx(multiply_adds(config), rel=0.03)


def vocoded() -> list[float]:
    """Samples of HiFi-GAN V2 and as many of a source-filter vocoder, random both, and this process's precision."""
    torch.manual_seed(0)
    vocoders = [build_vocoder(each).eval() for each in (HIFIGAN_V2, LIGHT_SOURCE)]
    mel, f0 = torch.randn(1, 80, 20), torch.linspace(100, 200, 20)[None]
    heavy = inference_precision(torch.device("cpu"), math.inf)
    with torch.inference_mode():
        samples = torch.cat([vocoder(mel, f0)[0, ::50] for vocoder in vocoders])
        return [*samples.tolist(), float(heavy == torch.bfloat16)]


def spoken(folder: str) -> list[float]:
    """What the public API makes of a sentence: how many samples, and every 20th."""
    model = VoxClone.from_pretrained(folder, device="cpu")
    samples = model.generate("The boats went out, and came back.", model.voices["ada"]).samples
    return [len(samples), *samples[::20].tolist()]


def on_an_older_processor(call: str, capability: str) -> list[float]:
    """What a function of this file gives in a process that is kept from newer instructions."""
    limits = {"ATEN_CPU_CAPABILITY": capability, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    script = f"import runpy, json; print(json.dumps(eval({call!r}, runpy.run_path({__file__!r}))))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=os.environ | limits, check=True, capture_output=True, text=True)
    values: list[float] = json.loads(done.stdout)
    return values


@pytest.mark.parametrize("capability", ["avx2", "default"])
def test_an_older_processor_gives_the_same_to_tolerance(capability: str) -> None:
    *samples, bfloat16 = on_an_older_processor("vocoded()", capability)
    assert not bfloat16
    pairs = zip(torch.tensor(samples).chunk(2), torch.tensor(vocoded()[:-1]).chunk(2), strict=True)
    for (found, expected), bound in zip(pairs, (1e-5, 1e-4), strict=True):  # phases are those of silent bins too
        assert (found - expected).abs().max() < bound * expected.abs().max()


def test_an_older_processor_speaks_the_same(tiny_folder: Path) -> None:
    length, *samples = on_an_older_processor(f"spoken({str(tiny_folder)!r})", "avx2")
    own_length, *own = spoken(str(tiny_folder))
    assert length == own_length
    expected = torch.tensor(own)
    assert (torch.tensor(samples) - expected).abs().max() < 2e-3 * expected.abs().max()
