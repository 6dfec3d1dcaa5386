"""Voices on the loopback Hub: published with their consent, pinned to a base, loaded with it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from voxclone import ConsentError, ModelError, Voice, VoiceError, VoxClone
from voxclone.cli import main
from voxclone.models.adapter import Adapter

if TYPE_CHECKING:
    from conftest import Hub

TOKEN = "hf_secret"


@pytest.fixture
def tuned(tiny_model: VoxClone) -> Voice:
    """Ada with an adapter on the tiny model."""
    ada = tiny_model.voices["ada"]
    change = {"speaker.0.bias": torch.full((16,), 0.5)}
    adapter = Adapter(change, tiny_model.acoustic_id, "tiny", "norms")
    return Voice(ada.name, ada.speaker_embedding, ada.spectrum, ada.f0_median, ada.consents, ada.encoder_id, adapter)


def test_adapter_on_a_named_base_revision(hub_server: Hub, tiny_model: VoxClone, tuned: Voice, tmp_path: Path) -> None:
    tiny_model.push_to_hub("org/base", token=TOKEN)
    base = hub_server.repositories["org/base"].branches["main"]
    url = tuned.push_to_hub("org/ada", base="org/base", licence="cc-by-4.0", token=TOKEN)
    assert url == f"{hub_server.url}/org/ada"
    repository = hub_server.repositories["org/ada"]
    assert repository.private
    files = repository.files("main")
    assert json.loads(files["voice.json"])["base"] == {"repo_id": "org/base", "revision": base}
    page = files["README.md"].decode()
    assert 'base_model: "org/base"' in page
    assert 'base_model_relation: "adapter"' in page
    assert f"at commit `{base}`. Fine-tuned (norms, 16 numbers)." in page
    assert "a test's own random numbers; attested" in page
    hub_server.repositories["org/base"].commit({"README.md": b"another model now"})  # the pin holds
    model, voice = VoxClone.for_voice("org/ada", token=TOKEN, cache_dir=tmp_path, device="cpu")
    assert voice == tuned
    expected = tiny_model.generate("Hello there.", tuned).samples
    assert (model.generate("Hello there.", voice).samples == expected).all()
    seller, _ = VoxClone.for_voice("org/ada", token=TOKEN, cache_dir=tmp_path, device="cpu", commercial=True)
    with pytest.raises(ConsentError, match="commercial"):
        seller.generate("Hello there.", voice)


def test_a_voice_alone(hub_server: Hub, tiny_model: VoxClone, tmp_path: Path) -> None:
    bob = tiny_model.voices["bob"]
    bob.push_to_hub("org/bob", token=TOKEN, private=False)
    assert not hub_server.repositories["org/bob"].private
    loaded = Voice.from_pretrained("org/bob", cache_dir=tmp_path)
    assert loaded == bob
    assert loaded.consents == bob.consents
    asked = len(hub_server.requests)
    assert Voice.from_pretrained("org/bob", cache_dir=tmp_path, local_files_only=True) == bob
    assert len(hub_server.requests) == asked


def test_a_voice_of_another_model(hub_server: Hub, tiny_model: VoxClone, tmp_path: Path) -> None:
    tiny_model.push_to_hub("org/base", token=TOKEN)
    bob = dataclasses.replace(tiny_model.voices["bob"], encoder_id="0" * 16)
    bob.push_to_hub("org/bob", base="org/base", token=TOKEN, private=False)
    with pytest.raises(VoiceError, match=r"says that it belongs to org/base at .*, but it was made with another model"):
        VoxClone.for_voice("org/bob", cache_dir=tmp_path, device="cpu")


def test_say_in_a_published_voice(
    hub_server: Hub, tiny_model: VoxClone, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_model.voices["bob"].push_to_hub("org/bob", token=TOKEN, private=False)
    assert main(["say", "Hello.", "--voice", "org/bob", "--model", str(tiny_folder), "--device", "cpu"]) == 0
    assert Path("speech.wav").stat().st_size > 1000


def test_what_is_damaged_or_no_voice(hub_server: Hub, tiny_model: VoxClone, tmp_path: Path) -> None:
    tiny_model.voices["bob"].push_to_hub("org/bob", token=TOKEN, private=False)
    repository = hub_server.repositories["org/bob"]
    files = repository.files("main")
    repository.commit(files | {"speaker.voice": files["speaker.voice"][:-1] + b"\x01"}, "damaged")
    with pytest.raises(ModelError, match=r"speaker\.voice is damaged or was changed: its sha256 is"):
        Voice.from_pretrained("org/bob", revision="damaged", cache_dir=tmp_path)
    about = json.loads(files["voice.json"]) | {"base": {"repo_id": "org/base", "revision": "main"}}
    text = json.dumps(about).encode()
    sums = files["sha256.txt"].replace(
        hashlib.sha256(files["voice.json"]).hexdigest().encode(), hashlib.sha256(text).hexdigest().encode()
    )
    repository.commit(files | {"voice.json": text, "sha256.txt": sums}, "unpinned")
    with pytest.raises(ModelError, match="names the base 'org/base' at 'main', which is no pinned repository"):
        Voice.from_pretrained("org/bob", revision="unpinned", cache_dir=tmp_path)
    repository.commit({"README.md": b"something else"}, "other")
    with pytest.raises(ModelError, match=r"org/bob is not a voice's repository: it holds no voice\.json"):
        Voice.from_pretrained("org/bob", revision="other", cache_dir=tmp_path)
    with pytest.raises(ModelError, match="the Hub shows no model 'org/gone': check the name; if the voice is private"):
        Voice.from_pretrained("org/gone", cache_dir=tmp_path)
    with pytest.raises(ModelError, match="a voice on the Hub is named 'org/name'"):
        Voice.from_pretrained("nowhere at all")


def test_a_base_that_is_not_there(hub_server: Hub, tuned: Voice) -> None:
    with pytest.raises(ModelError, match="the Hub shows no model 'org/none'"):
        tuned.push_to_hub("org/ada", base="org/none", token=TOKEN)
    with pytest.raises(ModelError, match="a base model is named 'org/name'"):
        tuned.push_to_hub("org/ada", base="./folder", token=TOKEN)
    assert "org/ada" not in hub_server.repositories
