"""The rate reader learns to count, and says how far it is to be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from voxclone.config import AudioConfig
from voxclone.models.acoustic.pace import Count, RateReader
from voxclone.text.symbols import SILENCES, SYMBOLS
from voxclone.training.augmentation import Augmentation
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.pace import CountedSpeech, PaceStep, hear_speakers, set_doubt, split_speakers

AUDIO = AudioConfig()
FRAME_RATE = AUDIO.sample_rate / AUDIO.hop_length


def stores(folder: Path, speakers: int = 6, recordings: int = 4) -> tuple[FeatureStore, FeatureStore]:
    """Tones that change from sound to sound; every speaker has a pace, and pauses at both ends."""
    rng = np.random.default_rng(0)
    speech, durations = FeatureStore(folder / "speech"), FeatureStore(folder / "durations")
    for speaker in range(speakers):
        for recording in range(recordings):
            lasting = np.array([20, *rng.integers(4 + 2 * speaker, 6 + 2 * speaker, 24), 20])
            ids = np.array([0, *rng.integers(len(SILENCES), len(SYMBOLS), 24), 0])
            frames = int(lasting.sum())
            mel = np.full((frames, 80), -9.0, np.float32)
            wave = np.zeros(frames * AUDIO.hop_length, np.float32)
            for start, length in zip(np.cumsum(lasting)[:-2], lasting[1:-1], strict=True):
                band = int(rng.integers(0, 70))
                mel[start : start + length, band : band + 10] = -1.0
                part = slice(start * AUDIO.hop_length, (start + length) * AUDIO.hop_length)
                wave[part] = 0.3 * np.sin(np.arange(length * AUDIO.hop_length) * (0.02 + band / 100))
            key, about = f"{speaker}-{recording}", {"speaker": str(speaker), "split": "train"}
            arrays = {"phoneme_ids": ids, "mel": mel, "waveform": (wave * 32767).astype(np.int16)}
            speech.append(key, about, arrays)
            durations.append(key, about, {"durations": lasting})
    return speech, durations


def counted(speech: FeatureStore, durations: FeatureStore) -> CountedSpeech:
    channel = Augmentation([], [], AUDIO.sample_rate, room_probability=0.0)
    return CountedSpeech(speech, durations, speech.entries, AUDIO, channel, batch_size=8, batches=60)


def test_it_learns_to_count(tmp_path: Path) -> None:
    pytest.importorskip("torchaudio", reason="the train extra is not installed")
    speech, durations = stores(tmp_path)
    torch.manual_seed(0)
    step = PaceStep()
    optimizer = torch.optim.AdamW(step.parameters(), 3e-3)
    errors = []
    for batch in counted(speech, durations):
        assert batch["density"].shape == batch["mask"].shape == batch["mel"][:, 0].shape
        losses = step(batch, "model")
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        errors.append(float(losses["rate"].detach()))
    assert np.mean(errors[-10:]) < 0.3 * np.mean(errors[:5])
    heard = hear_speakers(step.reader.eval(), speech, durations, speech.entries, FRAME_RATE)
    found = [np.mean([count.frames / count.sounds for count, *_ in own]) for own in heard.values()]
    true = [np.exp(own[0][2]) for own in heard.values()]
    assert len(heard) == 6 and np.corrcoef(found, true)[0, 1] > 0.9


def test_doubt_is_what_the_errors_are() -> None:
    rng = np.random.default_rng(0)
    heard = {}
    for speaker in range(400):
        true = rng.normal(np.log(0.09), 0.2)
        frames = rng.uniform(50, 800, 5)
        seen = true + rng.normal(size=5) * np.sqrt(0.004 + 3.0 / frames)
        counts = [Count(f / (np.exp(s) * FRAME_RATE), f) for f, s in zip(frames, seen, strict=True)]
        heard[str(speaker)] = [(count, count, true) for count in counts]
    reader = RateReader()
    set_doubt(reader, heard, FRAME_RATE)
    assert reader.typical.tolist() == pytest.approx([np.log(0.09), 0.04], rel=0.15)
    assert reader.doubt[0] == pytest.approx(0.004, abs=0.002)
    assert reader.doubt[1] == pytest.approx(3.0, rel=0.25)


def test_one_speaker_of_five_is_held_out_where_there_are_many() -> None:
    entries = [Entry(f"{number}-{n}", {"speaker": f"speaker {number}"}, {}) for number in range(200) for n in range(2)]
    taught, apart = split_speakers(entries)
    speakers, held_out = ({entry.about["speaker"] for entry in part} for part in (taught, apart))
    assert not speakers & held_out and len(speakers) + len(held_out) == 200
    assert 25 < len(held_out) < 55
    assert split_speakers(entries[:40]) == (entries[:40], [])
