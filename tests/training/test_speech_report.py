"""The report on a store of speech finds what it was given."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("accelerate")

from voxclone.text.symbols import symbol_ids
from voxclone.training.features import FeatureStore
from voxclone.training.speech_report import as_table, report_speech


def a_store(folder: Path) -> tuple[FeatureStore, FeatureStore]:
    """A clean recording with a pause that its text lacks; a noisy, clipped one with a doubtful text; one with none."""
    rng = np.random.default_rng(0)
    store, durations = FeatureStore(folder / "speech"), FeatureStore(folder / "durations")
    ids = np.array(symbol_ids(["^", "s", "iː", " ", "m", "iː", "$"]))
    lengths = np.array([10, 8, 60, 14, 8, 10, 10])
    mel = rng.normal(-2, 0.3, (120, 80))
    for start, end in ((0, 10), (78, 92), (110, 120)):
        mel[start:end] = -11.0
    plain, loud = np.zeros(120 * 256, np.int16), np.tile(np.repeat([32767, -32767], 40), 384).astype(np.int16)
    f0 = np.zeros(120, np.float32)
    about = {"corpus": "tiny", "split": "train"}
    store.append("a", about | {"speaker": "ada"}, {"mel": mel, "waveform": plain, "f0": f0, "phoneme_ids": ids})
    noisy = np.logaddexp(mel, -4.0)
    comma = np.where(ids == ids[3], symbol_ids([","])[0], ids)
    store.append("b", about | {"speaker": "bob"}, {"mel": noisy, "waveform": loud, "f0": f0, "phoneme_ids": comma})
    store.append("c", about | {"speaker": "bob"}, {"mel": mel, "waveform": plain, "f0": f0})
    durations.append("a", {"confidence": -1.0}, {"durations": lengths})
    durations.append("b", {"confidence": -9.0}, {"durations": np.array([20, 20, 20, 20, 20, 10, 10])})
    return store, durations


def test_counts_are_those_of_the_store(tmp_path: Path) -> None:
    store, durations = a_store(tmp_path)
    report = report_speech(store, durations)["tiny"]
    assert (report.recordings, report.speakers, report.transcribed) == (3, 2, 2)
    assert (report.unpunctuated, report.noisy, report.clipped, report.misfit) == (1, 1, 1, 0)
    assert (report.doubtful, report.stretched, report.pauses_heard) == (1, 1, 1)
    assert report.silent_share == pytest.approx((34 + 50) / 240, abs=1e-3)
    json.dumps(asdict(report))  # plain numbers, none of NumPy's
    assert report.hours == pytest.approx(3 * 120 * 256 / 22050 / 3600, abs=0.005)


def test_without_durations_only_the_recordings_are_judged(tmp_path: Path) -> None:
    store, _ = a_store(tmp_path)
    report = report_speech(store)["tiny"]
    assert report.noisy == 1 and report.doubtful == report.stretched == report.pauses_heard == 0
    table = as_table({"tiny": report}).splitlines()
    assert table[0].split() == ["corpus", "tiny"] and ["noisy", "1"] in [line.split() for line in table]
