import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from voxclone import hub
from voxclone.config import ModelConfig, WatermarkConfig
from voxclone.errors import ModelError

Parts = dict[str, nn.Module]
FILES = [
    "acoustic.safetensors",
    "card.md",
    "config.json",
    "sha256.txt",
    "speaker_encoder.safetensors",
    "vocoder.safetensors",
    "voices/Ada.voice",
]


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_saved_folder_loads_back(folder: Path, config: ModelConfig, parts: Parts) -> None:
    assert files_of(folder) == FILES
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]
    assert hub.read_config(folder) == config
    hub.check_integrity(folder)
    assert (folder / "voices" / "Ada.voice").read_bytes() == b"a voice"
    for part, module in parts.items():
        expected = {n: t.half() if t.is_floating_point() else t for n, t in module.state_dict().items()}
        stored, _ = hub.read_tensors(folder / f"{part}.safetensors")
        assert stored.keys() == expected.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(stored[name], tensor, rtol=0, atol=0)
        hub.load_weights(module, folder / f"{part}.safetensors")


def test_sums_are_those_of_sha256sum(folder: Path) -> None:
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in FILES if n != "sha256.txt"]
    assert (folder / "sha256.txt").read_bytes() == "".join(lines).encode()


def test_saved_folder_is_readable_by_others(folder: Path) -> None:
    plain = folder.parent / "plain"
    plain.mkdir()
    assert folder.stat().st_mode == plain.stat().st_mode


def test_save_in_float32(tmp_path: Path, config: ModelConfig, parts: Parts) -> None:
    hub.save_folder(tmp_path / "m", config, parts, card="", dtype=torch.float32)
    tensors, _ = hub.read_tensors(tmp_path / "m" / "vocoder.safetensors")
    assert torch.equal(tensors["weight"], parts["vocoder"].state_dict()["weight"])
    assert not (tmp_path / "m" / "voices").exists()


def test_save_over_an_older_model(folder: Path, config: ModelConfig, parts: Parts) -> None:
    """Its files are replaced or go; what else lies there stays; its own voice may be saved again."""
    (folder / ".git").mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "voices" / "Mine.voice").write_text("mine")
    ada = folder / "voices" / "Ada.voice"
    nn.init.zeros_(parts["vocoder"].weight)  # type: ignore[arg-type]
    hub.save_folder(folder, config, parts, card="# new\n", voices={"Bob": ada})
    hub.check_integrity(folder)
    assert (folder / "voices" / "Bob.voice").read_bytes() == b"a voice"
    assert not ada.exists()
    assert (folder / "notes.txt").exists() and (folder / ".git").exists()
    assert (folder / "voices" / "Mine.voice").exists()
    assert not hub.read_tensors(folder / "vocoder.safetensors")[0]["weight"].any()


def test_save_over_a_damaged_model_repairs_it(folder: Path, config: ModelConfig, parts: Parts) -> None:
    (folder / "sha256.txt").write_text("garbage")
    (folder / "vocoder.safetensors").unlink()
    hub.save_folder(folder, config, parts, card="")
    hub.check_integrity(folder)


def test_save_into_an_empty_or_hidden_only_folder(tmp_path: Path, config: ModelConfig, parts: Parts) -> None:
    (tmp_path / ".gitattributes").write_text("")
    hub.save_folder(tmp_path, config, parts, card="")
    hub.check_integrity(tmp_path)


def test_crash_before_the_move_leaves_nothing(
    tmp_path: Path, config: ModelConfig, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Linear, "state_dict", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        hub.save_folder(tmp_path / "m", config, parts, card="")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moves", range(6))
def test_crash_between_moves_is_noticed(
    folder: Path, config: ModelConfig, parts: Parts, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """Whole old model before the first move, refused after it, until sha256.txt itself has been moved."""
    replace, done = os.replace, []

    def crash(source: Path, target: Path) -> None:
        if "model" in Path(source).parts and Path(target).is_relative_to(folder) and Path(target).parent == folder:
            if len(done) == moves:
                raise KeyboardInterrupt
            done.append(target)
        replace(source, target)

    for module in parts.values():
        for parameter in module.parameters():
            nn.init.ones_(parameter)
    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        hub.save_folder(folder, config, parts, card="# new\n")
    if moves == 0:
        hub.check_integrity(folder)
    else:
        with pytest.raises(ModelError, match="is damaged or was changed"):
            hub.check_integrity(folder)


def test_save_refuses_what_is_no_model(tmp_path: Path, config: ModelConfig, parts: Parts) -> None:
    for name, text in (("notes.txt", "mine"), ("config.json", '{"model_type": "bert"}'), ("config.json", "[1]")):
        target = tmp_path / "other"
        target.mkdir(exist_ok=True)
        (target / name).write_text(text)
        with pytest.raises(ModelError, match="is not empty and holds no voxclone model"):
            hub.save_folder(target, config, parts, card="")
        (target / name).unlink()
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="is a file; a model is saved as a folder"):
        hub.save_folder(tmp_path / "file", config, parts, card="")


def test_save_refuses_parts_and_voices(tmp_path: Path, config: ModelConfig, parts: Parts, voice_file: Path) -> None:
    with pytest.raises(ModelError, match="has the parts speaker_encoder, acoustic, vocoder; given were vocoder"):
        hub.save_folder(tmp_path / "m", config, {"vocoder": parts["vocoder"]}, card="")
    for name in ("../Ada", "", ".Ada", "a\nb", "a/b"):
        with pytest.raises(ModelError, match="cannot be a file name"):
            hub.save_folder(tmp_path / "m", config, parts, card="", voices={name: voice_file})
    with pytest.raises(ModelError, match=r"voice 'Ada': there is no file .*gone"):
        hub.save_folder(tmp_path / "m", config, parts, card="", voices={"Ada": tmp_path / "gone"})
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(("value", "advice"), [(1e5, "save with dtype=torch.float32"), (float("nan"), "not finite")])
def test_save_refuses_what_float16_cannot_hold(
    tmp_path: Path, config: ModelConfig, parts: Parts, value: float, advice: str
) -> None:
    nn.init.constant_(parts["vocoder"].weight, value)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=rf"vocoder: tensor weight .*{advice}"):
        hub.save_folder(tmp_path / "m", config, parts, card="")


