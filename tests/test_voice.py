"""A voice is a value: immutable, hashable, portable, and never without consent."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from voxclone import Consent, Voice, VoiceError, hub

CONSENT = Consent.attest("Ada", basis="my own voice")


def make_voice(seed: int = 0, **fields: Any) -> Voice:
    embedding = np.random.default_rng(seed).normal(size=192)
    values: dict[str, Any] = {
        "name": f"voice {seed}",
        "speaker_embedding": embedding / np.linalg.norm(embedding),
        "spectrum": np.linspace(-4, -8, 80) + seed,
        "f0_median": 181.25,
        "consents": (CONSENT,),
        "encoder_id": "0123456789abcdef",
    }
    return Voice(**(values | fields))


def test_save_and_load_give_the_same_voice(tmp_path: Path) -> None:
    voice = make_voice(name="Ada 艾达", f0_median=0.1 + 0.2)
    voice.save(tmp_path / "ada.voice")
    loaded = Voice.load(tmp_path / "ada.voice")
    assert loaded == voice
    assert loaded.voice_id == voice.voice_id
    assert (loaded.name, loaded.f0_median, loaded.consent, loaded.encoder_id) == (
        voice.name,
        voice.f0_median,
        CONSENT,
        voice.encoder_id,
    )
    np.testing.assert_array_equal(loaded.speaker_embedding, voice.speaker_embedding)
    np.testing.assert_array_equal(loaded.spectrum, voice.spectrum)
    assert (tmp_path / "ada.voice").stat().st_size < 4096


def test_equality_and_hash_follow_the_content() -> None:
    voice = make_voice()
    assert voice == make_voice()
    assert len({voice, make_voice(), make_voice(1)}) == 2
    for change in (
        {"name": "Bob"},
        {"f0_median": 181.0},
        {"spectrum": np.zeros(80)},
        {"encoder_id": "another"},
        {"speaker_embedding": make_voice(1).speaker_embedding},
        {"consents": (Consent.attest("Ada", basis="contract"),)},
    ):
        assert dataclasses.replace(voice, **change) != voice, change
    assert voice != "voice"


@pytest.mark.parametrize("through", [lambda v: v, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_a_voice_cannot_be_changed(through: Any) -> None:
    voice = through(make_voice())
    assert voice == make_voice()
    with pytest.raises(dataclasses.FrozenInstanceError):
        voice.name = "Bob"
    with pytest.raises(ValueError, match="read-only"):
        voice.speaker_embedding[0] = 1.0
    with pytest.raises(ValueError, match="WRITEABLE"):
        voice.speaker_embedding.setflags(write=True)


def test_a_voice_does_not_share_the_array_it_was_made_from() -> None:
    embedding = np.eye(1, 192, dtype=np.float32)[0]
    voice = make_voice(speaker_embedding=embedding)
    embedding[:] = 0
    assert voice.speaker_embedding[0] == 1.0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"speaker_embedding": np.full(192, np.nan)}, "not finite"),
        ({"speaker_embedding": np.full(192, 1.0)}, "length 13.8564"),
        ({"speaker_embedding": np.zeros(192)}, "length 0.0000"),
        ({"speaker_embedding": np.eye(2)}, r"shape \(2, 2\)"),
        ({"speaker_embedding": np.zeros(0)}, r"shape \(0,\)"),
        ({"spectrum": np.full(80, np.inf)}, "spectrum holds values that are not finite"),
        ({"spectrum": np.zeros((80, 1))}, "spectrum has shape"),
        ({"f0_median": 0.0}, "f0_median"),
        ({"f0_median": -100.0}, "f0_median"),
        ({"f0_median": math.inf}, "f0_median"),
        ({"f0_median": math.nan}, "f0_median"),
        ({"name": " "}, "name"),
        ({"encoder_id": ""}, "encoder"),
        ({"consents": ()}, "no consent"),
    ],
)
def test_a_voice_refuses(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(VoiceError, match=said):
        make_voice(**fields)


def rewrite(path: Path, tensors: dict[str, torch.Tensor] | None = None, **metadata: str | None) -> None:
    """Write a voice file with some of its contents replaced; None removes a metadata key."""
    make_voice().save(path)
    kept, values = hub.read_tensors(path)
    merged = values | metadata
    hub.write_tensors(path, kept if tensors is None else tensors, {k: v for k, v in merged.items() if v is not None})


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"format": None}, "not a voice"),
        ({"format": "pt"}, "not a voice"),
        ({"format_version": "3"}, "format 3.*upgrade"),
        ({"format_version": "new"}, "'new'"),
        ({"format_version": None}, "lacks 'format_version'"),
        ({"name": None}, "lacks 'name'"),
        ({"encoder_id": None}, "lacks 'encoder_id'"),
        ({"f0_median": None}, "lacks 'f0_median'"),
        ({"f0_median": "high"}, "high"),
        ({"f0_median": "nan"}, "f0_median"),
        ({"consents": None}, "no consent record"),
        ({"consents": "[]"}, "no consent record"),
        ({"consents": "[1]"}, "consent record"),
        ({"consents": "7"}, "consents"),
        ({"consents": "{"}, "voice"),
        ({"consents": json.dumps([CONSENT.to_dict() | {"basis": ""}])}, "basis"),
    ],
)
def test_load_refuses_metadata(tmp_path: Path, metadata: dict[str, str | None], said: str) -> None:
    path = tmp_path / "bad.voice"
    rewrite(path, **metadata)
    with pytest.raises(VoiceError, match=said) as caught:
        Voice.load(path)
    assert "bad.voice" in str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"speaker_embedding": torch.full((192,), torch.inf), "spectrum": torch.ones(80)}, "not finite"),
        ({"speaker_embedding": torch.ones(192), "spectrum": torch.ones(80)}, "length 13"),
        ({"speaker_embedding": torch.ones(1, 1), "spectrum": torch.ones(80)}, "shape"),
        ({"speaker_embedding": torch.ones(1), "spectrum": torch.full((80,), torch.nan)}, "spectrum"),
        ({"other": torch.ones(1)}, "not a voice"),
        ({"speaker_embedding": torch.ones(1), "more": torch.ones(1)}, "not a voice"),
    ],
)
def test_load_refuses_tensors(tmp_path: Path, tensors: dict[str, torch.Tensor], said: str) -> None:
    rewrite(tmp_path / "bad.voice", tensors)
    with pytest.raises(VoiceError, match=said):
        Voice.load(tmp_path / "bad.voice")


def test_load_refuses_a_file_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "cut.voice"
    make_voice().save(path)
    content = path.read_bytes()
    for size in (0, 1, 7, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(VoiceError, match=r"cut\.voice"):
            Voice.load(path)


@pytest.mark.parametrize("content", [b"RIFF\x24\x00\x00\x00WAVEfmt ", pickle.dumps({"a": 1}), b"hello" * 100])
def test_load_refuses_what_is_no_voice(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.voice").write_bytes(content)
    with pytest.raises(VoiceError, match="cannot be read as a voice file"):
        Voice.load(tmp_path / "other.voice")


def test_load_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.voice", tmp_path):
        with pytest.raises(VoiceError, match="cannot be read"):
            Voice.load(path)


def test_save_to_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match="none does not exist; create it first"):
        make_voice().save(tmp_path / "none" / "ada.voice")


def test_mix_goes_along_the_arc() -> None:
    ada, bob = make_voice(0, f0_median=200.0), make_voice(1, f0_median=100.0)
    mix = Voice.mix({ada: 3, bob: 1})
    whole = np.arccos(ada.speaker_embedding @ bob.speaker_embedding)
    assert np.arccos(mix.speaker_embedding @ ada.speaker_embedding) == pytest.approx(0.25 * whole, abs=1e-3)
    assert np.arccos(mix.speaker_embedding @ bob.speaker_embedding) == pytest.approx(0.75 * whole, abs=1e-3)
    np.testing.assert_allclose(mix.spectrum, 0.75 * ada.spectrum + 0.25 * bob.spectrum, atol=1e-5)
    assert mix.f0_median == pytest.approx(200**0.75 * 100**0.25)
    assert mix.name == "voice 0+voice 1"
    assert mix.encoder_id == ada.encoder_id
    same = Voice.mix({ada: 0.3, bob: 0.1})
    np.testing.assert_allclose(same.speaker_embedding, mix.speaker_embedding, atol=1e-6)


def test_mix_of_one_keeps_its_sound() -> None:
    ada = make_voice()
    mix = Voice.mix({ada: 0.2}, name="Alone")
    np.testing.assert_allclose(mix.speaker_embedding, ada.speaker_embedding, atol=1e-6)
    assert mix.f0_median == pytest.approx(ada.f0_median)
    assert mix.name == "Alone"


def test_mix_carries_every_consent_once(tmp_path: Path) -> None:
    other = Consent.attest("Bob", basis="contract")
    ada, bob, again = make_voice(0), make_voice(1, consents=(other,)), make_voice(2)
    mix = Voice.mix({ada: 1, bob: 1, again: 1})
    assert mix.consents == (CONSENT, other)
    with pytest.raises(VoiceError, match="several records, of Ada, Bob"):
        _ = mix.consent
    mix.save(tmp_path / "mix.voice")
    assert Voice.load(tmp_path / "mix.voice") == mix
    assert Voice.mix({ada: 1, again: 1}).consent == CONSENT


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_mix_refuses_weights(weight: float) -> None:
    with pytest.raises(VoiceError, match="positive"):
        Voice.mix({make_voice(0): 1.0, make_voice(1): weight})


def test_mix_refuses_nothing_strangers_and_opposites() -> None:
    ada = make_voice()
    with pytest.raises(VoiceError, match="at least one"):
        Voice.mix({})
    with pytest.raises(VoiceError, match="different speaker encoders"):
        Voice.mix({ada: 1, make_voice(1, encoder_id="another"): 1})
    with pytest.raises(VoiceError, match="cancel"):
        Voice.mix({ada: 1, make_voice(speaker_embedding=-ada.speaker_embedding): 1})


def test_repr_is_short() -> None:
    assert repr(make_voice()).startswith("Voice('voice 0', f0_median=181 Hz, voice_id='")


def test_manner_is_kept_where_it_is_known(tmp_path: Path) -> None:
    known = make_voice(f0_spread=0.25, phoneme_seconds=0.08)
    known.save(tmp_path / "known.voice")
    loaded = Voice.load(tmp_path / "known.voice")
    assert (loaded.f0_spread, loaded.phoneme_seconds) == (0.25, 0.08) and loaded == known
    assert pickle.loads(pickle.dumps(known)) == known
    assert known != make_voice()  # and what is not known leaves the id as it was
    assert Voice.mix({known: 1.0, make_voice(1, f0_spread=0.36, phoneme_seconds=0.08): 1.0}).f0_spread == pytest.approx(
        0.3
    )
    assert Voice.mix({known: 1.0, make_voice(1): 1.0}).f0_spread is None
    with pytest.raises(VoiceError, match="phoneme_seconds is -1"):
        make_voice(phoneme_seconds=-1.0)
