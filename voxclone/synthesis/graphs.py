"""A vocoder by CUDA graphs of a few lengths, for latency: hundreds of launches become one.

An utterance is made as two windows of one length, one from its beginning and one to its end, which overlap by all that
a sample depends on. No frame is padding, so that they join to what the vocoder makes of the whole, up to rounding; and
a handful of lengths serves all utterances.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from voxclone.config import VocoderConfig
from voxclone.models.vocoder.spans import context_frames, has_source

GROWTH = 1.25  # from one length to the next
LONGEST = 1024  # frames of a window; what is longer takes longer than its launches
Call = Callable[..., Tensor]
AnyModule = TypeVar("AnyModule", bound=nn.Module)


def with_graphs(
    vocoder: AnyModule, config: VocoderConfig, capture: Callable[[Call, tuple[Tensor, ...]], Call]
) -> AnyModule:
    """The vocoder, its weights shared, by graphs: what makes its samples of a mel, and of a source if it has one.

    Args:
        vocoder: In inference form, on a GPU. The graphs read its weights where they lie, and how its kernels are chosen
            when they are captured.
        config: The vocoder's.
        capture: `capture_graph`: from a function and example inputs to the function for inputs of just those shapes.
    """
    replayed = copy.copy(vocoder)
    name = "filter_source" if has_source(config) else "forward"
    call = getattr(vocoder, name)
    replayed.__dict__[name] = _Windows(call, config, capture)
    return replayed


def capture_graph(call: Call, inputs: tuple[Tensor, ...]) -> Call:
    """`call` on inputs of these shapes as one CUDA graph. It must not wait for the GPU, as for a value."""
    places = tuple(torch.clone(each, memory_format=torch.contiguous_format) for each in inputs)
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # what is made once is made here: packed weights, compiled kernels, plans
        for _ in range(3):
            call(*places)
    torch.cuda.current_stream().wait_stream(side)
    torch.clear_autocast_cache()  # a weight cast out here would be gone when the graph reads it
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        made = call(*places)
    torch.clear_autocast_cache()  # and one cast in there is not made before the first replay

    def replay(*given: Tensor) -> Tensor:
        for place, value in zip(places, given, strict=True):
            place.copy_(value)
        graph.replay()
        return made.clone()

    return replay


def window_frames(frames: int, context: int) -> int:
    """Of the two windows that make an utterance of `frames`: as few as the lengths in use allow, at most `frames`.

    The lengths grow by a quarter. Where none between half the utterance with its context and the utterance itself is in
    use, as for all short utterances, the window is the utterance.
    """
    window = 2.0 * max(context, 1)
    while round(window) < frames / 2 + context:
        window *= GROWTH
    return min(round(window), frames)


class _Windows:
    """One method of a vocoder. A length is captured when it comes a second time; threads take turns."""

    def __init__(self, call: Call, config: VocoderConfig, capture: Callable[[Call, tuple[Tensor, ...]], Call]) -> None:
        self._call, self._capture = call, capture
        self._hop, self._context = config.hop_length, context_frames(config)
        self._replays: dict[torch.Size, Call | None] = {}
        self._lock = threading.Lock()

    def __call__(self, mel: Tensor, source: Tensor | None = None) -> Tensor:
        """(1, n_mels, T), with or without the source (1, K, T * hop_length), to (1, T * hop_length)."""
        frames = mel.shape[2]
        window = window_frames(frames, self._context)
        source = source if source is not None and source.dim() == 3 else None  # f0, which such a vocoder does not read
        if len(mel) != 1 or window > LONGEST or torch.is_grad_enabled():
            return self._call(mel) if source is None else self._call(mel, source)
        late = frames - window
        starts = (0, late) if late else (0,)
        given = [torch.cat([mel[:, :, start : start + window] for start in starts])]
        if source is not None:
            samples = [slice(start * self._hop, (start + window) * self._hop) for start in starts]
            given.append(torch.cat([source[:, :, each] for each in samples]))
        made = self._made(tuple(given))
        seam = frames // 2 * self._hop if late else frames * self._hop
        return torch.cat([made[:1, :seam], made[-1:, seam - late * self._hop :]], 1)

    def _made(self, given: tuple[Tensor, ...]) -> Tensor:
        shape = given[0].shape
        with self._lock:
            if shape not in self._replays:
                self._replays[shape] = None
                return self._call(*given)
            replay = self._replays[shape]
            if replay is None:
                replay = self._replays[shape] = self._capture(self._call, given)
            return replay(*given)