@pytest.mark.parametrize("name", [name for name in FILES if name != "sha256.txt"])
def test_every_changed_file_is_noticed(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} is damaged or was changed"):
        hub.check_integrity(folder)


@pytest.mark.parametrize("name", FILES)
def test_every_missing_file_is_noticed(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"lacks {name}"):
        hub.check_integrity(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.split("\n", 1)[1], r"does not list acoustic\.safetensors"),
        (lambda text: text + "nonsense\n", r"sha256\.txt, line 7: .* found 'nonsense'"),
        (lambda text: text + "0" * 64 + "  ../secret\n", "line 7"),
        (lambda text: text + "0" * 64 + "  voices/../../secret.voice\n", "line 7"),
        (lambda text: "", "does not list config.json"),
    ],
)
def test_bad_sums(folder: Path, edit: Callable[[str], str], message: str) -> None:
    path = folder / "sha256.txt"
    path.write_text(edit(path.read_text()))
    with pytest.raises(ModelError, match=message):
        hub.check_integrity(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{not json", "config.json is not JSON"),
        (b"\xff\xfe{}", "config.json is not JSON"),
        ("[]", "needs a JSON object, got list"),
        (json.dumps({"kind": "bert", "layers": 3}), "kind is 'bert'; this voxclone knows 'voxclone'"),
        (json.dumps({"kind": "voxclone", "format_version": 2, "novel": 1}), "format_version is 2; .*Upgrade voxclone"),
        (json.dumps({"model_type": "bert"}), "unknown key 'model_type'"),
        (json.dumps({}), "key 'acoustic' is missing"),
    ],
)
def test_bad_config(folder: Path, text: str | bytes, message: str) -> None:
    (folder / "config.json").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ModelError, match=message):
        hub.read_config(folder)


@pytest.mark.parametrize("place", ["voices", "gone"])
def test_folder_without_config(folder: Path, place: str) -> None:
    with pytest.raises(ModelError, match=f"{place} is not a voxclone model: it holds no config.json"):
        hub.read_config(folder / place)


def test_a_detector_is_there_with_its_configuration(tmp_path: Path, config: ModelConfig, parts: Parts) -> None:
    marked = dataclasses.replace(config, watermark=WatermarkConfig())
    with pytest.raises(ModelError, match="acoustic, vocoder, detector; given were"):
        hub.save_folder(tmp_path / "m", marked, parts, card="")
    with pytest.raises(ModelError, match="acoustic, vocoder; given were"):
        hub.save_folder(tmp_path / "m", config, parts | {"detector": nn.Linear(1, 1)}, card="")
    hub.save_folder(tmp_path / "m", marked, parts | {"detector": nn.Linear(1, 1)}, card="")
    hub.check_integrity(tmp_path / "m")
    assert hub.read_config(tmp_path / "m") == marked
    assert "detector.safetensors" in files_of(tmp_path / "m")


def test_a_detector_can_be_replaced(folder: Path, config: ModelConfig) -> None:
    before = {name: (folder / name).read_bytes() for name in FILES}
    for threshold in (3.0, 4.0):
        watermark = WatermarkConfig(threshold=threshold)
        hub.save_detector(folder, nn.Linear(1, 1), watermark)
        hub.check_integrity(folder)
        assert hub.read_config(folder) == dataclasses.replace(config, watermark=watermark)
    assert files_of(folder) == sorted([*FILES, "detector.safetensors"])
    assert all((folder / n).read_bytes() == before[n] for n in FILES if n not in ("config.json", "sha256.txt"))


def test_another_part_can_be_replaced_with_its_configuration(folder: Path, config: ModelConfig, parts: Parts) -> None:
    before = {name: (folder / name).read_bytes() for name in FILES}
    pausing = dataclasses.replace(config, acoustic=dataclasses.replace(config.acoustic, pauses=True))
    hub.save_part(folder, "acoustic", nn.Linear(1, 1), pausing)
    hub.check_integrity(folder)
    assert hub.read_config(folder) == pausing != config
    changed = {name for name in FILES if (folder / name).read_bytes() != before[name]}
    assert changed == {"acoustic.safetensors", "config.json", "sha256.txt"}
