"""Branches of a CUDA graph: residual blocks, which need nothing of each other but their sum, side by side.

Only while a graph is captured, on streams that are forked from the capturing one: a replay then launches them together.
Elsewhere what is few is bound by the host, which would have events to see to besides.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Sequence

import torch
from torch import Tensor

# Launches all but what adds to the total, yields, is sent the total of the branches before, and yields the new one.
Branch = Generator[Tensor | None, Tensor | None, None]


def blocks_of(sizes: Sequence[int]) -> Iterator[tuple[range, float]]:
    """The convolutions of each block, by number, and what the sum with it is scaled by: by the last to the mean."""
    end = 0
    for number, size in enumerate(sizes, 1):
        end += size
        yield range(end - size, end), 1 / len(sizes) if number == len(sizes) else 1.0


def captured(device: torch.device) -> bool:
    """Whether what is launched now goes into a graph."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def total_of(branches: Sequence[Callable[[], Branch]], device: torch.device, at_once: bool) -> Tensor:
    """What the last of them yields; they add up in their order, so that both ways make the same, bit for bit.

    Args:
        branches: Begin one each; the one that takes longest comes last.
        device: Where they run.
        at_once: In a graph side by side, which only one thread at a time may ask for; else in turn.
    """
    if at_once and captured(device):
        return _side_by_side([begin() for begin in branches], device)
    if at_once and device.type == "cuda":
        _side_streams(device, len(branches) - 1)  # there before a capture, which is no time to make them
    total: Tensor | None = None
    for begin in branches:
        branch = begin()
        next(branch)
        total = branch.send(total)
    assert total is not None
    return total


def _side_by_side(branches: Sequence[Branch], device: torch.device) -> Tensor:
    """The last branch stays on the current stream, whose wait for the total of the others is what joins them.

    What is allocated on a side stream is given back to that stream, the running total among it, which later work of the
    current stream reads. That is safe, since a side stream is next used after it has waited for the current stream
    again, and so for all that was launched there before; and since a graph's memory is its own, of which nothing else
    on those streams takes any. What the current stream gives back meanwhile is not read by a side stream: the caller
    keeps the blocks' input until they have joined.
    """
    current = torch.cuda.current_stream(device)
    streams = [*_side_streams(device, len(branches) - 1), current]
    forked = current.record_event()
    for branch, stream in reversed(list(zip(branches, streams, strict=True))):  # the longest first
        with torch.cuda.stream(stream):
            stream.wait_event(forked)
            next(branch)
    total, ended = None, forked
    for branch, stream in zip(branches, streams, strict=True):
        with torch.cuda.stream(stream):
            stream.wait_event(ended)
            total = branch.send(total)
            ended = stream.record_event()
    assert total is not None
    return total


@functools.cache
def _side_streams(device: torch.device, count: int) -> list[torch.cuda.Stream]:
    return [torch.cuda.Stream(device) for _ in range(count)]
