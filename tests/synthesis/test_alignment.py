"""Laying a recording against its text, with a tiny random aligner and with one that knows its sounds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from voxclone import AudioError, ModelError, TextError, VoxClone, hub
from voxclone.config import AlignerConfig, AudioConfig
from voxclone.models.aligner import Aligner
from voxclone.synthesis.alignment import align, joined
from voxclone.text.phonemes import Phonemes, WordSpan, phonemize
from voxclone.text.symbols import SYMBOLS, symbol_ids

Recording = tuple[NDArray[np.float32], int]
HOP_SECONDS = 256 / 22050


@pytest.mark.filterwarnings("error::DeprecationWarning")
def test_segments_fill_the_recording_in_order(tiny_model: VoxClone, recording: Recording) -> None:
    alignment = tiny_model.align(recording, "Nine men drank tea. Nobody spoke.")
    assert [word.text for word in alignment.words] == ["Nine", "men", "drank", "tea", "Nobody", "spoke"]
    ends = [segment.end_seconds for segment in alignment.phonemes]
    starts = [segment.start_seconds for segment in alignment.phonemes]
    assert starts == [0.0, *ends[:-1]]
    assert all(start < end for start, end in zip(starts, ends, strict=True))
    assert ends[-1] == pytest.approx(3.0, abs=HOP_SECONDS)
    assert alignment.durations.sum() == alignment.mel.shape[1]
    assert tuple(segment.text for segment in alignment.phonemes) == alignment.phoneme_symbols
    assert np.isfinite([alignment.confidence, alignment.match]).all()
    first, last = alignment.words[0], alignment.words[-1]
    assert first.start_seconds > 0 and last.end_seconds < ends[-1]


def test_silence_around_the_speech_goes_to_the_outer_symbols(tiny_model: VoxClone, recording: Recording) -> None:
    samples, rate = recording
    padded = np.concatenate([np.zeros(rate, np.float32), samples, np.zeros(rate // 2, np.float32)])
    wide = tiny_model.align((padded, rate), "Nine men")
    assert wide.words[0].start_seconds >= 0.9 and wide.words[-1].end_seconds <= 4.1
    assert wide.phonemes[-1].end_seconds == pytest.approx(4.5, abs=HOP_SECONDS)


def test_an_aligner_that_knows_its_sounds_finds_their_borders() -> None:
    """Two tones and a hiss; the aligner is told where each of them is."""
    torch.manual_seed(0)
    audio, rate = AudioConfig(), 22050
    chunk = Phonemes(("^", "iː", "ɑː", "s", "$"), (WordSpan("eas", 1, 4),))
    time = np.arange(rate) / rate
    parts = [np.zeros(rate // 20)] + [
        np.sin(2 * np.pi * f * time[: int(s * rate)]) for f, s in ((300, 0.4), (900, 0.2))
    ]
    hiss = np.random.default_rng(0).normal(size=int(0.5 * rate))
    sound = 0.1 * np.concatenate([*parts, hiss, np.zeros(rate // 20)])
    aligner = Aligner(AlignerConfig(n_symbols=len(SYMBOLS), dim=16))
    source = (sound.astype(np.float32), rate)
    first = align(aligner.eval(), audio, source, [chunk])
    mel, lengths = torch.from_numpy(first.mel)[None], torch.tensor([first.mel.shape[1]])
    ids = torch.tensor([symbol_ids(chunk.symbols)])
    count, frames = torch.tensor([5]), lengths.tolist()[0]
    edges = [0, *(round(seconds * rate / audio.hop_length) for seconds in (0.05, 0.45, 0.65, 1.15)), frames]
    path = aligner.even_path(ids, count, torch.tensor([np.diff(edges).tolist()]))
    optimizer = torch.optim.Adam(aligner.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        (-aligner.path_likelihood(ids, count, mel, lengths, path).mean()).backward()
        optimizer.step()
    found = align(aligner.eval(), audio, source, [chunk])
    ends = [segment.end_seconds for segment in found.phonemes[1:4]]
    assert ends == pytest.approx([0.45, 0.65, 1.15], abs=0.03)
    assert found.confidence > first.confidence


def test_refusals(tiny_model: VoxClone, tiny_folder: Path, tmp_path: Path, recording: Recording) -> None:
    samples, rate = recording
    with pytest.raises(AudioError, match="too short for"):
        tiny_model.align((samples[: rate // 2], rate), "Nine men drank tea in the garden, and nobody spoke a word.")
    with pytest.raises(AudioError, match="cut it into parts"):
        tiny_model.align((np.tile(samples, 21), rate), "Nine men")
    with pytest.raises(TextError):
        tiny_model.align(recording, "")
    config = dataclasses.replace(tiny_model.config, aligner=None)
    parts = {part: module for part, module in tiny_model._parts().items() if part != "aligner"}
    hub.save_folder(tmp_path / "old", config, parts, card="")
    old = VoxClone.from_pretrained(tmp_path / "old", device="cpu")
    with pytest.raises(ModelError, match="has no aligner"):
        old.align(recording, "Nine men")


def test_the_aligner_is_saved_with_the_model(tiny_model: VoxClone, tmp_path: Path, recording: Recording) -> None:
    tiny_model.save_pretrained(tmp_path / "copy")
    again = VoxClone.from_pretrained(tmp_path / "copy", device="cpu")
    assert np.array_equal(
        again.align(recording, "Nine men").durations, tiny_model.align(recording, "Nine men").durations
    )


def test_chunks_are_joined_by_what_ends_them() -> None:
    assert joined([phonemize("One two."), phonemize("Three four.")]) == phonemize("One two. Three four.")
    plain = [phonemize("one"), phonemize("two")]
    assert joined(plain).symbols == ("^", *plain[0].symbols[1:-1], " ", *plain[1].symbols[1:-1], "$")
