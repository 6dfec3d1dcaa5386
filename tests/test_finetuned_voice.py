"""A fine-tuned voice is a voice: one file, spoken by the model it was made on, and no other voice hears of it."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from voxclone import Voice, VoiceError, VoxClone
from voxclone.cli import main
from voxclone.models.adapter import Adapter

TEXT = "Hello there."


@pytest.fixture(scope="module")
def tuned(tiny_model: VoxClone) -> Voice:
    """ada with every scale and shift of one norm moved, and a low-rank change."""
    ada = tiny_model.voices["ada"]
    generator = torch.Generator().manual_seed(0)
    norm = "decoder.0.norm.affine.bias"
    size = tiny_model.config.acoustic.hidden_dim
    tensors = {
        norm: torch.randn(2 * size, generator=generator).half(),
        "head.weight.up": torch.randn(164, 2, generator=generator).half(),
        "head.weight.down": torch.randn(2, size, generator=generator).half(),
    }
    return dataclasses.replace(ada, adapter=Adapter(tensors, tiny_model.acoustic_id, "tiny", "lora"))


def test_it_speaks_differently_and_the_others_as_before(tiny_model: VoxClone, tuned: Voice) -> None:
    before = {name: tiny_model.generate(TEXT, voice).samples for name, voice in tiny_model.voices.items()}
    changed = tiny_model.generate(TEXT, tuned)
    assert np.abs(changed.mel - tiny_model.generate(TEXT, tiny_model.voices["ada"]).mel).max() > 0.1
    for name, voice in tiny_model.voices.items():
        np.testing.assert_array_equal(tiny_model.generate(TEXT, voice).samples, before[name])


def test_threads_may_speak_it_and_others_at_once(tiny_model: VoxClone, tuned: Voice) -> None:
    voices = [tuned, tiny_model.voices["ada"], tiny_model.voices["bob"]] * 4
    alone = {voice: tiny_model.generate(TEXT, voice).samples for voice in voices[:3]}
    with ThreadPoolExecutor(4) as pool:
        for voice, speech in zip(voices, pool.map(lambda voice: tiny_model.generate(TEXT, voice), voices), strict=True):
            np.testing.assert_array_equal(speech.samples, alone[voice])


def test_one_file_holds_it(tiny_model: VoxClone, tuned: Voice, tmp_path: Path) -> None:
    tuned.save(tmp_path / "ada.voice")
    for loaded in (Voice.load(tmp_path / "ada.voice"), Voice.load(tmp_path), pickle.loads(pickle.dumps(tuned))):
        assert loaded == tuned != tiny_model.voices["ada"]
        np.testing.assert_array_equal(
            tiny_model.generate(TEXT, loaded).samples, tiny_model.generate(TEXT, tuned).samples
        )
    assert copy.deepcopy(tuned) == tuned
    assert "fine-tuned (lora) on 'tiny'" in repr(tuned)


def test_a_folder_must_hold_one_voice(tuned: Voice, tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match="holds none"):
        Voice.load(tmp_path)
    for name in ("a", "b"):
        tuned.save(tmp_path / f"{name}.voice")
    with pytest.raises(VoiceError, match=r"a\.voice, b\.voice"):
        Voice.load(tmp_path)


def test_another_model_refuses_it(tiny_model: VoxClone, tuned: Voice) -> None:
    assert tuned.adapter is not None
    foreign = dataclasses.replace(tuned, adapter=Adapter(tuned.adapter.tensors, "f" * 16, "other", "lora"))
    with pytest.raises(VoiceError, match=r"fine-tuned on model 'other', acoustic model f{16}; this is 'tiny'"):
        tiny_model.generate(TEXT, foreign)
    misfit = Adapter({"no.such": torch.ones(1)}, tiny_model.acoustic_id, "tiny", "norms")
    with pytest.raises(VoiceError, match=r"no\.such"):
        tiny_model.generate(TEXT, dataclasses.replace(tuned, adapter=misfit))


def test_it_does_not_mix(tiny_model: VoxClone, tuned: Voice) -> None:
    with pytest.raises(VoiceError, match="fine-tuned"):
        Voice.mix({tuned: 1.0, tiny_model.voices["bob"]: 1.0})


def test_say_takes_a_folder(tiny_folder: Path, tuned: Voice, tmp_path: Path) -> None:
    tuned.save(tmp_path / "ada.voice")
    arguments = ["say", TEXT, "--model", str(tiny_folder), "--device", "cpu", "--voice", str(tmp_path)]
    assert main([*arguments, "-o", str(tmp_path / "said.wav")]) == 0
    assert (tmp_path / "said.wav").stat().st_size > 44
