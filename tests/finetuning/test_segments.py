"""Speech is found, and cut in its pauses."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from voxclone import VoxcloneError
from voxclone.audio.io import read_audio
from voxclone.finetuning.segments import MAX_SECONDS, SpeechDetector, cut


def test_long_pauses_end_an_utterance_and_short_ones_do_not() -> None:
    assert cut([(1.0, 2.0), (2.3, 4.0), (5.0, 8.0)], 9.0) == [(0.85, 4.15), (4.85, 8.15)]


def test_what_is_short_is_joined_even_over_a_long_pause() -> None:
    assert cut([(1.0, 1.5), (2.5, 4.0)], 4.05) == [(0.85, pytest.approx(4.05))]


def test_an_utterance_is_never_longer_than_twelve_seconds() -> None:
    spans = [(at, at + 2.9) for at in np.arange(0.0, 60.0, 3.0).tolist()]
    found = cut(spans, 60.0)
    assert max(end - start for start, end in found) <= MAX_SECONDS + 0.3
    assert found[0][0] == 0.0 and found[-1][1] == pytest.approx(60.0, abs=0.1)
    assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(found))


def test_a_stretch_that_cannot_be_cut_is_left_out() -> None:
    assert cut([(0.0, 13.0), (14.0, 17.0)], 20.0) == [(13.85, 17.15)]


def test_silero_finds_the_speech_between_silence(recordings: Path) -> None:
    threads = torch.get_num_threads()
    samples, rate = read_audio(recordings / "0.wav")
    silence = np.zeros(2 * rate, np.float32)
    spans = SpeechDetector().spans(np.concatenate([silence, samples, silence]), rate)
    assert torch.get_num_threads() == threads
    assert spans[0][0] == pytest.approx(2.0, abs=0.3)
    assert spans[-1][1] == pytest.approx(2 + len(samples) / rate, abs=0.6)
    assert not SpeechDetector().spans(silence, rate)


def test_without_silero_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    with pytest.raises(VoxcloneError, match=r"pip install 'voxclone\[finetune\]'"):
        SpeechDetector()
