"""Where speech is, by silero-vad, and how it is cut into utterances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.audio.resample import resample
from voxclone.errors import VoxcloneError

VAD_RATE = 16000  # Hz
MIN_SECONDS = 2.0  # of an utterance, where the pauses allow it
MAX_SECONDS = 12.0
LONG_PAUSE_SECONDS = 0.6  # ends an utterance that is long enough
MARGIN_SECONDS = 0.15  # kept of the pauses around an utterance

Span = tuple[float, float]  # start and end in seconds


class SpeechDetector:
    """silero-vad, whose model comes with its wheel.

    Raises:
        VoxcloneError: It is not installed.
    """

    def __init__(self) -> None:
        threads = torch.get_num_threads()
        try:
            import silero_vad
        except ImportError as error:
            raise VoxcloneError(
                "cutting recordings needs silero-vad, which is not installed: pip install 'voxclone[finetune]'"
            ) from error
        finally:
            torch.set_num_threads(threads)  # importing it sets 1 for the whole process
        self._silero: Any = silero_vad
        self._model = silero_vad.load_silero_vad()

    def spans(self, waveform: NDArray[np.float32], sample_rate: int) -> list[Span]:
        """Stretches of speech in (S,) samples, in order, not overlapping; pauses below 0.1 s are part of them."""
        narrow = torch.from_numpy(np.ascontiguousarray(resample(waveform, sample_rate, VAD_RATE), np.float32))
        found = self._silero.get_speech_timestamps(narrow, self._model, sampling_rate=VAD_RATE)
        return [(span["start"] / VAD_RATE, span["end"] / VAD_RATE) for span in found]


def cut(spans: Sequence[Span], seconds: float) -> list[Span]:
    """Utterances of up to 12 s made of stretches of speech, cut in the middle of pauses.

    Args:
        spans: Stretches of speech, as `SpeechDetector.spans` finds them.
        seconds: Length of the recording.

    Returns:
        Start and end of each utterance, with up to 0.15 s of the pauses around it. A stretch that is longer than 12 s
        by itself is left out: where to cut it cannot be heard.
    """
    groups: list[list[Span]] = []
    for span in spans:
        if groups:
            begun, ended = groups[-1][0][0], groups[-1][-1][1]
            full = span[1] - begun > MAX_SECONDS
            if not full and (span[0] - ended < LONG_PAUSE_SECONDS or ended - begun < MIN_SECONDS):
                groups[-1].append(span)
                continue
        groups.append([span])
    utterances = []
    for index, group in enumerate(groups):
        start, end = group[0][0], group[-1][1]
        before = (start - groups[index - 1][-1][1]) / 2 if index else start
        after = (groups[index + 1][0][0] - end) / 2 if index + 1 < len(groups) else seconds - end
        start, end = start - min(MARGIN_SECONDS, before), end + min(MARGIN_SECONDS, after)
        if group[-1][1] - group[0][0] <= MAX_SECONDS:
            utterances.append((start, end))
    return utterances
