"""What a model says today is what it said when golden/speech.json was written, within a tolerance that no ear can tell.

The file holds, for the weights that it names by their sum, each phoneme's frames and the levels of eight bands over ten
stretches of the speech. After a change of weights, or one that is meant to be heard, write it anew:

    VOXCLONE_WRITE_GOLDEN=1 pytest tests/test_golden_speech.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import voxclone
from voxclone import Speech, VoxClone, hub
from voxclone.audio.mel import MelSpectrogram

PATH = Path(__file__).parent / "golden" / "speech.json"
ROOT = Path(__file__).resolve().parents[1]
BUNDLED = [folder / "pretrained" / hub.BUNDLED_NAME for folder in (Path(voxclone.__file__).parent, ROOT)]
TEXT = "Dr. Smith paid $3.50, twice. Nobody had lit the lamp."
OPTIONS: tuple[dict[str, Any], ...] = ({}, {"seed": 3, "speed": 1.2, "pitch": 2.0, "energy": 0.8})
TOLERANCE = 0.05  # nat of amplitude, 0.4 dB
BANDS, STRETCHES = 8, 10


def fingerprint(speech: Speech, model: VoxClone) -> dict[str, Any]:
    mel = MelSpectrogram(model.config.audio)(torch.tensor(speech.samples[None]))[0].exp().numpy()
    stretches = [part.mean(1) for part in np.array_split(mel, STRETCHES, axis=1)]
    levels = [[float(band.mean()) for band in np.array_split(part, BANDS)] for part in stretches]
    assert speech.prosody is not None
    return {"frames": speech.prosody.durations.tolist(), "levels": np.log(np.array(levels) + 1e-5).round(3).tolist()}


def check(model: VoxClone, name: str) -> None:
    golden = json.loads(PATH.read_text()) if PATH.exists() else {}
    weights = model._origin.model_sha256
    voice = model.voices["kathleen" if "kathleen" in model.voices else "ada"]
    found = [fingerprint(model.generate(TEXT, voice, **options), model) for options in OPTIONS]
    if os.environ.get("VOXCLONE_WRITE_GOLDEN"):
        golden[name] = {"model_sha256": weights, "speech": found}
        PATH.write_text(json.dumps(golden) + "\n")
    if golden.get(name, {}).get("model_sha256") != weights:
        pytest.skip(f"golden/speech.json is of other weights than {name}'s {weights[:16]}; write it anew")
    for speech, expected in zip(found, golden[name]["speech"], strict=True):
        assert speech["frames"] == expected["frames"]
        np.testing.assert_allclose(speech["levels"], expected["levels"], atol=TOLERANCE)
    assert found[0] != found[1]


def test_the_tiny_model_says_what_it_said(tiny_model: VoxClone) -> None:
    check(tiny_model, "tiny")


@pytest.mark.skipif(not any((f / "config.json").is_file() for f in BUNDLED), reason="no model is bundled")
def test_the_bundled_model_says_what_it_said() -> None:
    check(VoxClone.from_pretrained(device="cpu"), "bundled")
