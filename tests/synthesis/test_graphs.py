"""Utterances made by windows of few lengths equal the whole, with a capture that stands for the GPU's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from voxclone import ConfigError, VoxClone
from voxclone.config import VocoderConfig
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.spans import context_frames
from voxclone.synthesis import graphs
from voxclone.synthesis.graphs import LONGEST, capture_graph, window_frames, with_graphs

WAVEFORM = VocoderConfig(
    n_mels=8,
    hop_length=32,
    upsample_initial_channel=8,
    upsample_rates=(8, 4),
    upsample_kernel_sizes=(16, 8),
    resblock="2",
    resblock_kernel_sizes=(3,),
    resblock_dilation_sizes=((1, 2),),
)
SOURCE = VocoderConfig(
    n_mels=8,
    hop_length=32,
    upsample_initial_channel=8,
    upsample_rates=(4,),
    upsample_kernel_sizes=(8,),
    frame_blocks=1,
    resblock="2",
    resblock_kernel_sizes=(3,),
    resblock_dilation_sizes=((1, 2),),
    head="source_istft",
    head_n_fft=32,
)


class FakeGraphs:
    """Captures as a GPU does: for inputs of just these shapes, from places that a replay overwrites."""

    def __init__(self) -> None:
        self.shapes: list[list[tuple[int, ...]]] = []

    def capture(self, call: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Callable[..., Tensor]:
        places = [each.clone() for each in inputs]
        self.shapes.append([tuple(each.shape) for each in places])

        def replay(*given: Tensor) -> Tensor:
            for place, value in zip(places, given, strict=True):
                assert place.shape == value.shape
                place.copy_(value)
            return call(*places)

        return replay


def inputs(frames: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    return torch.randn(1, 8, frames, generator=generator) - 3, torch.linspace(100, 300, frames)[None]


@pytest.mark.parametrize("config", [WAVEFORM, SOURCE])
def test_any_length_equals_the_whole_and_few_are_captured(config: VocoderConfig) -> None:
    torch.manual_seed(0)
    vocoder, fake = build_vocoder(config).eval(), FakeGraphs()
    graphed = with_graphs(vocoder, config, fake.capture)
    lengths = [1, 2, *range(3, 90, 17), 200]
    with torch.inference_mode():
        for _ in range(3):
            for frames in lengths:
                expected, made = vocoder(*inputs(frames)), graphed(*inputs(frames))
                torch.testing.assert_close(made, expected, atol=2e-5, rtol=1e-4)
    assert len(fake.shapes) == len({str(shape) for shape in fake.shapes}) <= len(lengths)
    assert {shape[0][2] for shape in fake.shapes} == {window_frames(each, context_frames(config)) for each in lengths}


@pytest.mark.parametrize("config", [WAVEFORM, SOURCE])
def test_less_overlap_would_be_heard(config: VocoderConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    vocoder = build_vocoder(config).eval()
    monkeypatch.setattr(graphs, "window_frames", lambda frames, context: frames // 2 + 1)
    graphed = with_graphs(vocoder, config, FakeGraphs().capture)
    with torch.inference_mode():
        assert not torch.allclose(graphed(*inputs(60)), vocoder(*inputs(60)), atol=2e-5, rtol=1e-4)


def test_windows_are_few_and_reach_far_enough() -> None:
    context = 19
    found = {frames: window_frames(frames, context) for frames in range(1, 1500)}
    for frames, window in found.items():
        assert window <= frames
        assert window == frames or 2 * window >= frames + 2 * context
    assert len({found[frames] for frames in range(200, 1500)}) < 12
    assert all(2 * found[frames] < 1.3 * frames + 2 * context for frames in range(200, 1500))


def test_what_a_graph_does_not_serve_is_computed_plainly() -> None:
    torch.manual_seed(0)
    vocoder, fake = build_vocoder(WAVEFORM).eval(), FakeGraphs()
    graphed = with_graphs(vocoder, WAVEFORM, fake.capture)
    mel = torch.randn(2, 8, 30)
    for _ in range(2):
        torch.testing.assert_close(graphed(mel), vocoder(mel))  # gradients, and a batch
        with torch.inference_mode():
            torch.testing.assert_close(graphed(mel), vocoder(mel))
            assert graphed(torch.zeros(1, 8, 2 * LONGEST)).shape == (1, 2 * LONGEST * 32)
    assert not fake.shapes


def test_threads_share_graphs() -> None:
    torch.manual_seed(0)
    vocoder = build_vocoder(SOURCE).eval()
    graphed = with_graphs(vocoder, SOURCE, FakeGraphs().capture)

    def speak(frames: int) -> bool:
        with torch.inference_mode():
            return torch.allclose(graphed(*inputs(frames)), vocoder(*inputs(frames)), atol=2e-5, rtol=1e-4)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(speak, [40, 41, 50, 60] * 6))


def test_a_model_speaks_and_streams_the_same_with_graphs(tiny_model: VoxClone) -> None:
    fake, model = FakeGraphs(), copy.copy(tiny_model)
    model._vocoder = with_graphs(tiny_model._vocoder, tiny_model.config.vocoder, fake.capture)
    text, voice = "The boats went out, and came back.", tiny_model.voices["ada"]
    expected = tiny_model.generate(text, voice).samples
    for _ in range(2):
        np.testing.assert_allclose(model.generate(text, voice).samples, expected, atol=1e-5)
        joined = np.concatenate([chunk.samples for chunk in model.stream(text, voice)])
        np.testing.assert_allclose(joined, expected, atol=1e-4)
    assert fake.shapes


def test_a_cpu_has_no_graphs(tiny_model: VoxClone) -> None:
    with pytest.raises(ConfigError, match="on a CUDA device; this one is on cpu"):
        tiny_model.graphed()


graphs_made: list[FakeGraph] = []


class FakeGraph:
    """Does again, when replayed, what was called while it was captured, into the same places."""

    def __init__(self) -> None:
        graphs_made.append(self)
        self.again: Callable[[], None] = lambda: None

    def replay(self) -> None:
        self.again()


def test_a_capture_warms_up_and_reads_its_own_places(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    stream = SimpleNamespace(wait_stream=lambda other: steps.append("wait"))
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda given: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch, "clear_autocast_cache", lambda: steps.append("clear"))

    @contextmanager
    def graph(given: FakeGraph, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        steps.append("begin")
        yield
        steps.append("end")

    def call(x: Tensor) -> Tensor:
        steps.append("call")
        made = 2 * x

        def again() -> None:
            made.copy_(2 * x)

        for each in graphs_made:
            each.again = again
        return made

    monkeypatch.setattr(torch.cuda, "graph", graph)
    given = torch.ones(3)
    replay = capture_graph(call, (given,))
    assert steps == ["wait", "call", "call", "call", "wait", "clear", "begin", "call", "end", "clear"]
    first, second = replay(torch.full((3,), 5.0)), replay(torch.full((3,), 7.0))
    assert first.tolist() == [10.0] * 3 and second.tolist() == [14.0] * 3  # the first is not overwritten
    assert given.tolist() == [1.0] * 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_capture_on_a_gpu() -> None:
    vocoder = build_vocoder(SOURCE).eval().cuda()
    graphed = with_graphs(vocoder, SOURCE, capture_graph)
    with torch.inference_mode():
        for frames in (60, 60, 61, 60):
            given = [each.cuda() for each in inputs(frames)]
            torch.testing.assert_close(graphed(*given), vocoder(*given), atol=1e-4, rtol=1e-3)
