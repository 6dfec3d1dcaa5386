"""Residual blocks side by side: what they make, that nothing is read before it is there, and when they are."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton")

from voxclone.kernels import multi_receptive_field
from voxclone.kernels.gpu import block, branches, convolution, nvrtc, residual

SLOPE = 0.1
Launch = tuple[int, list[int], list[int]]  # its number, where it reads, where it writes


class Stream:
    """Stands for a stream that is captured: which launches are sure to have ended before what comes next on it."""

    def __init__(self, gpu: GPU, number: int) -> None:
        self.gpu, self.cuda_stream, self.before = gpu, number, set[int]()

    def wait_event(self, event: set[int]) -> None:
        self.before |= event

    def record_event(self) -> set[int]:
        return set(self.before)


class GPU:
    """Stands for a GPU, and finds what is read or overwritten by a launch that another may run beside."""

    def __init__(self) -> None:
        self.streams = [Stream(self, 77)]
        self.current = self.streams[0]
        self.launches = list[Launch]()
        self.held = list[Any]()  # so that no address comes twice
        self.races = list[tuple[int, int]]()

    def stream(self, *_: object) -> Stream:
        self.streams.append(Stream(self, 77 + len(self.streams)))
        return self.streams[-1]

    @contextlib.contextmanager
    def on(self, stream: Stream) -> Iterator[None]:
        before, self.current = self.current, stream
        yield
        self.current = before

    def launched(self, reads: list[Tensor | None], written: Tensor) -> None:
        self.held += [*reads, written]
        places = [each.data_ptr() for each in reads if each is not None]
        number, place = len(self.launches), written.data_ptr()
        for other, read, wrote in self.launches:
            if other not in self.current.before and (set(wrote) & {*places, place} or place in read):
                self.races.append((other, number))
        self.launches.append((number, places, [place]))
        self.current.before.add(number)

    def joined(self) -> bool:
        return self.streams[0].before == {number for number, *_ in self.launches}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, on_host: Callable[[list[str], str], ctypes.CDLL]) -> Iterator[GPU]:
    made, plainly = GPU(), convolution.convolve

    def function(options: tuple[str, ...], width: int, device: torch.device) -> Any:
        library = on_host(list(options), block.source(width))

        def launch(grid: tuple[int, int], threads: int, arguments: Any, stream: int, shared_bytes: int) -> None:
            x, right, added, out, length, sums, scale, plan = arguments
            assert stream == made.current.cuda_stream
            made.launched([x, out if sums else None], out)
            pointers = [ctypes.c_void_p(each.data_ptr()) for each in (x, right, added, out)]
            numbers = length, sums, ctypes.c_float(scale), (ctypes.c_int * len(plan))(*plan)
            assert library.run(*pointers, *numbers, grid[1], 0) == 0

        return SimpleNamespace(launch=launch)

    def convolve(x: Tensor, *given: Any, **named: Any) -> Tensor:
        out = plainly(x, *given, **named)
        made.launched([x, named.get("residual"), named.get("total")], out)
        return out

    monkeypatch.setattr(residual, "convolve", convolve)
    monkeypatch.setattr(block, "_function", function)
    monkeypatch.setitem(block.PARTS, 16, (2, 1, 4, 1))
    monkeypatch.setitem(block.SMALL, 16, block.Small((1, 2, 4, 1), whole=False, at_once=True))
    monkeypatch.setitem(residual.SMALL, 32, residual.Small(convolution.Tile(16, 32, 32, 4, 2), at_once=True))
    monkeypatch.setattr(nvrtc, "find", lambda: "somewhere")
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: made.current)
    monkeypatch.setattr(torch.cuda, "stream", made.on)
    monkeypatch.setattr(torch.cuda, "Stream", made.stream)
    branches._side_streams.cache_clear()
    yield made
    branches._side_streams.cache_clear()


def stage(channels: int, together: int = 2) -> tuple[Any, ...]:
    """Three blocks as V1's, with fewer additions; 16 channels by the CUDA C++ kernel, 32 by Triton's."""
    torch.manual_seed(0)
    dtype = torch.bfloat16 if channels == 16 else torch.float16
    weights = [
        (torch.randn(channels, channels, taps) / (channels * taps) ** 0.5).to(dtype)
        for taps in (3, 5, 7)
        for _ in range(4)
    ]
    biases = [torch.randn(channels).to(dtype) for _ in weights]
    return (
        torch.randn(2, channels, 150 if channels == 16 else 20).to(dtype),
        weights,
        biases,
        [1, 1, 3, 1] * 3,
        [4, 4, 4],
        together,
        SLOPE,
    )


def made(channels: int, monkeypatch: pytest.MonkeyPatch, captured: bool, together: int = 2) -> Tensor:
    monkeypatch.setattr(branches, "captured", lambda device: captured)
    if channels == 32:
        monkeypatch.setattr(block, "serves", lambda device: False)
    return multi_receptive_field._on_gpu(*stage(channels, together))


@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("channels", [16, 32])
def test_a_graph_makes_the_same_bit_for_bit(
    channels: int, together: int, gpu: GPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = made(channels, monkeypatch, captured=False, together=together)
    assert len(gpu.streams) == 1
    count = len(gpu.launches)
    for _ in range(2):  # the second time on the same streams
        assert torch.equal(made(channels, monkeypatch, captured=True, together=together), alone)
        assert gpu.joined() and not gpu.races
    assert len(gpu.streams) == 3 and len(gpu.launches) == 3 * count
    given = stage(channels, together)
    expected = multi_receptive_field.multi_receptive_field_reference(*given)
    torch.testing.assert_close(alone.float(), expected.float(), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("channels", [16, 32])
def test_blocks_run_beside_each_other(channels: int, gpu: GPU, monkeypatch: pytest.MonkeyPatch) -> None:
    made(channels, monkeypatch, captured=True)
    apart = len(gpu.launches) // 3 - 1  # of each block, all but what adds to the total
    readers = [number for number, read, _ in gpu.launches if read[0] == gpu.launches[0][1][0]]
    assert len(readers) == 3 and apart > 0  # each block reads the stage's input, and may begin with the others
    assert [stream.cuda_stream for stream in gpu.streams] == [77, 78, 79]


WAITS = {
    "the beginning": ("stream.wait_event(forked)", "pass"),
    "the total": ("stream.wait_event(ended)", "pass"),
    "the end of the last": ("ended = stream.record_event()", "ended = forked"),
}


@pytest.mark.parametrize("name", WAITS)
@pytest.mark.parametrize("channels", [16, 32])
def test_a_wait_that_is_missing_is_noticed(
    channels: int,
    name: str,
    gpu: GPU,
    monkeypatch: pytest.MonkeyPatch,
    mutated: Callable[..., ModuleType],
) -> None:
    mutant = mutated(branches, *WAITS[name])
    module = block if channels == 16 else residual
    monkeypatch.setattr(module, "branches", mutant)
    monkeypatch.setattr(mutant, "captured", lambda device: True)
    written_before = torch.zeros(1)
    gpu.launched([], written_before)  # what made the stage's input
    plainly = gpu.launched

    def reading(reads: list[Tensor | None], written: Tensor) -> None:
        plainly([*reads, written_before], written)

    monkeypatch.setattr(gpu, "launched", reading)
    made(channels, monkeypatch, captured=True)
    assert gpu.races or not gpu.joined()


@pytest.mark.parametrize("channels", [16, 32])
def test_long_inputs_and_what_is_told_so_are_made_in_turn(
    channels: int, gpu: GPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = block if channels == 16 else convolution
    with monkeypatch.context() as patch:
        patch.setattr(module, "FEW", 1)
        made(channels, patch, captured=True)
    owner: Any = block if channels == 16 else residual
    monkeypatch.setitem(owner.SMALL, channels, owner.SMALL[channels]._replace(at_once=False))
    made(channels, monkeypatch, captured=True)
    assert len(gpu.streams) == 1


def test_the_streams_are_there_before_a_capture(gpu: GPU, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)

    def branch() -> branches.Branch:
        total = yield None
        yield torch.ones(1) if total is None else total + 1

    for at_once, streams in ((False, 1), (True, 3), (True, 3)):
        assert branches.total_of([branch] * 3, torch.device("cuda", 0), at_once).item() == 3
        assert len(gpu.streams) == streams and not any(stream.before for stream in gpu.streams)
    branches.total_of([branch] * 3, torch.device("cpu"), at_once=True)
    assert len(gpu.streams) == 3


def test_the_last_block_makes_the_sum_the_mean() -> None:
    assert list(branches.blocks_of([2, 3])) == [(range(2), 1.0), (range(2, 5), 0.5)]


def test_only_a_capture_has_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    for capturing in (True, False):
        monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda capturing=capturing: capturing)
        assert branches.captured(torch.device("cuda", 0)) == capturing
        assert not branches.captured(torch.device("cpu"))


def test_float32_is_made_in_turn(gpu: GPU, monkeypatch: pytest.MonkeyPatch) -> None:
    x, weights, biases, *others = stage(32)
    monkeypatch.setattr(branches, "captured", lambda device: True)
    rows = x.float().transpose(1, 2).contiguous()
    dilations, sizes, together, slope = others
    residual.mean_of_blocks(rows, weights, biases, dilations, sizes, together, slope)
    assert len(gpu.streams) == 1
